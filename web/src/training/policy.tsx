// What is watched of reinforcement learning: rewards, lengths, entropy, times, and the best and worst answers of a step.
import { formatNumber, t } from '../i18n';
import { Chart, type Line } from '../ui/chart';
import { Tile } from '../ui/tile';
import { type Entry, metric, metricNames, type Rollout, type RolloutPair } from './run';

const COLOURS = ['--chart-1', '--chart-2', '--chart-faint'] as const;
const percent = (value: number | undefined) => (value === undefined ? '–' : `${(100 * value).toFixed(1)}%`);
const plain = (value: number | undefined) => (value === undefined ? '–' : formatNumber(Number(value.toPrecision(4))));

/** "pass@16" of a run with groups of 16. */
function passOfGroup(all: readonly Entry[], prefix: string): string | undefined {
  return metricNames(all).find((name) => name.startsWith(`${prefix}pass@`) && name !== `${prefix}pass@1`);
}

export function PolicyTiles({ all }: { all: readonly Entry[] }) {
  const last = (name: string) => all.map((entry) => metric(entry, name)).findLast((value) => value !== undefined);
  return (
    <dl class="tiles">
      <Tile label={t('trainReward')} value={plain(last('reward'))} />
      <Tile label={t('trainPass')} value={percent(last('pass@1'))} />
      <Tile label={t('trainPassHeldOut')} value={percent(last('eval_pass@1'))} />
      <Tile label={t('trainAnswerTokens')} value={plain(last('completions/mean_length'))} />
      <Tile label={t('trainEntropy')} value={plain(last('entropy'))} />
      <Tile label={t('trainFlatGroups')} value={percent(last('frac_reward_zero_std'))} />
      <Tile label={t('trainMismatch')} value={plain(last('mismatch'))} />
      <Tile label={t('trainRolloutSpeed')} value={plain(last('rollout_tokens_per_second'))} />
    </dl>
  );
}

/** Three metrics at most over one axis; evaluations as points. Nothing where no step has any of them. */
function MetricChart({ title, all, names }: { title: string; all: readonly Entry[]; names: readonly (string | undefined)[] }) {
  const known = metricNames(all);
  const shown = names.filter((name): name is string => name !== undefined && known.includes(name)).slice(0, COLOURS.length);
  if (shown.length === 0) return null;
  const axis = [...new Set(all.map((entry) => entry.current_steps))].sort((a, b) => a - b);
  const lines = shown.map((name, i): Line => ({ label: name, colour: COLOURS[i] ?? '--chart-faint', points: name.startsWith('eval_') }));
  const data = shown.map((name) => {
    const values = new Map<number, number>();
    for (const entry of all) {
      const value = metric(entry, name);
      if (value !== undefined) values.set(entry.current_steps, value);
    }
    return axis.map((step) => values.get(step)); // undefined: the line goes on over it
  });
  return <Chart key={shown.join()} title={title} lines={lines} data={[axis, ...data] as [number[], ...(number | undefined)[][]]} steps={t('trainStep')} />;
}

export function PolicyCharts({ all }: { all: readonly Entry[] }) {
  const single = metricNames(all).filter((name) => name.startsWith('rewards/') && name.endsWith('/mean'));
  const chart = (title: string, ...names: (string | undefined)[]) => <MetricChart title={title} all={all} names={names} />;
  return (
    <div class="charts">
      {chart(t('trainReward'), 'reward', 'eval_reward', 'reward_std')}
      {chart(t('trainPass'), 'pass@1', 'eval_pass@1', passOfGroup(all, ''))}
      {single.map((name) => chart(name.slice('rewards/'.length, -'/mean'.length), name, `eval_${name}`))}
      {chart(t('trainAnswerTokens'), 'completions/mean_length', 'eval_completions/mean_length', 'completions/max_length')}
      {chart(t('trainCut'), 'completions/clipped_ratio')}
      {chart(t('trainEntropy'), 'entropy', 'eval_entropy')}
      {chart(t('trainFlatGroups'), 'frac_reward_zero_std')}
      {chart(t('trainDivergence'), 'kl')}
      {chart(t('trainClipped'), 'clipped_low', 'clipped_high')}
      {chart(t('trainTimes'), 'time/rollout', 'time/train', 'time/reward')}
      {chart(t('trainNorm'), 'grad_norm')}
    </div>
  );
}

function Answer({ title, own }: { title: string; own: Rollout }) {
  const parts = Object.entries(own.rewards).map(([name, value]) => `${name} ${value ?? '–'}`);
  return (
    <div>
      <h3>{`${title}: ${own.reward ?? '–'}`}</h3>
      <p class="page-hint">{`${parts.join(', ')}; ${t('trainTokens', { n: own.tokens })}${own.finished ? '' : `, ${t('trainCutOff')}`}`}</p>
      <pre>{own.output}</pre>
    </div>
  );
}

export function Rollouts({ pairs }: { pairs: readonly RolloutPair[] }) {
  return (
    <>
      <h2>{t('trainRollouts')}</h2>
      {pairs.toReversed().map((pair) => (
        <section key={pair.step} class="run-rollouts">
          <p>{`${t('trainStep')} ${formatNumber(pair.step)} · ${pair.question} · ${t('trainExpected')}: ${pair.expected}`}</p>
          <div>
            <Answer title={t('trainBest')} own={pair.best} />
            <Answer title={t('trainWorst')} own={pair.worst} />
          </div>
        </section>
      ))}
    </>
  );
}
