// What the engine does right now, second by second.
import { useEffect, useState } from 'preact/hooks';
import { followEvents } from '../api/event_stream';
import type { MetricsEvent, Sample } from '../api/types';
import { formatBytes, formatNumber, formatShort, t } from '../i18n';
import { errorText, showNotice } from '../state/notices';
import { Chart } from './chart';
import { Tile } from './tile';

const KEPT_SAMPLES = 300;

function useSamples(): { samples: Sample[]; connected: boolean } {
  const [samples, setSamples] = useState<Sample[]>([]);
  const [connected, setConnected] = useState(true);
  useEffect(() => {
    const abort = new AbortController();
    void followEvents(
      '/api/site/metrics/events',
      {
        onEvent: (message) => {
          const { event, data } = { event: message.event, data: JSON.parse(message.data) as unknown } as MetricsEvent;
          if (event === 'history') setSamples(data.samples);
          if (event === 'sample') setSamples((all) => [...all.slice(1 - KEPT_SAMPLES), data]);
          return false;
        },
        onRefused: (cause) => showNotice(errorText(cause)),
        onConnection: setConnected,
      },
      abort.signal,
    );
    return () => abort.abort();
  }, []);
  return { samples, connected };
}

const ms = (value: number | undefined) => (value === undefined ? '–' : value < 1000 ? `${Math.round(value)} ms` : `${(value / 1000).toFixed(1)} s`);

function Tiles({ now }: { now: Sample }) {
  return (
    <dl class="tiles">
      <Tile label={t('liveRunning')} value={formatNumber(now.running)} />
      <Tile label={t('liveWaiting')} value={formatNumber(now.waiting)} />
      <Tile label={t('liveOutput')} value={formatNumber(now.output_tokens_per_second)} />
      <Tile label={t('livePrompt')} value={formatNumber(now.prompt_tokens_per_second)} />
      <Tile label={t('liveFirstToken')} value={ms(now.ttft_ms?.p50)} />
      <Tile label={t('liveGap')} value={ms(now.itl_ms?.p50)} />
      <Tile label={t('liveCache')} value={`${formatShort(now.kv_used)} / ${formatShort(now.kv_size)}`} />
      <Tile label={t('liveHitRate')} value={now.cache_hit_rate === null ? '–' : `${Math.round(now.cache_hit_rate * 100)}%`} />
      <Tile label={t('liveMemory')} value={formatBytes(now.memory_bytes)} />
      <Tile label={t('liveRequests')} value={formatNumber(now.requests)} />
    </dl>
  );
}

export function LivePage() {
  const { samples, connected } = useSamples();
  const now = samples.at(-1);
  const times = samples.map((s) => s.time / 1000);
  const column = (read: (sample: Sample) => number | null | undefined) => samples.map((s) => read(s) ?? null);
  const half = t('livePrefix50');
  const most = t('livePrefix95');
  return (
    <main class="plain-page">
      <div class="page page-wide">
        <p class="page-hint" aria-live="polite">
          {connected ? t('liveHint') : t('liveOffline')}
        </p>
        {now && <Tiles now={now} />}
        <div class="charts">
          <Chart
            title={t('liveThroughput')}
            lines={[{ label: t('liveOutput'), colour: '--chart-1' }, { label: t('livePrompt'), colour: '--chart-2' }]}
            data={[times, column((s) => s.output_tokens_per_second), column((s) => s.prompt_tokens_per_second)]}
          />
          <Chart
            title={t('liveLoad')}
            lines={[{ label: t('liveRunning'), colour: '--chart-1' }, { label: t('liveWaiting'), colour: '--chart-2' }]}
            data={[times, column((s) => s.running), column((s) => s.waiting)]}
          />
          <Chart
            title={t('liveLatency')}
            lines={[
              { label: `${t('liveFirstToken')}, ${half}`, colour: '--chart-1' },
              { label: `${t('liveFirstToken')}, ${most}`, colour: '--chart-1', dashed: true },
              { label: `${t('liveGap')}, ${half}`, colour: '--chart-2' },
              { label: `${t('liveGap')}, ${most}`, colour: '--chart-2', dashed: true },
            ]}
            data={[times, column((s) => s.ttft_ms?.p50), column((s) => s.ttft_ms?.p95), column((s) => s.itl_ms?.p50), column((s) => s.itl_ms?.p95)]}
          />
          <Chart
            title={t('liveKv')}
            lines={[{ label: t('liveUsed'), colour: '--chart-1' }, { label: t('liveSize'), colour: '--chart-2', dashed: true }]}
            data={[times, column((s) => s.kv_used), column((s) => s.kv_size)]}
          />
        </div>
      </div>
    </main>
  );
}
