import { describe, expect, it } from 'vitest';
import { byCount, interval, percent } from '../src/evaluation/evaluation';

describe('an evaluation', () => {
  it('shows a score with its interval once there is one', () => {
    expect(interval({ state: 'running' })).toBe('–');
    expect(interval({ state: 'running', score: 0.4531, low: 0.4, high: 1 })).toBe('45.3% [40.0, 100.0]');
    expect(percent(undefined)).toBe('–');
  });
  it('lists the most frequent classes first', () => {
    expect(byCount({ wrong: 2, error: 2, right: 7 })).toEqual([['right', 7], ['error', 2], ['wrong', 2]]);
  });
});
