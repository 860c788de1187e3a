// The shapes of docs/site-api.md.

export interface ApiError {
  message: string;
  type: string;
  param: string | null;
  code: string | null;
  n_prompt_tokens?: number;
  n_ctx?: number;
}

export interface ModelInfo {
  name: string;
  loaded: boolean;
  default: boolean;
  context: number;
  thinking: 'switchable' | 'always' | 'never';
}

export interface SearchProvider {
  name: string;
  ready: boolean;
  reason: string | null;
}

export interface SiteInfo {
  version: string;
  sign_in: 'none' | 'required' | 'done';
  models: ModelInfo[];
  search: SearchProvider[];
  files: { max_bytes: number; extensions: string[] };
  index: { may_change: boolean };
}

export interface Settings {
  language: 'en' | 'zh' | null;
  theme: 'light' | 'dark' | null;
  model: string | null;
  deep_think: boolean;
  search: boolean;
  search_provider: string | null;
  system_prompt: string;
  temperature: number | null;
  top_p: number | null;
  max_tokens: number | null;
  thinking_budget: number | null;
}

export interface AttachedFile {
  id: string;
  name: string;
  bytes: number;
  tokens: number;
}

export interface UploadedFile extends AttachedFile {
  characters: number;
}

export interface Source {
  number: number;
  title: string;
  url: string | null;
  document: string | null;
  site: string;
  date: string | null;
  snippet: string;
}

export interface Usage {
  prompt_tokens: number;
  cached_tokens: number;
  completion_tokens: number;
  reasoning_tokens: number;
}

export interface Timing {
  queue_ms: number;
  prefill_ms: number;
  tokens_per_second: number;
}

export interface UserNode {
  id: string;
  parent: string | null;
  role: 'user';
  created: number;
  content: string;
  files: AttachedFile[];
}

export type AnswerState = 'running' | 'done' | 'stopped' | 'length' | 'failed';

export interface AnswerNode {
  id: string;
  parent: string | null;
  role: 'assistant';
  created: number;
  content: string;
  reasoning: string;
  thinking_ms: number | null;
  state: AnswerState;
  error: ApiError | null;
  model: string;
  deep_think: boolean;
  search: boolean;
  sources: Source[];
  usage: Usage | null;
  timing: Timing | null;
}

export type ConversationNode = UserNode | AnswerNode;

export interface Summary {
  id: string;
  title: string;
  created: number;
  updated: number;
  leaf: string | null;
  running: string | null;
}

export interface Hit {
  node: string | null;
  snippet: { text: string; match: boolean }[];
}

export interface FoundSummary extends Summary {
  hit: Hit;
}

export interface Conversation extends Summary {
  nodes: ConversationNode[];
}

export interface Sampling {
  temperature: number | null;
  top_p: number | null;
  max_tokens: number | null;
  thinking_budget: number | null;
}

export interface AnswerRequest {
  id: string;
  conversation: string;
  parent: string;
  model: string | null;
  deep_think: boolean;
  search: boolean;
  search_provider: string | null;
  sampling: Sampling;
  system_prompt: string;
}

export type Phase =
  | { name: 'queued'; position: number }
  | { name: 'searching'; query: string }
  | { name: 'loading'; done: number; total: number }
  | { name: 'prefill'; done: number; total: number; cached: number }
  | { name: 'thinking' }
  | { name: 'answering' };

export interface Rate {
  completion_tokens: number;
  reasoning_tokens: number;
  tokens_per_second: number;
  context_used: number;
}

export type AnswerEvent =
  | { event: 'snapshot'; data: { node: AnswerNode; phase: Phase | null } }
  | { event: 'phase'; data: Phase }
  | { event: 'sources'; data: { sources: Source[] } }
  | { event: 'reasoning'; data: { text: string } }
  | { event: 'content'; data: { text: string } }
  | { event: 'rate'; data: Rate }
  | { event: 'end'; data: { node: Omit<AnswerNode, 'content' | 'reasoning'> } };

export interface ContextRequest {
  conversation: string | null;
  parent: string | null;
  content: string;
  files: string[];
  model: string | null;
  deep_think: boolean;
  system_prompt: string;
}

export interface ContextUse {
  tokens: number;
  draft_tokens: number;
  size: number;
}

export interface IndexEntry {
  id: string;
  kind: 'folder' | 'file' | 'page';
  location: string;
  documents: number;
  bytes: number;
  updated: number;
  state: 'ready' | 'indexing' | 'failed';
  progress: { done: number; total: number } | null;
  error: string | null;
}

export interface IndexDocument {
  id: string;
  title: string;
  location: string;
  text: string;
}

export interface Sample {
  time: number;
  running: number;
  waiting: number;
  prompt_tokens_per_second: number;
  output_tokens_per_second: number;
  ttft_ms: { p50: number; p95: number } | null;
  itl_ms: { p50: number; p95: number } | null;
  kv_used: number;
  kv_size: number;
  cache_hit_rate: number | null;
  memory_bytes: number;
  requests: number;
  errors: number;
  model: string | null;
}

export type MetricsEvent =
  | { event: 'history'; data: { samples: Sample[] } }
  | { event: 'sample'; data: Sample };
