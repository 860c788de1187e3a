// What the model thought: open while it thinks, folded when the answer begins, unless the reader chose otherwise.
import { useId, useState } from 'preact/hooks';
import type { AnswerNode } from '../api/types';
import { formatDuration, t } from '../i18n';
import { answerNow } from '../state/conversation';
import type { LiveAnswer } from '../state/live_answer';
import { Icon } from './icons';
import { RichText } from './rich_text';

interface ThinkingProps {
  node: AnswerNode;
  live: LiveAnswer | undefined;
  eager: boolean;
}

function heading(node: AnswerNode, thinkingNow: boolean, answered: boolean, ms: number): string {
  if (thinkingNow) return t('thinking');
  const time = formatDuration(ms);
  return node.state !== 'running' && !answered ? t('thoughtStopped', { time }) : t('thoughtFor', { time });
}

export function Thinking({ node, live, eager }: ThinkingProps) {
  const [chosen, setChosen] = useState<boolean | null>(null);
  const id = useId();
  const reasoning = live ? live.reasoning.value : node.reasoning;
  const answered = (live ? live.content.value : node.content) !== '';
  const thinkingNow = live?.phase.value?.name === 'thinking';
  if (reasoning === '' && !thinkingNow) return null;
  const open = chosen ?? !answered;
  return (
    <section class={`thinking ${thinkingNow ? 'thinking-now' : ''}`}>
      <div class="thinking-head">
        <button type="button" class="thinking-toggle" aria-expanded={open} aria-controls={id} onClick={() => setChosen(!open)}>
          <Icon name="think" />
          <span>{heading(node, thinkingNow, answered, live ? live.thinkingMs.value : (node.thinking_ms ?? 0))}</span>
          {thinkingNow && <span class="thinking-clock">{formatDuration(live?.thinkingMs.value ?? 0)}</span>}
          <Icon name="chevron" />
        </button>
        {thinkingNow && (
          <button type="button" class="link-button" onClick={() => void answerNow(node.id)}>
            {t('answerNow')}
          </button>
        )}
      </div>
      {open && (
        <div id={id} class="thoughts" role="region" aria-label={t('thoughts')}>
          <RichText text={reasoning} open={thinkingNow} eager={eager} sources={[]} onCite={null} />
        </div>
      )}
    </section>
  );
}
