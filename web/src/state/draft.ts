// What is being written but not yet asked: text and files, kept for each conversation while the page is open;
// the text also over a reload.
import { signal } from '@preact/signals';
import { api } from '../api/client';
import type { UploadedFile } from '../api/types';
import { formatBytes, t } from '../i18n';
import { errorText, showNotice } from './notices';
import { info } from './site';

export interface DraftFile {
  key: number;
  name: string;
  uploaded: UploadedFile | null; // null: on its way
}

interface Draft {
  text: string;
  files: DraftFile[];
}

const EMPTY: Draft = { text: '', files: [] };
const kept = new Map<string, Draft>();
const storageKey = (conversation: string | null) => `r1-draft-${conversation ?? 'new'}`;

export const draft = signal<Draft>(EMPTY);
let current: string | null | undefined;
let nextKey = 0;

export function openDraft(conversation: string | null): void {
  if (current !== undefined) kept.set(storageKey(current), draft.value);
  current = conversation;
  const key = storageKey(conversation);
  draft.value = kept.get(key) ?? { text: sessionStorage.getItem(key) ?? '', files: [] };
}

export function setDraftText(text: string): void {
  draft.value = { ...draft.value, text };
  sessionStorage.setItem(storageKey(current ?? null), text);
}

/** Empties the draft, which is on its way to the server. */
export function takeDraft(): Draft {
  const taken = draft.value;
  draft.value = EMPTY;
  sessionStorage.removeItem(storageKey(current ?? null));
  return taken;
}

/** Puts back what could not be sent, in front of what was written meanwhile. */
export function restoreDraft(taken: Draft): void {
  const { text } = draft.value;
  setDraftText(text === '' ? taken.text : `${taken.text}\n\n${text}`);
  changeFiles(current, (files) => [...taken.files, ...files]);
}

function changeFiles(conversation: string | null | undefined, change: (files: DraftFile[]) => DraftFile[]): void {
  if (conversation === current) {
    draft.value = { ...draft.value, files: change(draft.value.files) };
    return;
  }
  const key = storageKey(conversation ?? null);
  const own = kept.get(key) ?? EMPTY;
  kept.set(key, { ...own, files: change(own.files) });
}

async function upload(file: File): Promise<void> {
  const limit = info.value?.files.max_bytes ?? Infinity;
  if (file.size > limit) return showNotice(t('fileTooLarge', { name: file.name, size: formatBytes(limit) }));
  const key = nextKey++;
  const home = current; // the user may be elsewhere when the file has arrived
  changeFiles(home, (files) => [...files, { key, name: file.name, uploaded: null }]);
  try {
    const uploaded = await api.upload(file);
    changeFiles(home, (files) => files.map((f) => (f.key === key ? { key, name: uploaded.name, uploaded } : f)));
  } catch (cause) {
    changeFiles(home, (files) => files.filter((f) => f.key !== key));
    showNotice(errorText(cause));
  }
}

export function attachFiles(files: Iterable<File>): void {
  for (const file of files) void upload(file);
}

export function removeFile(file: DraftFile): void {
  changeFiles(current, (files) => files.filter((f) => f.key !== file.key));
  if (file.uploaded) api.deleteFile(file.uploaded.id).catch(() => undefined); // the server removes it by itself too
}
