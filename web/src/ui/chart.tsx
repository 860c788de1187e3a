// A chart over time, or over the steps of a run, in the page's colours.
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import { language } from '../i18n';
import { theme } from '../state/site';

export interface Line {
  label: string;
  colour: '--chart-1' | '--chart-2' | '--chart-faint';
  dashed?: boolean;
  points?: boolean; // each value marked, for a few of them far apart
}

interface ChartProps {
  title: string;
  lines: readonly Line[];
  data: uPlot.AlignedData; // seconds (or steps), then one array a line
  steps?: string | undefined; // what counts along the axis, if not seconds; then values may lie anywhere
}

const HEIGHT = 170;

function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

const figures = (value: number) => (value !== 0 && Math.abs(value) < 0.001 ? String(Number(value.toPrecision(3))) : value.toLocaleString(language.value, { maximumSignificantDigits: 4 }));

function build(holder: HTMLElement, lines: readonly Line[], data: uPlot.AlignedData, steps: string | undefined): uPlot {
  const axis = { stroke: colour('--ink-3'), grid: { stroke: colour('--rule'), width: 1 }, ticks: { show: false }, font: '11px system-ui, sans-serif' };
  return new uPlot(
    {
      width: holder.clientWidth,
      height: HEIGHT,
      cursor: { drag: { x: false, y: false } },
      legend: { live: true },
      scales: steps ? { x: { time: false } } : { y: { range: (_, __, max) => [0, Math.max(1, max * 1.1)] } },
      axes: [
        steps
          ? { ...axis, space: 70, size: 26 }
          : { ...axis, space: 70, size: 26, values: (_, times) => times.map((time) => new Date(time * 1000).toLocaleTimeString(language.value, { hour: '2-digit', minute: '2-digit', hour12: false })) },
        { ...axis, size: steps ? 64 : 52, values: (_, values) => values.map((value) => (steps ? figures(value) : value.toLocaleString('en', { notation: 'compact' }))) },
      ],
      series: [
        steps ? { label: steps } : {},
        ...lines.map((line): uPlot.Series => ({
          label: line.label, stroke: colour(line.colour), width: 1.5, points: { show: line.points ?? false },
          ...(line.dashed ? { dash: [4, 3] } : {}),
          value: (_, value) => (value == null ? '–' : steps ? figures(value) : value.toLocaleString(language.value, { maximumFractionDigits: 0 })),
        })),
      ],
    },
    data,
    holder,
  );
}

export function Chart({ title, lines, data, steps }: ChartProps) {
  const holder = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | null>(null);
  useEffect(() => {
    const element = holder.current;
    if (!element) return;
    chart.current = build(element, lines, data, steps);
    const resized = new ResizeObserver(() => chart.current?.setSize({ width: element.clientWidth, height: HEIGHT }));
    resized.observe(element);
    return () => {
      resized.disconnect();
      chart.current?.destroy();
    };
  }, [theme.value, language.value]);
  useEffect(() => chart.current?.setData(data), [data]);
  return (
    <figure class="chart">
      <figcaption>{title}</figcaption>
      <div ref={holder} />
    </figure>
  );
}
