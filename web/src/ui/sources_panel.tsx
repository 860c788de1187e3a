// The sources of an answer, beside the conversation.
import { signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { Source } from '../api/types';
import { t } from '../i18n';
import { liveAnswers, tree } from '../state/conversation';
import { IconButton } from './controls';
import { showDocument } from './file_dialog';

interface Shown {
  answer: string;
  number: number | null; // the one to point at
}

export const shownSources = signal<Shown | null>(null);

export function showSources(answer: string, number: number | null): void {
  shownSources.value = { answer, number };
}

export function hideSources(): void {
  shownSources.value = null;
}

function sourcesOf(answer: string): readonly Source[] {
  const live = liveAnswers.value.get(answer);
  if (live) return live.sources.value;
  const node = tree.value.nodes.get(answer);
  return node?.role === 'assistant' ? node.sources : [];
}

/** http and https only, whatever a server may send. */
function safeUrl(url: string | null): string | null {
  return url !== null && /^https?:\/\//i.test(url) ? url : null;
}

export function SourceItem({ source, pointed }: { source: Source; pointed: boolean }) {
  const item = useRef<HTMLLIElement>(null);
  useEffect(() => {
    if (pointed) item.current?.scrollIntoView({ block: 'nearest' });
  }, [pointed]);
  const url = safeUrl(source.url);
  const document = source.document;
  return (
    <li ref={item} class={`source ${pointed ? 'source-pointed' : ''}`} aria-current={pointed ? 'true' : undefined}>
      <span class="source-number">{source.number}</span>
      <div>
        <p class="source-site">{[source.site, source.date].filter(Boolean).join(' · ')}</p>
        <p class="source-title">
          {url ? (
            <a href={url} target="_blank" rel="noopener noreferrer nofollow">
              {source.title}
            </a>
          ) : (
            source.title
          )}
        </p>
        <p class="source-snippet">{source.snippet}</p>
        {document && (
          <button type="button" class="link-button" onClick={() => void showDocument(document)}>
            {t('showText')}
          </button>
        )}
      </div>
    </li>
  );
}

export function SourcesPanel() {
  const shown = shownSources.value;
  const sources = shown ? sourcesOf(shown.answer) : [];
  const panel = useRef<HTMLElement>(null);
  useEffect(() => {
    if (shown) panel.current?.focus({ preventScroll: true });
  }, [shown]);
  if (!shown || sources.length === 0) return null;
  return (
    <aside ref={panel} class="sources" aria-label={t('sources')} tabindex={-1} onKeyDown={(event) => event.key === 'Escape' && (event.stopPropagation(), hideSources())}>
      <header>
        <h2>{t('sources')}</h2>
        <IconButton icon="close" label={t('close')} onClick={hideSources} />
      </header>
      <ol>
        {sources.map((source) => (
          <SourceItem key={source.number} source={source} pointed={source.number === shown.number} />
        ))}
      </ol>
    </aside>
  );
}
