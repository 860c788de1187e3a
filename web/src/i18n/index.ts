// The interface's language, and words in it.
import { signal } from '@preact/signals';
import { en } from './en';
import { zh } from './zh';

interface Plural {
  one: string;
  other: string;
}
type Key = keyof typeof en;
export type Words = { [K in Key]: (typeof en)[K] extends string ? string : Plural };
export type Language = 'en' | 'zh';
type Values = Record<string, string | number>;

const WORDS: Record<Language, Words> = { en, zh };

export function browserLanguage(): Language {
  return navigator.languages.find((tag) => /^(en|zh)\b/i.test(tag))?.toLowerCase().startsWith('zh') ? 'zh' : 'en';
}

export const language = signal<Language>('en');

/** The words for `key`; numbers are written as the language does, `n` also chooses between one and many. */
export function t(key: Key, values: Values = {}): string {
  const entry: string | Plural = WORDS[language.value][key];
  const words = typeof entry === 'string' ? entry : values.n === 1 ? entry.one : entry.other;
  return words.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = values[name];
    return typeof value === 'number' ? formatNumber(value) : (value ?? '');
  });
}

export function formatNumber(value: number): string {
  const digits = value !== 0 && Math.abs(value) < 100 && !Number.isInteger(value) ? 1 : 0;
  return value.toLocaleString(language.value, { maximumFractionDigits: digits });
}

/** 1234 → 1.2k: for places where the exact number would only be noise. */
export function formatShort(value: number): string {
  return value < 1000 ? String(Math.round(value)) : value.toLocaleString('en', { notation: 'compact', maximumFractionDigits: 1 }).replace('K', 'k');
}

export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024;
  return `${formatNumber(unit === 0 ? value : Math.round(value * 10) / 10)} ${units[unit]}`;
}

export function formatDuration(ms: number): string {
  const seconds = Math.max(ms > 0 ? 1 : 0, Math.round(ms / 1000));
  return seconds < 60 ? t('seconds', { n: seconds }) : t('minutes', { m: Math.floor(seconds / 60), s: seconds % 60 });
}
