// An evaluation as the program tells it, asked for again and again.
import { signal } from '@preact/signals';

/** An answer of the model, with its verdict. */
export interface GradedAnswer {
  item: string;
  sample: number;
  question: string;
  answer: string;
  extracted: string;
  class: string;
  score: number;
  tokens: number;
}

/** What there is before the first task: the state alone. Scores are from 0 to 1. */
export interface Evaluation {
  state: 'waiting' | 'running' | 'finished' | 'interrupted';
  title?: string;
  model?: string;
  metric?: string;
  questions?: number;
  samples?: number; // of each question
  done?: number;
  total?: number; // answers
  errors?: number;
  judged?: number;
  to_judge?: number;
  graded?: number;
  score?: number;
  low?: number;
  high?: number; // 95% interval
  elapsed?: number; // seconds
  left?: number | null;
  tokens_per_second?: number;
  points?: [answers: number, score: number, low: number, high: number][];
  classes?: Record<string, number>;
  answers?: GradedAnswer[];
}

const PAUSE_MS = 1000;

export const evaluation = signal<Evaluation | null>(null);
export const connected = signal(true);

/** "45.3%" */
export const percent = (share: number | undefined) => (share === undefined ? '–' : `${(100 * share).toFixed(1)}%`);

/** "45.3% [40.1, 50.2]" */
export function interval(own: Evaluation): string {
  if (own.score === undefined || own.low === undefined || own.high === undefined) return '–';
  return `${percent(own.score)} [${(100 * own.low).toFixed(1)}, ${(100 * own.high).toFixed(1)}]`;
}

/** The names of the classes of answers, the most frequent first. */
export function byCount(classes: Record<string, number>): [name: string, count: number][] {
  return Object.entries(classes).sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0]));
}

/** Asks until the signal says stop. */
export async function follow(stop: AbortSignal): Promise<void> {
  while (!stop.aborted) {
    try {
      const response = await fetch('/api/evaluation', { signal: stop });
      if (!response.ok) throw new Error(response.statusText);
      evaluation.value = (await response.json()) as Evaluation;
      connected.value = true;
    } catch {
      if (stop.aborted) return;
      connected.value = false;
    }
    await new Promise((done) => setTimeout(done, PAUSE_MS));
  }
}
