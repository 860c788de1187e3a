// One evaluation: the score so far with its interval, what became of the answers, and the last of them.
import { useEffect } from 'preact/hooks';
import { formatDuration, formatNumber, t } from '../i18n';
import { Chart } from '../ui/chart';
import { Tile } from '../ui/tile';
import { byCount, connected, type Evaluation, evaluation, follow, type GradedAnswer, interval, percent } from './evaluation';

function state(own: Evaluation | null): string {
  if (!connected.value) return t('evalOffline');
  switch (own?.state) {
    case 'running': return t('evalRunning');
    case 'finished': return t('evalFinished');
    case 'interrupted': return t('evalInterrupted');
    default: return t('evalWaiting');
  }
}

function Head({ own }: { own: Evaluation | null }) {
  const share = own?.total ? Math.min(100, (100 * (own.done ?? 0)) / own.total) : 0;
  return (
    <>
      <h1>{own?.title ?? 'r1 eval'}</h1>
      <p class="page-hint" aria-live="polite">
        {state(own)}
        {own?.model && ` · ${own.model} · ${t('evalQuestions', { n: own.questions ?? 0, k: own.samples ?? 0 })}`}
      </p>
      <div class="run-progress" role="progressbar" aria-valuenow={Math.round(share)} aria-valuemin={0} aria-valuemax={100}>
        <div style={{ width: `${share}%` }} />
      </div>
    </>
  );
}

function Tiles({ own }: { own: Evaluation }) {
  const seconds = (value: number | null | undefined) => (value == null ? '–' : formatDuration(1000 * value));
  return (
    <dl class="tiles">
      <Tile label={own.metric ?? t('evalScore')} value={interval(own)} />
      <Tile label={t('evalAnswers')} value={`${formatNumber(own.done ?? 0)} / ${formatNumber(own.total ?? 0)}`} />
      <Tile label={t('evalLeft')} value={own.state === 'running' ? seconds(own.left) : '–'} />
      <Tile label={t('evalElapsed')} value={seconds(own.elapsed)} />
      <Tile label={t('evalSpeed')} value={own.tokens_per_second ? formatNumber(Math.round(own.tokens_per_second)) : '–'} />
      <Tile label={t('evalErrors')} value={formatNumber(own.errors ?? 0)} />
      {own.to_judge ? <Tile label={t('evalJudged')} value={`${formatNumber(own.judged ?? 0)} / ${formatNumber(own.to_judge)}`} /> : null}
    </dl>
  );
}

function Curve({ own }: { own: Evaluation }) {
  const points = own.points ?? [];
  if (points.length < 2) return null;
  const column = (index: 0 | 1 | 2 | 3, scale: number) => points.map((point) => scale * point[index]);
  return (
    <div class="charts">
      <Chart
        title={`${own.metric ?? t('evalScore')}, %`}
        lines={[
          { label: t('evalScore'), colour: '--chart-1' },
          { label: t('evalLow'), colour: '--chart-faint' },
          { label: t('evalHigh'), colour: '--chart-faint' },
        ]}
        data={[column(0, 1), column(1, 100), column(2, 100), column(3, 100)]}
        steps={t('evalAnswers')}
      />
    </div>
  );
}

function Classes({ classes }: { classes: Record<string, number> }) {
  const all = byCount(classes);
  const total = all.reduce((sum, [, count]) => sum + count, 0);
  return (
    <table class="evaluation-classes">
      <tbody>
        {all.map(([name, count]) => (
          <tr key={name}>
            <th scope="row">{name}</th>
            <td>{formatNumber(count)}</td>
            <td>{percent(count / total)}</td>
            <td class="evaluation-bar">
              <div class={name === 'right' ? 'is-right' : ''} style={{ width: `${(100 * count) / total}%` }} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Answer({ own }: { own: GradedAnswer }) {
  return (
    <dl class="run-sample">
      <dt>{t('evalQuestion')}</dt>
      <dd>{own.question}</dd>
      <dt>{t('evalAnswer')}</dt>
      <dd>{own.answer}</dd>
      <dt>{t('evalVerdict')}</dt>
      <dd>
        {own.class}
        {own.extracted && `: ${own.extracted}`}
        {` (${own.item}, ${formatNumber(own.sample + 1)}; ${t('evalTokens', { n: own.tokens })})`}
      </dd>
    </dl>
  );
}

export function EvaluationPage() {
  useEffect(() => {
    const stop = new AbortController();
    void follow(stop.signal);
    return () => stop.abort();
  }, []);
  const own = evaluation.value;
  useEffect(() => {
    document.title = own?.total ? `${Math.round((100 * (own.done ?? 0)) / own.total)}% · r1 eval` : 'r1 eval';
  }, [own]);
  return (
    <main class="run">
      <div class="page page-wide">
        <Head own={own} />
        {own?.total !== undefined && (
          <>
            <Tiles own={own} />
            <Curve own={own} />
            {own.classes && Object.keys(own.classes).length > 0 && <Classes classes={own.classes} />}
            <h2>{t('evalLast')}</h2>
            {(own.answers ?? []).length === 0 && <p class="page-hint">{t('evalNoAnswers')}</p>}
            {(own.answers ?? []).toReversed().map((answer) => (
              <Answer key={`${answer.item} ${answer.sample}`} own={answer} />
            ))}
          </>
        )}
      </div>
    </main>
  );
}
