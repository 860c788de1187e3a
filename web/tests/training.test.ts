import { describe, expect, it } from 'vitest';
import { beganAnew, type Run, smooth } from '../src/training/run';

const run = (began: number) => ({ began }) as Run;

describe('a training run', () => {
  it('goes on as long as its log grows', () => {
    expect(beganAnew(null, 0, { run: run(5), next: 100 })).toBe(false);
    expect(beganAnew(run(5), 100, { run: run(5), next: 100 })).toBe(false);
  });
  it('began anew when it has another beginning, or a shorter log', () => {
    expect(beganAnew(run(5), 100, { run: run(6), next: 120 })).toBe(true);
    expect(beganAnew(run(5), 100, { run: run(5), next: 80 })).toBe(true);
  });
  it('is smoothed as in loss.svg', () => {
    expect(smooth([])).toEqual([]);
    const weight = 1.8 * (1 / (1 + Math.exp(-0.1)) - 0.5);
    expect(smooth([2, 1])).toEqual([2, 2 * weight + (1 - weight)]);
  });
});
