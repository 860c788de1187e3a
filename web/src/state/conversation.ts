// The conversation on the page, and what the user can do in it.
import { batch, computed, signal } from '@preact/signals';
import { api, RequestError } from '../api/client';
import type { AnswerNode, AttachedFile, ConversationNode, Phase, UserNode } from '../api/types';
import { t } from '../i18n';
import { noteRunning, noteSummary, refreshHistory } from './history';
import { LiveAnswer } from './live_answer';
import { announce, attempt, errorText, showNotice } from './notices';
import { navigate } from './router';
import { model, searchProvider, settings } from './site';
import { EMPTY_TREE, newestLeaf, pathTo, treeOf, withNode, type Tree } from './tree';

const TITLE_LENGTH = 60;

export const conversationId = signal<string | null>(null); // null: a new one, not yet made
export const title = signal('');
export const tree = signal<Tree>(EMPTY_TREE);
export const leaf = signal<string | null>(null);
export const loading = signal(false);
export const missing = signal(false);
export const liveAnswers = signal<ReadonlyMap<string, LiveAnswer>>(new Map());

export const path = computed(() => pathTo(tree.value, leaf.value));
/** The answer of this branch that is being written. */
export const runningAnswer = computed(() => {
  const last = path.value.at(-1);
  return last?.role === 'assistant' && last.state === 'running' ? last : null;
});

export function newId(): string {
  // randomUUID is there in secure contexts only, and a phone may open the page by plain http.
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

export function titleOf(text: string): string {
  const line = text.trim().split('\n')[0] ?? '';
  const characters = Array.from(line);
  return characters.length <= TITLE_LENGTH ? line : characters.slice(0, TITLE_LENGTH - 1).join('') + '…';
}

function clear(id: string | null): void {
  for (const live of liveAnswers.value.values()) live.close();
  batch(() => {
    liveAnswers.value = new Map();
    conversationId.value = id;
    title.value = '';
    tree.value = EMPTY_TREE;
    leaf.value = null;
    missing.value = false;
    loading.value = id !== null;
  });
}

export async function openConversation(id: string | null): Promise<void> {
  if (id === conversationId.value && !missing.value) return;
  clear(id);
  if (id === null) return;
  try {
    const loaded = await api.conversation(id);
    if (conversationId.value !== id) return;
    batch(() => {
      title.value = loaded.title;
      tree.value = treeOf(loaded.nodes);
      leaf.value = loaded.leaf ?? newestLeaf(tree.value, null);
      loading.value = false;
    });
    for (const node of loaded.nodes) if (node.role === 'assistant' && node.state === 'running') follow(id, node);
  } catch (cause) {
    if (conversationId.value !== id) return;
    loading.value = false;
    if (cause instanceof RequestError && cause.status === 404) missing.value = true;
    else showNotice(errorText(cause));
  }
}

/** What is needed to say in a conversation where the user looks at the branch that ends in `parent`. */
async function say(parent: string | null, content: string, files: readonly AttachedFile[]): Promise<boolean> {
  const isNew = conversationId.value === null;
  const conversation = conversationId.value ?? newId();
  const question = { parent, created: Date.now(), content, files: files.map((file) => file.id) };
  const node = await attempt(async () => {
    if (isNew) {
      const words = titleOf(content) || (files[0]?.name ?? '');
      noteSummary(await api.createConversation(conversation, words), true);
      if (conversationId.value === null) {
        batch(() => {
          conversationId.value = conversation;
          title.value = words;
        });
        navigate(`/c/${conversation}`);
      }
    }
    return api.putQuestion(conversation, newId(), question);
  });
  if (!node) return false;
  show(conversation, node);
  await answerIn(conversation, node.id);
  return true;
}

export function ask(content: string, files: readonly AttachedFile[]): Promise<boolean> {
  return say(path.value.at(-1)?.id ?? null, content, files);
}

export function editQuestion(question: UserNode, content: string): Promise<boolean> {
  return say(question.parent, content, question.files);
}

/** Starts an answer to the question `parent`: the first, or another one. */
export async function answer(parent: string): Promise<void> {
  if (conversationId.value !== null) await answerIn(conversationId.value, parent);
}

async function answerIn(conversation: string, parent: string): Promise<void> {
  const { search_provider, system_prompt, temperature, top_p, max_tokens, thinking_budget, deep_think, search } = settings.value;
  const node = await attempt(() =>
    api.startAnswer({
      id: newId(), conversation, parent, model: model.value?.name ?? null, deep_think, search: search && searchProvider.value.ready,
      search_provider, system_prompt, sampling: { temperature, top_p, max_tokens, thinking_budget },
    }),
  );
  if (!node) return;
  if (!show(conversation, node)) {
    noteRunning(conversation, node.id);
    return;
  }
  follow(conversation, node);
  const summary = { id: conversation, title: title.value, created: node.created, updated: node.created, leaf: node.id, running: node.id };
  noteSummary(summary, true);
}

export async function stop(id: string): Promise<void> {
  await attempt(() => api.stopAnswer(id));
}

export async function answerNow(id: string): Promise<void> {
  await attempt(() => api.answerNow(id));
}

export async function continueAnswer(id: string): Promise<void> {
  const conversation = conversationId.value;
  const node = await attempt(() => api.continueAnswer(id));
  if (node && conversation !== null && show(conversation, node)) follow(conversation, node);
}

/** Turns to another version of a question or answer, down to the newest words below it. */
export function showBranch(id: string): void {
  const target = newestLeaf(tree.value, id) ?? id;
  leaf.value = target;
  const conversation = conversationId.value;
  if (conversation) void attempt(() => api.changeConversation(conversation, { leaf: target }));
}

/** False: meanwhile the user has gone to another conversation, whose tree it is no part of. */
function show(conversation: string, node: ConversationNode): boolean {
  if (conversationId.value !== conversation) return false;
  batch(() => {
    tree.value = withNode(tree.value, node);
    leaf.value = newestLeaf(tree.value, node.id);
  });
  return true;
}

function follow(conversation: string, node: AnswerNode): void {
  const live: LiveAnswer = new LiveAnswer(node, (final) => ended(conversation, final), announcePhase, (cause) => {
    const error = { message: errorText(cause), type: 'stream', param: null, code: null };
    ended(conversation, { ...node, reasoning: live.reasoning.value, content: live.content.value, state: 'failed', error });
  });
  liveAnswers.value = new Map(liveAnswers.value).set(node.id, live);
}

function ended(conversation: string, node: AnswerNode): void {
  if (conversationId.value !== conversation) return;
  batch(() => {
    tree.value = withNode(tree.value, node);
    const rest = new Map(liveAnswers.value);
    rest.get(node.id)?.close();
    rest.delete(node.id);
    liveAnswers.value = rest;
  });
  noteRunning(conversation, null);
  announce(node.state === 'failed' ? t('failed', { message: node.error?.message ?? '' }) : t('answerDone'));
  void refreshHistory();
}

function announcePhase(phase: Phase): void {
  if (phase.name === 'thinking') announce(t('thinkingNow'));
  if (phase.name === 'answering') announce(t('answeringNow'));
}
