// The text that was taken from a file, or that lies in the index.
import { signal } from '@preact/signals';
import { api } from '../api/client';
import type { AttachedFile } from '../api/types';
import { formatBytes, formatNumber, t } from '../i18n';
import { attempt } from '../state/notices';
import { Dialog } from './controls';

const shown = signal<{ title: string; facts: string; text: string } | null>(null);

export async function showFile(file: AttachedFile): Promise<void> {
  const text = await attempt(() => api.fileText(file.id));
  if (text !== null) shown.value = { title: file.name, facts: `${formatBytes(file.bytes)} · ${t('tokensNote', { n: formatNumber(file.tokens) })}`, text };
}

export async function showDocument(id: string): Promise<void> {
  const document = await attempt(() => api.indexDocument(id));
  if (document) shown.value = { title: document.title, facts: document.location, text: document.text };
}

export function FileDialog() {
  const file = shown.value;
  if (!file) return null;
  const close = () => {
    shown.value = null;
  };
  return (
    <Dialog title={file.title} onClose={close} wide>
      <p class="quiet">{file.facts}</p>
      <pre class="file-text" tabindex={0}>
        {file.text}
      </pre>
    </Dialog>
  );
}
