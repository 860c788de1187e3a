import { afterEach, describe, expect, it } from 'vitest';
import { formatBytes, formatDuration, formatShort, language, t } from '../src/i18n';
import { en } from '../src/i18n/en';
import { zh } from '../src/i18n/zh';

afterEach(() => {
  language.value = 'en';
});

const placeholders = (entry: unknown) => [...JSON.stringify(entry).matchAll(/\{(\w+)\}/g)].map((m) => m[1]).sort();

describe('words', () => {
  it('have the same values to fill in, in both languages', () => {
    for (const key of Object.keys(en) as (keyof typeof en)[]) {
      expect(new Set(placeholders(zh[key])), key).toEqual(new Set(placeholders(en[key])));
    }
  });
  it('are filled in', () => {
    expect(t('thoughtFor', { time: t('seconds', { n: 1 }) })).toBe('Thought for 1 second');
    expect(t('rename')).toBe('Rename');
    language.value = 'zh';
    expect(t('seconds', { n: 12 })).toBe('12 秒');
  });
});

describe('quantities', () => {
  it('are short and honest', () => {
    expect(formatShort(999)).toBe('999');
    expect(formatShort(1234)).toBe('1.2k');
    expect(formatBytes(1536)).toBe('1.5 KiB');
    expect(formatDuration(0)).toBe('0 seconds');
    expect(formatDuration(200)).toBe('1 second');
    expect(formatDuration(61_000)).toBe('1 min 1 s');
  });
});
