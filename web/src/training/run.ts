// A run's files as the server gives them (docs/training.md, "The live page"), asked for again and again.
import { signal } from '@preact/signals';

/** run.json: what the run is. */
export interface Run {
  title: string;
  stage: string;
  tuning: string;
  base: string | null;
  parameters: number;
  trained_parameters: number;
  samples?: number; // of reinforcement learning: questions
  tokens?: number;
  questions?: number;
  total_steps: number;
  memory_bytes: number;
  began: number; // seconds since 1970
  state: 'running' | 'finished' | 'interrupted' | 'stopped early' | 'failed';
}

/** A line of trainer_log.jsonl; of an evaluation, which has no loss, where there is an eval_loss. */
export interface Entry {
  current_steps: number;
  total_steps: number;
  loss?: number | null;
  eval_loss?: number | null;
  lr?: number | null;
  grad_norm?: number | null;
  throughput?: number | null;
  epoch: number | null;
  percentage: number;
  elapsed_time: string;
  remaining_time: string;
  total_tokens: number;
}

/** A number of an entry by its name in the log ("rewards/format/mean"). */
export function metric(entry: Entry, name: string): number | undefined {
  const value = (entry as unknown as Record<string, unknown>)[name];
  return typeof value === 'number' ? value : undefined;
}

/** The names that any entry has. */
export function metricNames(all: readonly Entry[]): string[] {
  return [...new Set(all.flatMap((entry) => Object.keys(entry)))];
}

export interface Rollout {
  output: string;
  reward: number | null; // null: it could not be judged
  rewards: Record<string, number | null>;
  tokens: number;
  finished: boolean;
}

/** A line of rollouts.jsonl: two sampled answers to a question of a step. */
export interface RolloutPair {
  step: number;
  question: string;
  expected: string;
  best: Rollout;
  worst: Rollout;
}

/** A line of samples.jsonl: what the model said to a prompt after so many steps. */
export interface SampleAnswer {
  step: number;
  prompt: string;
  expected: string;
  answer: string;
}

interface Answer {
  run: Run | null;
  entries: Entry[];
  next: number; // where the next request's `from` begins
  more: boolean; // there is more already
  samples: SampleAnswer[];
  rollouts: RolloutPair[];
  age_seconds: number | null; // since the log last grew
}

const PAUSE_MS = 2000;

export const run = signal<Run | null>(null);
export const entries = signal<readonly Entry[]>([]);
export const samples = signal<readonly SampleAnswer[]>([]);
export const rollouts = signal<readonly RolloutPair[]>([]);
export const ageSeconds = signal<number | null>(null);
export const connected = signal(true);

/** Whether an answer belongs to another run, or to a log that was cut back, than what is there already. */
export function beganAnew(known: Run | null, from: number, answer: { run: Run | null; next: number }): boolean {
  return from > 0 && (answer.next < from || known?.began !== answer.run?.began);
}

/** Asks until the signal says stop. */
export async function follow(stop: AbortSignal): Promise<void> {
  let from = 0;
  while (!stop.aborted) {
    let more = false;
    try {
      const response = await fetch(`/api/training?from=${from}`, { signal: stop });
      if (!response.ok) throw new Error(response.statusText);
      const answer = (await response.json()) as Answer;
      connected.value = true;
      if (beganAnew(run.value, from, answer)) {
        from = 0;
        run.value = null;
        entries.value = [];
        continue;
      }
      run.value = answer.run;
      if (answer.entries.length > 0) entries.value = [...entries.value, ...answer.entries];
      samples.value = answer.samples;
      rollouts.value = answer.rollouts;
      ageSeconds.value = answer.age_seconds;
      from = answer.next;
      more = answer.more;
    } catch {
      if (stop.aborted) return;
      connected.value = false;
    }
    if (!more) await new Promise((done) => setTimeout(done, PAUSE_MS));
  }
}

/** The smoothed curve of loss.svg (train/report/loss_plot.cpp): a running mean that is longer for longer runs. */
export function smooth(values: readonly number[]): number[] {
  const weight = 1.8 * (1 / (1 + Math.exp(-0.05 * values.length)) - 0.5);
  const out: number[] = [];
  for (const value of values) out.push((out.at(-1) ?? value) * weight + (1 - weight) * value);
  return out;
}
