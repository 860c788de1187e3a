// The list of conversations, and the search through all of them.
import { signal } from '@preact/signals';
import { api } from '../api/client';
import type { FoundSummary, Summary } from '../api/types';
import { attempt } from './notices';

const RUNNING_POLL_MS = 4000; // answers of other conversations end unseen
const SEARCH_DELAY_MS = 200;

export const conversations = signal<Summary[]>([]);
export const moreConversations = signal<string | null>(null); // cursor
export const query = signal('');
export const found = signal<FoundSummary[] | null>(null); // null: no search

let pollTimer: ReturnType<typeof setTimeout> | undefined;
let searchTimer: ReturnType<typeof setTimeout> | undefined;

export async function refreshHistory(): Promise<void> {
  const page = await attempt(() => api.conversations(null));
  if (!page) return;
  const oldest = page.conversations.at(-1)?.updated ?? 0;
  const older = page.next === null ? [] : conversations.value.filter((c) => c.updated < oldest); // shown on request before
  conversations.value = [...page.conversations, ...older];
  if (older.length === 0) moreConversations.value = page.next;
  clearTimeout(pollTimer);
  if (page.conversations.some((c) => c.running)) pollTimer = setTimeout(() => void refreshHistory(), RUNNING_POLL_MS);
}

export async function loadMore(): Promise<void> {
  const page = await attempt(() => api.conversations(moreConversations.value));
  if (!page) return;
  const known = new Set(conversations.value.map((c) => c.id));
  conversations.value = [...conversations.value, ...page.conversations.filter((c) => !known.has(c.id))];
  moreConversations.value = page.next;
}

export function search(text: string): void {
  query.value = text;
  clearTimeout(searchTimer);
  if (text.trim() === '') {
    found.value = null;
    return;
  }
  searchTimer = setTimeout(async () => {
    const result = await attempt(() => api.findConversations(text));
    if (result && query.value === text) found.value = result.conversations;
  }, SEARCH_DELAY_MS);
}

/** Puts a changed summary in its place: `toTop` after something was said in it. */
export function noteSummary(summary: Summary, toTop: boolean): void {
  const others = conversations.value.filter((c) => c.id !== summary.id);
  conversations.value = toTop ? [summary, ...others] : conversations.value.map((c) => (c.id === summary.id ? summary : c));
}

export function noteRunning(id: string, running: string | null): void {
  conversations.value = conversations.value.map((c) => (c.id === id ? { ...c, running } : c));
}

export async function rename(id: string, title: string): Promise<Summary | null> {
  const summary = await attempt(() => api.changeConversation(id, { title }));
  if (summary) {
    noteSummary(summary, false);
    found.value = found.value?.map((c) => (c.id === id ? { ...c, title } : c)) ?? null;
  }
  return summary;
}

export async function remove(id: string): Promise<boolean> {
  const removed = await attempt(async () => {
    await api.deleteConversation(id);
    return true;
  });
  if (!removed) return false;
  conversations.value = conversations.value.filter((c) => c.id !== id);
  found.value = found.value?.filter((c) => c.id !== id) ?? null;
  return true;
}
