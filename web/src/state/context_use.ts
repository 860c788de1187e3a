// How much of the model's context the next question would take, asked of the server while the user types.
import { effect, signal } from '@preact/signals';
import { api } from '../api/client';
import type { ContextUse } from '../api/types';
import { conversationId, liveAnswers, path, runningAnswer } from './conversation';
import { draft } from './draft';
import { model, settings } from './site';

const DELAY_MS = 500;

export const contextUse = signal<ContextUse | null>(null);

let timer: ReturnType<typeof setTimeout> | undefined;
let asked = 0;

async function measure(): Promise<void> {
  const mine = ++asked;
  const { text, files } = draft.value;
  const last = path.value.at(-1);
  const use = await api
    .context({
      conversation: last ? conversationId.value : null, parent: last?.id ?? null, content: text, files: files.flatMap((f) => (f.uploaded ? [f.uploaded.id] : [])),
      model: model.value?.name ?? null, deep_think: settings.value.deep_think, system_prompt: settings.value.system_prompt,
    })
    .catch(() => null); // the meter is a help; a question that does not fit is refused with its reason
  if (mine === asked) contextUse.value = use;
}

effect(() => {
  const running = runningAnswer.value;
  const live = running ? liveAnswers.value.get(running.id) : undefined;
  const rate = live?.rate.value;
  if (rate && model.value) contextUse.value = { tokens: rate.context_used, draft_tokens: 0, size: model.value.context };
});

effect(() => {
  if (!model.value || runningAnswer.value) return;
  void [draft.value, path.value, settings.value]; // measured again when one of them changes
  clearTimeout(timer);
  timer = setTimeout(() => void measure(), DELAY_MS);
});
