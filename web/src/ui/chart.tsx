// A time series chart in the page's colours.
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import { language } from '../i18n';
import { theme } from '../state/site';

export interface Line {
  label: string;
  colour: '--chart-1' | '--chart-2';
  dashed?: boolean;
}

interface ChartProps {
  title: string;
  lines: readonly Line[];
  data: uPlot.AlignedData; // seconds, then one array a line
}

const HEIGHT = 170;

function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function build(holder: HTMLElement, lines: readonly Line[], data: uPlot.AlignedData): uPlot {
  const axis = { stroke: colour('--ink-3'), grid: { stroke: colour('--rule'), width: 1 }, ticks: { show: false }, font: '11px system-ui, sans-serif' };
  return new uPlot(
    {
      width: holder.clientWidth,
      height: HEIGHT,
      cursor: { drag: { x: false, y: false } },
      legend: { live: true },
      scales: { y: { range: (_, __, max) => [0, Math.max(1, max * 1.1)] } },
      axes: [
        { ...axis, space: 70, size: 26, values: (_, times) => times.map((time) => new Date(time * 1000).toLocaleTimeString(language.value, { hour: '2-digit', minute: '2-digit', hour12: false })) },
        { ...axis, size: 52, values: (_, values) => values.map((value) => value.toLocaleString('en', { notation: 'compact' })) },
      ],
      series: [
        {},
        ...lines.map((line): uPlot.Series => ({
          label: line.label, stroke: colour(line.colour), width: 1.5, points: { show: false }, ...(line.dashed ? { dash: [4, 3] } : {}),
          value: (_, value) => (value === null ? '–' : value.toLocaleString(language.value, { maximumFractionDigits: 0 })),
        })),
      ],
    },
    data,
    holder,
  );
}

export function Chart({ title, lines, data }: ChartProps) {
  const holder = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | null>(null);
  useEffect(() => {
    const element = holder.current;
    if (!element) return;
    chart.current = build(element, lines, data);
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
