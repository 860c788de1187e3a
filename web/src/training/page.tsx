// One training run: where it stands, its curves, and what the model says by now.
import { useEffect } from 'preact/hooks';
import { formatBytes, formatNumber, formatShort, t } from '../i18n';
import { Chart, type Line } from '../ui/chart';
import { Tile } from '../ui/tile';
import { PolicyCharts, PolicyTiles, Rollouts } from './policy';
import { ageSeconds, connected, entries, type Entry, follow, metric, rollouts, type Run, run, type SampleAnswer, samples, smooth } from './run';

const SILENT_SECONDS = 120; // without a line of the log: said

const short = (value: number | null | undefined) => (value == null ? '–' : Math.abs(value) >= 0.001 && Math.abs(value) < 10000 ? String(Number(value.toPrecision(4))) : value.toExponential(2));

function state(): string {
  if (!connected.value) return t('trainOffline');
  const own = run.value;
  if (!own) return t('trainNoRun');
  switch (own.state) {
    case 'finished': return t('trainFinished');
    case 'interrupted': return t('trainInterrupted');
    case 'stopped early': return t('trainStoppedEarly');
    case 'failed': return t('trainFailed');
    case 'running': {
      const silent = ageSeconds.value;
      return silent !== null && silent > SILENT_SECONDS ? t('trainSilent', { n: Math.round(silent / 60) }) : t('trainRunning');
    }
  }
}

function dataOf(own: Run): string {
  if (own.questions !== undefined) return t('trainQuestions', { n: own.questions });
  return t('trainData', { n: own.samples ?? 0, tokens: formatShort(own.tokens ?? 0) });
}

function Head({ last }: { last: Entry | undefined }) {
  const own = run.value;
  const share = last ? Math.min(100, last.percentage) : 0;
  return (
    <>
      <h1>{own?.title ?? 'r1 train'}</h1>
      <p class="page-hint" aria-live="polite">
        {state()}
        {own && ` · ${own.stage}, ${own.tuning}${own.base ? ` · ${own.base}` : ''} · ${t('trainOf', { trained: formatShort(own.trained_parameters), all: formatShort(own.parameters) })} · ${dataOf(own)}`}
      </p>
      <div class="run-progress" role="progressbar" aria-valuenow={Math.round(share)} aria-valuemin={0} aria-valuemax={100}>
        <div style={{ width: `${share}%` }} />
      </div>
    </>
  );
}

function Tiles({ all }: { all: readonly Entry[] }) {
  const last = all.at(-1);
  const trained = all.findLast((e) => e.loss !== undefined);
  const evaluated = all.findLast((e) => e.eval_loss !== undefined);
  return (
    <dl class="tiles">
      <Tile label={t('trainStep')} value={last ? `${formatNumber(last.current_steps)} / ${formatNumber(last.total_steps)}` : '–'} />
      <Tile label={t('trainLoss')} value={short(trained?.loss)} />
      <Tile label={t('trainEvaluation')} value={short(evaluated?.eval_loss)} />
      <Tile label={t('trainLeft')} value={last?.remaining_time ?? '–'} />
      <Tile label={t('trainRate')} value={short(trained?.lr)} />
      <Tile label={t('trainNorm')} value={short(trained?.grad_norm)} />
      <Tile label={t('trainSpeed')} value={trained?.throughput == null ? '–' : formatNumber(trained.throughput)} />
      <Tile label={t('trainElapsed')} value={last?.elapsed_time ?? '–'} />
    </dl>
  );
}

function Charts({ all }: { all: readonly Entry[] }) {
  const trained = all.filter((e) => typeof e.loss === 'number');
  const steps = trained.map((e) => e.current_steps);
  const losses = trained.map((e) => e.loss as number);
  const column = (read: (e: Entry) => number | null | undefined) => trained.map((e) => read(e) ?? null);
  // Evaluations fall on steps of their own: a second pass over one axis.
  const evaluations = new Map(all.filter((e) => typeof e.eval_loss === 'number').map((e) => [e.current_steps, e.eval_loss as number]));
  const axis = [...new Set([...steps, ...evaluations.keys()])].sort((a, b) => a - b);
  const at = (values: readonly number[]) => {
    const known = new Map(steps.map((step, i) => [step, values[i]]));
    return axis.map((step) => known.get(step)); // undefined: the line goes on over it
  };
  const lossLines: Line[] = [
    { label: t('trainRaw'), colour: '--chart-faint' },
    { label: t('trainSmoothed'), colour: '--chart-1' },
  ];
  const lossData = [axis, at(losses), at(smooth(losses))];
  if (evaluations.size > 0) {
    lossLines.push({ label: t('trainEvaluation'), colour: '--chart-2', points: true });
    lossData.push(axis.map((step) => evaluations.get(step)));
  }
  const one = (label: string, read: (e: Entry) => number | null | undefined) => (
    <Chart title={label} lines={[{ label, colour: '--chart-1' }]} data={[steps, column(read)]} steps={t('trainStep')} />
  );
  return (
    <div class="charts">
      <Chart key={lossLines.length} title={t('trainLoss')} lines={lossLines} data={lossData as [number[], ...(number | null | undefined)[][]]} steps={t('trainStep')} />
      {one(t('trainRate'), (e) => e.lr)}
      {one(t('trainNorm'), (e) => e.grad_norm)}
      {one(t('trainSpeed'), (e) => e.throughput)}
    </div>
  );
}

function Samples() {
  return (
    <>
      <h2>{t('trainSamples')}</h2>
      {samples.value.length === 0 && <p class="page-hint">{t('trainNoSamples')}</p>}
      {samples.value.toReversed().map((own, i) => (
        <Sample key={`${own.step}-${i}`} own={own} />
      ))}
    </>
  );
}

function Sample({ own }: { own: SampleAnswer }) {
  return (
    <dl class="run-sample">
      <dt>{t('trainStep')}</dt>
      <dd>{formatNumber(own.step)}</dd>
      <dt>{t('trainPrompt')}</dt>
      <dd>{own.prompt}</dd>
      <dt>{t('trainAnswer')}</dt>
      <dd>{own.answer}</dd>
      <dt>{t('trainExpected')}</dt>
      <dd>{own.expected}</dd>
    </dl>
  );
}

export function TrainingPage() {
  useEffect(() => {
    const stop = new AbortController();
    void follow(stop.signal);
    return () => stop.abort();
  }, []);
  useEffect(() => {
    const last = entries.value.at(-1);
    document.title = last ? `${Math.round(last.percentage)}% · r1 train` : 'r1 train';
  }, [entries.value]);
  const all = entries.value;
  // The loss of a policy gradient says nothing about progress: rewards take its place.
  const isPolicy = all.some((entry) => metric(entry, 'reward') !== undefined || metric(entry, 'eval_reward') !== undefined);
  return (
    <main class="run">
      <div class="page page-wide">
        <Head last={all.at(-1)} />
        <Tiles all={all} />
        {isPolicy && <PolicyTiles all={all} />}
        {all.length > 0 && (isPolicy ? <PolicyCharts all={all} /> : <Charts all={all} />)}
        {run.value && <p class="page-hint">{t('trainMemory', { memory: formatBytes(run.value.memory_bytes) })}</p>}
        {isPolicy ? <Rollouts pairs={rollouts.value} /> : <Samples />}
      </div>
    </main>
  );
}
