// The folders and pages that Search looks through.
import { signal } from '@preact/signals';
import { useEffect, useState } from 'preact/hooks';
import { api } from '../api/client';
import type { IndexEntry, Source } from '../api/types';
import { formatBytes, t } from '../i18n';
import { attempt } from '../state/notices';
import { info, settings } from '../state/site';
import { IconButton } from './controls';
import { Icon } from './icons';
import { SourceItem } from './sources_panel';

const POLL_MS = 1000; // while something is being read

const entries = signal<IndexEntry[]>([]);

async function refresh(): Promise<void> {
  const index = await attempt(api.index);
  if (index) entries.value = index.entries;
}

async function change(action: () => Promise<unknown>): Promise<void> {
  await attempt(action);
  await refresh();
}

function stateText(entry: IndexEntry): string {
  if (entry.state === 'failed') return entry.error ?? '';
  if (entry.state === 'indexing') return t('libraryIndexing', { done: entry.progress?.done ?? 0, total: entry.progress?.total ?? 0 });
  return `${t('libraryDocuments', { n: entry.documents })} · ${formatBytes(entry.bytes)}`;
}

function Entry({ entry, mayChange }: { entry: IndexEntry; mayChange: boolean }) {
  return (
    <li class={`library-entry library-${entry.state}`}>
      <Icon name={entry.kind === 'folder' ? 'book' : 'file'} />
      <div>
        <p class="library-location">{entry.location}</p>
        <p class="quiet">{stateText(entry)}</p>
        {entry.progress && <progress value={entry.progress.done} max={entry.progress.total} aria-label={stateText(entry)} />}
      </div>
      {mayChange && (
        <>
          <IconButton icon="again" label={t('libraryRefresh')} disabled={entry.state === 'indexing'} onClick={() => void change(() => api.refreshIndex(entry.id))} />
          <IconButton icon="trash" label={t('libraryRemove')} onClick={() => void change(() => api.removeFromIndex(entry.id))} />
        </>
      )}
    </li>
  );
}

function AddForm() {
  const [location, setLocation] = useState('');
  return (
    <form
      class="line-form"
      onSubmit={(event) => {
        event.preventDefault();
        const wanted = location.trim();
        if (wanted === '') return;
        setLocation('');
        void change(() => api.addToIndex(wanted));
      }}
    >
      <input aria-label={t('libraryLocation')} placeholder={t('libraryLocation')} value={location} onInput={(event) => setLocation(event.currentTarget.value)} />
      <button type="submit" class="button">
        {t('libraryAdd')}
      </button>
    </form>
  );
}

function TrySearch() {
  const [query, setQuery] = useState('');
  const [found, setFound] = useState<Source[] | null>(null);
  async function run() {
    const result = await attempt(() => api.search(query, settings.value.search_provider));
    if (result) setFound(result.sources);
  }
  return (
    <section>
      <h2>{t('libraryTry')}</h2>
      <form
        class="line-form"
        onSubmit={(event) => {
          event.preventDefault();
          if (query.trim() !== '') void run();
        }}
      >
        <input type="search" aria-label={t('libraryTry')} value={query} onInput={(event) => setQuery(event.currentTarget.value)} />
        <button type="submit" class="button">
          {t('search')}
        </button>
      </form>
      {found && (found.length === 0 ? <p class="quiet">{t('nothingFound')}</p> : <ol class="found">{found.map((source) => <SourceItem key={source.number} source={source} pointed={false} />)}</ol>)}
    </section>
  );
}

export function LibraryPage() {
  const mayChange = info.value?.index.may_change ?? false;
  const busy = entries.value.some((entry) => entry.state === 'indexing');
  useEffect(() => void refresh(), []);
  useEffect(() => {
    if (!busy) return;
    const timer = setInterval(() => void refresh(), POLL_MS);
    return () => clearInterval(timer);
  }, [busy]);
  return (
    <main class="plain-page">
      <div class="page">
        <p class="page-hint">{t('libraryHint')}</p>
        {mayChange ? <AddForm /> : <p class="quiet">{t('libraryReadOnly')}</p>}
        {entries.value.length === 0 ? (
          <p class="quiet">{t('libraryEmpty')}</p>
        ) : (
          <ul class="library">
            {entries.value.map((entry) => (
              <Entry key={entry.id} entry={entry} mayChange={mayChange} />
            ))}
          </ul>
        )}
        <TrySearch />
      </div>
    </main>
  );
}
