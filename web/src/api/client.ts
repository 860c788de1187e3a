// Requests to /api/site (docs/site-api.md).
import { signal } from '@preact/signals';
import type {
  AnswerNode, AnswerRequest, ApiError, ContextRequest, ContextUse, Conversation, FoundSummary, IndexDocument, IndexEntry,
  Settings, SiteInfo, Source, Summary, UploadedFile, UserNode,
} from './types';

const ROOT = '/api/site';

/** Counts refusals for want of a sign-in: the key may have been revoked meanwhile. */
export const signInRefusals = signal(0);

/** What the server refused, or why it was not reached (status 0). */
export class RequestError extends Error {
  constructor(
    readonly status: number,
    readonly detail: ApiError,
  ) {
    super(detail.message);
  }
}

export function unreachable(cause: unknown): RequestError {
  const message = cause instanceof Error ? cause.message : String(cause);
  return new RequestError(0, { message, type: 'network', param: null, code: 'unreachable' });
}

export async function refusal(response: Response): Promise<RequestError> {
  const fallback: ApiError = { message: `${response.status} ${response.statusText}`, type: 'http', param: null, code: null };
  if (response.status === 401) signInRefusals.value++;
  const body = (await response.json().catch(() => null)) as { error?: ApiError } | null;
  return new RequestError(response.status, body?.error ?? fallback);
}

export async function send(method: string, path: string, body?: BodyInit, type?: string): Promise<Response> {
  const headers: Record<string, string> = { 'X-R1-Site': '1' };
  if (method !== 'GET') headers['Content-Type'] = type ?? 'application/json';
  const response = await fetch(ROOT + path, { method, headers, body: body ?? null }).catch((cause: unknown) => {
    throw unreachable(cause);
  });
  if (!response.ok) throw await refusal(response);
  return response;
}

async function json<T>(method: string, path: string, body?: unknown): Promise<T> {
  const response = await send(method, path, body === undefined ? undefined : JSON.stringify(body));
  return (response.status === 204 ? undefined : await response.json()) as T;
}

/** One document a part: each can be imported again. */
async function exportAll(): Promise<Blob[]> {
  const parts: Blob[] = [];
  for (let path: string | undefined = '/export'; path !== undefined; ) {
    const response: Response = await send('GET', path);
    parts.push(await response.blob());
    path = /^<\/api\/site(\/export\?[^>]*)>; rel="next"$/.exec(response.headers.get('Link') ?? '')?.[1];
  }
  return parts;
}

export const api = {
  info: () => json<SiteInfo>('GET', '/info'),
  signIn: (key: string) => json<void>('POST', '/session', { key }),
  signOut: () => json<void>('DELETE', '/session'),

  settings: () => json<Settings>('GET', '/settings'),
  changeSettings: (change: Partial<Settings>) => json<Settings>('PATCH', '/settings', change),

  conversations: (before: string | null) =>
    json<{ conversations: Summary[]; next: string | null }>('GET', `/conversations?limit=50${before ? `&before=${encodeURIComponent(before)}` : ''}`),
  findConversations: (query: string) =>
    json<{ conversations: FoundSummary[] }>('GET', `/conversations?limit=50&query=${encodeURIComponent(query)}`),
  createConversation: (id: string, title: string) => json<Summary>('PUT', `/conversations/${id}`, { title, created: Date.now() }),
  conversation: (id: string) => json<Conversation>('GET', `/conversations/${id}`),
  changeConversation: (id: string, change: { title?: string; leaf?: string }) => json<Summary>('PATCH', `/conversations/${id}`, change),
  deleteConversation: (id: string) => json<void>('DELETE', `/conversations/${id}`),
  deleteAllConversations: () => json<void>('DELETE', '/conversations?confirm=all'),
  putQuestion: (conversation: string, id: string, question: { parent: string | null; created: number; content: string; files: string[] }) =>
    json<UserNode>('PUT', `/conversations/${conversation}/nodes/${id}`, question),
  exportConversation: (id: string, format: 'json' | 'markdown') => send('GET', `/conversations/${id}/export?format=${format}`).then((r) => r.blob()),
  exportAll,
  importDocument: (text: string) => send('POST', '/import', text).then((r) => r.json() as Promise<{ imported: number; skipped: number }>),

  startAnswer: (request: AnswerRequest) => json<AnswerNode>('POST', '/answers', request),
  stopAnswer: (id: string) => json<AnswerNode>('POST', `/answers/${id}/stop`, {}),
  answerNow: (id: string) => json<void>('POST', `/answers/${id}/answer-now`, {}),
  continueAnswer: (id: string) => json<AnswerNode>('POST', `/answers/${id}/continue`, {}),
  context: (request: ContextRequest) => json<ContextUse>('POST', '/context', request),

  upload: (file: File) =>
    send('POST', `/files?name=${encodeURIComponent(file.name)}`, file, file.type || 'application/octet-stream').then(
      (r) => r.json() as Promise<UploadedFile>,
    ),
  fileText: (id: string) => send('GET', `/files/${id}/text`).then((r) => r.text()),
  deleteFile: (id: string) => json<void>('DELETE', `/files/${id}`),

  search: (query: string, provider: string | null) => json<{ provider: string; sources: Source[] }>('POST', '/search', { query, provider, limit: 10 }),
  index: () => json<{ entries: IndexEntry[] }>('GET', '/index'),
  addToIndex: (location: string) => json<IndexEntry>('POST', '/index', { location }),
  refreshIndex: (id: string) => json<IndexEntry>('POST', `/index/${id}/refresh`, {}),
  removeFromIndex: (id: string) => json<void>('DELETE', `/index/${id}`),
  indexDocument: (id: string) => json<IndexDocument>('GET', `/index/documents/${id}`),
};
