// Short messages at the edge of the page, and what only a screen reader hears.
import { signal } from '@preact/signals';
import { RequestError } from '../api/client';
import { t } from '../i18n';

export const notice = signal<string | null>(null);
export const announcement = signal('');

let timer: ReturnType<typeof setTimeout> | undefined;

export function showNotice(text: string): void {
  notice.value = text;
  clearTimeout(timer);
  timer = setTimeout(dismissNotice, 8000);
}

export function dismissNotice(): void {
  notice.value = null;
}

export function announce(text: string): void {
  announcement.value = text;
}

export function errorText(cause: unknown): string {
  if (cause instanceof RequestError) return cause.status === 0 ? t('unreachable') : cause.message;
  return cause instanceof Error ? cause.message : String(cause);
}

/** Runs an action of the user; what goes wrong is shown. Null when it did. */
export async function attempt<T>(action: () => Promise<T>): Promise<T | null> {
  try {
    return await action();
  } catch (cause) {
    showNotice(errorText(cause));
    return null;
  }
}
