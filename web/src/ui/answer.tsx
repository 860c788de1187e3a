// One answer: its thinking, its text, how it stands, and what can be done with it.
import { useState } from 'preact/hooks';
import type { AnswerNode, Phase, Source } from '../api/types';
import { formatNumber, t } from '../i18n';
import { answer, continueAnswer } from '../state/conversation';
import type { LiveAnswer } from '../state/live_answer';
import { info } from '../state/site';
import type { Place } from '../state/tree';
import { BranchSwitch } from './branch_switch';
import { copyText } from './clipboard';
import { IconButton } from './controls';
import { Icon } from './icons';
import { RichText } from './rich_text';
import { showSources } from './sources_panel';
import { Thinking } from './thinking';

interface AnswerProps {
  node: AnswerNode;
  live: LiveAnswer | undefined;
  place: Place;
  eager: boolean;
}

function phaseText(phase: Phase | null): string {
  switch (phase?.name) {
    case 'queued':
      return phase.position === 1 ? t('queuedNext') : t('queued', { n: phase.position });
    case 'searching':
      return t('searching', { query: phase.query });
    case 'loading':
      return t('loading');
    case 'prefill':
      return t('prefill', { done: phase.done, total: phase.total }) + (phase.cached > 0 ? ` · ${t('prefillCached', { n: phase.cached })}` : '');
    case undefined:
      return t('starting');
    default:
      return '';
  }
}

function Progress({ live }: { live: LiveAnswer }) {
  const phase = live.phase.value;
  const text = phaseText(phase);
  const measured = phase?.name === 'prefill' || phase?.name === 'loading' ? phase : null;
  if (!live.connected.value) return <p class="progress progress-lost">{t('reconnecting')}</p>;
  if (text === '') return null;
  return (
    <div class="progress">
      <span class="dots" aria-hidden="true" />
      <span>{text}</span>
      {measured && <progress value={measured.done} max={measured.total} aria-label={text} />}
    </div>
  );
}

/** How many tokens the model's context holds, if the answer ended because they are used up: it cannot go on. */
function fullContext(node: AnswerNode): number | null {
  const size = info.value?.models.find((m) => m.name === node.model)?.context ?? 0;
  if (node.state !== 'length' || !node.usage || size === 0) return null;
  return node.usage.prompt_tokens + node.usage.completion_tokens >= size - 1 ? size : null;
}

function Ending({ node }: { node: AnswerNode }) {
  if (node.state === 'running' || node.state === 'done') return null;
  const full = fullContext(node);
  if (full !== null) return <p class="ending">{t('contextUsedUp', { n: full })}</p>;
  const text = node.state === 'stopped' ? t('stopped') : node.state === 'length' ? t('lengthReached') : t('failed', { message: node.error?.message ?? '' });
  return (
    <p class={`ending ${node.state === 'failed' ? 'ending-failed' : ''}`} role={node.state === 'failed' ? 'alert' : undefined}>
      <span>{text}</span>
      <button type="button" class="button button-small" onClick={() => void continueAnswer(node.id)}>
        <Icon name="resume" />
        {t('continue')}
      </button>
    </p>
  );
}

function Facts({ node, live }: { node: AnswerNode; live: LiveAnswer | undefined }) {
  const rate = live?.rate.value;
  if (rate) return <span class="facts">{t('tokensPerSecond', { n: rate.tokens_per_second })}</span>;
  if (!node.usage || !node.timing) return null;
  const facts = [t('answerFacts', { n: node.usage.completion_tokens }), t('tokensPerSecond', { n: node.timing.tokens_per_second })];
  return (
    <span class="facts" title={`${node.model} · ${formatNumber(node.usage.prompt_tokens)} + ${formatNumber(node.usage.completion_tokens)}`}>
      {facts.join(' · ')}
    </span>
  );
}

function CopyButton({ text }: { text: string }) {
  const [done, setDone] = useState(false);
  async function copy() {
    await copyText(text);
    setDone(true);
    setTimeout(() => setDone(false), 1500);
  }
  return <IconButton icon={done ? 'check' : 'copy'} label={done ? t('copied') : t('copy')} onClick={() => void copy()} />;
}

export function Answer({ node, live, place, eager }: AnswerProps) {
  const text = live ? live.content.value : node.content;
  const sources: Source[] = live ? live.sources.value : node.sources;
  return (
    <article class="answer" id={`n-${node.id}`}>
      <h2 class="visually-hidden">{t('answer')}</h2>
      {sources.length > 0 && (
        <button type="button" class="sources-button" onClick={() => showSources(node.id, null)}>
          <Icon name="quote" />
          {t('sourcesCount', { n: sources.length })}
        </button>
      )}
      <Thinking node={node} live={live} eager={eager} />
      {text !== '' && <RichText text={text} open={live !== undefined} eager={eager} sources={sources} onCite={(number) => showSources(node.id, number)} />}
      {live ? <Progress live={live} /> : <Ending node={node} />}
      <footer class="answer-foot">
        {!live && (
          <>
            <BranchSwitch place={place} />
            {text !== '' && <CopyButton text={text} />}
            <IconButton icon="again" label={t('regenerate')} onClick={() => node.parent && void answer(node.parent)} />
          </>
        )}
        <Facts node={node} live={live} />
      </footer>
    </article>
  );
}
