// What the stand-in knows, and small helpers over it.

export const DEFAULT_SETTINGS = {
  language: null, theme: null, model: null, deep_think: true, search: false, search_provider: null, system_prompt: '',
  temperature: null, top_p: null, max_tokens: null, thinking_budget: null,
};
export const CONTEXT = 32768;
export const MODELS = [
  { name: 'R1-Distill-Qwen-1.5B', loaded: true, default: true, context: CONTEXT, thinking: 'switchable' },
  { name: 'R1-Distill-Llama-8B', loaded: false, default: false, context: 131072, thinking: 'switchable' },
  { name: 'stories-260k', loaded: false, default: false, context: 512, thinking: 'never' },
];

export function createState({ rate, key }) {
  return {
    rate, // tokens per second
    key,
    conversations: new Map(), // id → { id, title, created, updated, leaf, nodes: Map }
    files: new Map(), // id → { id, name, bytes, characters, tokens, text }
    answers: new Map(), // id → running or ended answer of mock/answers.mjs
    settings: { ...DEFAULT_SETTINGS },
    index: [
      { id: 'index-0001', kind: 'folder', location: '/home/ada/notes', documents: 128, bytes: 3_400_000, updated: Date.now() - 3600_000, state: 'ready', progress: null, error: null },
      { id: 'index-0002', kind: 'page', location: 'https://example.org/handbook', documents: 1, bytes: 48_000, updated: Date.now() - 86400_000, state: 'failed', progress: null, error: 'the address answered 404' },
    ],
  };
}

export class Refusal extends Error {
  constructor(status, code, message, extra = {}) {
    super(message);
    this.status = status;
    this.detail = { message, type: 'invalid_request_error', param: null, code, ...extra };
  }
}

let counter = 0;
export const newId = (prefix) => `${prefix}-${Date.now().toString(36)}-${(counter++).toString(36).padStart(4, '0')}`;

/** Roughly what a tokenizer would say. */
export function countTokens(text) {
  let tokens = 0;
  for (const character of text) tokens += character.codePointAt(0) > 0x2e80 ? 0.7 : 0.25;
  return Math.ceil(tokens);
}

export function conversationOf(state, id) {
  const conversation = state.conversations.get(id);
  if (!conversation) throw new Refusal(404, 'not_found', `conversation ${id}: there is none`);
  return conversation;
}

export function summaryOf(state, conversation) {
  const { id, title, created, updated, leaf, nodes } = conversation;
  const running = [...nodes.values()].find((n) => n.state === 'running')?.id ?? null;
  return { id, title, created, updated, leaf, running };
}

export function branchOf(conversation, leaf) {
  const branch = [];
  for (let id = leaf; id !== null; id = conversation.nodes.get(id)?.parent ?? null) {
    const node = conversation.nodes.get(id);
    if (!node) break;
    branch.unshift(node);
  }
  return branch;
}

export function promptTokens(branch) {
  return 4 + branch.reduce((sum, n) => sum + countTokens(n.content) + 4 + (n.files ?? []).reduce((s, f) => s + f.tokens, 0), 0);
}
