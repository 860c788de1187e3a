import { formatNumber, formatShort, t } from '../i18n';
import { contextUse } from '../state/context_use';

const RADIUS = 7;
const ROUND = 2 * Math.PI * RADIUS;

export function ContextMeter() {
  const use = contextUse.value;
  if (!use) return <span class="meter" />;
  const { tokens, draft_tokens, size } = use;
  const share = Math.min(1, tokens / size);
  const over = tokens > size;
  const words = [t('contextMeter', { used: formatNumber(tokens), size: formatNumber(size) })];
  if (draft_tokens > 0) words.push(t('contextDraft', { n: draft_tokens }));
  if (over) words.push(t('contextFull'));
  const label = words.join('. ');
  return (
    <span class={`meter ${over ? 'meter-over' : share > 0.8 ? 'meter-high' : ''}`} role="meter" aria-valuemin={0} aria-valuemax={size} aria-valuenow={Math.min(tokens, size)} aria-label={label} title={label}>
      <svg viewBox="0 0 20 20" aria-hidden="true">
        <circle cx="10" cy="10" r={RADIUS} />
        <circle class="meter-used" cx="10" cy="10" r={RADIUS} stroke-dasharray={`${share * ROUND} ${ROUND}`} />
      </svg>
      <span class="meter-text">
        {formatShort(tokens)} / {formatShort(size)}
      </span>
    </span>
  );
}
