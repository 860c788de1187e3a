// The conversations of the sidebar: grouped by day, or what a search found.
import { useState } from 'preact/hooks';
import { api } from '../api/client';
import type { FoundSummary, Summary } from '../api/types';
import { t } from '../i18n';
import { conversationId, title as openTitle } from '../state/conversation';
import { conversations, found, loadMore, moreConversations, remove, rename } from '../state/history';
import { attempt } from '../state/notices';
import { navigate, route } from '../state/router';
import { download } from './clipboard';
import { Confirm, Menu } from './controls';
import { target } from './conversation_view';
import { sidebarOpen } from './sidebar_state';

const DAY_MS = 86_400_000;

function dayGroup(time: number): string {
  const midnight = new Date().setHours(0, 0, 0, 0);
  if (time >= midnight) return t('today');
  if (time >= midnight - DAY_MS) return t('yesterday');
  return time >= midnight - 7 * DAY_MS ? t('lastWeek') : t('older');
}

function grouped(all: readonly Summary[]): [string, Summary[]][] {
  const groups = new Map<string, Summary[]>();
  for (const summary of all) {
    const group = dayGroup(summary.updated);
    groups.set(group, [...(groups.get(group) ?? []), summary]);
  }
  return [...groups];
}

async function save(summary: Summary, format: 'json' | 'markdown'): Promise<void> {
  const blob = await attempt(() => api.exportConversation(summary.id, format));
  if (blob) download(blob, `${summary.title.replace(/[^\p{L}\p{N}]+/gu, '-').slice(0, 50) || 'conversation'}.${format === 'json' ? 'json' : 'md'}`);
}

function RenameField({ summary, onDone }: { summary: Summary; onDone: () => void }) {
  async function finish(value: string) {
    onDone();
    const title = value.trim();
    if (title === '' || title === summary.title) return;
    const renamed = await rename(summary.id, title);
    if (renamed && conversationId.value === summary.id) openTitle.value = renamed.title;
  }
  return (
    <input
      class="rename"
      aria-label={t('rename')}
      defaultValue={summary.title}
      ref={(input) => input?.focus()}
      onBlur={(event) => void finish(event.currentTarget.value)}
      onKeyDown={(event) => {
        if (event.isComposing) return;
        if (event.key === 'Enter') event.currentTarget.blur();
        if (event.key === 'Escape') {
          event.stopPropagation();
          event.currentTarget.value = summary.title;
          event.currentTarget.blur();
        }
      }}
    />
  );
}

function Entry({ summary }: { summary: Summary | FoundSummary }) {
  const [renaming, setRenaming] = useState(false);
  const [removing, setRemoving] = useState(false);
  const title = summary.title || t('untitled');
  const hit = 'hit' in summary ? summary.hit : null;
  const current = route.value.page === 'chat' && route.value.id === summary.id;

  function open(event: MouseEvent): void {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    target.value = hit?.node ?? null;
    sidebarOpen.value = false;
    navigate(`/c/${summary.id}`);
  }
  async function removeIt() {
    if ((await remove(summary.id)) && conversationId.value === summary.id) navigate('/');
  }

  if (renaming) return <RenameField summary={summary} onDone={() => setRenaming(false)} />;
  return (
    <div class={`entry ${current ? 'entry-current' : ''}`}>
      <a href={`/c/${summary.id}`} aria-current={current ? 'page' : undefined} onClick={open}>
        <span class="entry-title">{title}</span>
        {hit?.node && (
          <span class="entry-snippet">
            {hit.snippet.map((part, i) => (part.match ? <mark key={i}>{part.text}</mark> : part.text))}
          </span>
        )}
      </a>
      {summary.running && <span class="running" role="img" aria-label={t('answering')} />}
      <Menu
        label={t('conversationActions', { title })}
        items={[
          { icon: 'edit', label: t('rename'), onSelect: () => setRenaming(true) },
          { icon: 'down', label: t('exportMarkdown'), onSelect: () => void save(summary, 'markdown') },
          { icon: 'down', label: t('exportJson'), onSelect: () => void save(summary, 'json') },
          { icon: 'trash', label: t('delete'), danger: true, onSelect: () => setRemoving(true) },
        ]}
      />
      {removing && <Confirm text={t('deleteConfirm', { title })} action={t('delete')} onConfirm={() => void removeIt()} onClose={() => setRemoving(false)} />}
    </div>
  );
}

export function HistoryList() {
  const results = found.value;
  if (results) {
    return (
      <div class="history" role="region" aria-live="polite" aria-label={t('searchHistory')}>
        {results.length === 0 ? <p class="quiet">{t('nothingFound')}</p> : <List all={results} />}
      </div>
    );
  }
  return (
    <nav class="history" aria-label={t('conversations')}>
      {conversations.value.length === 0 && <p class="quiet">{t('noConversations')}</p>}
      {grouped(conversations.value).map(([name, all]) => (
        <section key={name}>
          <h2>{name}</h2>
          <List all={all} />
        </section>
      ))}
      {moreConversations.value && (
        <button type="button" class="link-button" onClick={() => void loadMore()}>
          {t('showMore')}
        </button>
      )}
    </nav>
  );
}

function List({ all }: { all: readonly Summary[] }) {
  return (
    <ul>
      {all.map((summary) => (
        <li key={summary.id}>
          <Entry summary={summary} />
        </li>
      ))}
    </ul>
  );
}
