// What happens when the user goes to another conversation while the server has not answered yet.
import { beforeEach, describe, expect, it, vi } from 'vitest';

const answers = new Map<string, (value: unknown) => void>();
const refusals = new Map<string, (cause: Error) => void>();

/** Each call waits until the test answers it by the function's name. */
vi.mock('../src/api/client', async (original) => {
  const real = await original<typeof import('../src/api/client')>();
  const api = new Proxy({}, {
    get: (_, name: string) => (...values: unknown[]) =>
      new Promise((resolve, reject) => {
        answers.set(name, (value) => resolve(typeof value === 'function' ? value(...values) : value));
        refusals.set(name, reject);
      }),
  });
  return { ...real, api };
});
vi.mock('../src/api/event_stream', () => ({ followEvents: vi.fn(async () => undefined) }));
// Without its effects: test files share their modules, and it sets the page's language.
vi.mock('../src/state/site', async () => {
  const { signal } = await import('@preact/signals');
  return { info: signal(null), model: signal(null), searchProvider: signal({ ready: false }), settings: signal({}) };
});

const { followEvents } = await import('../src/api/event_stream');
const conversation = await import('../src/state/conversation');
const drafts = await import('../src/state/draft');

async function reply(name: string, value: unknown): Promise<void> {
  await vi.waitFor(() => expect(answers.has(name)).toBe(true));
  answers.get(name)?.(value);
  answers.delete(name);
  await new Promise((resolve) => setTimeout(resolve));
}

async function open(id: string): Promise<void> {
  const opened = conversation.openConversation(id);
  await reply('conversation', { id, title: id, created: 1, updated: 1, leaf: null, running: null, nodes: [] });
  await opened;
}

const question = (_: string, id: string, asked: object) => ({ id, role: 'user', files: [], ...asked });
const started = (request: { id: string; parent: string }) => ({
  id: request.id, parent: request.parent, role: 'assistant', created: 2, content: '', reasoning: '', thinking_ms: null, state: 'running',
  error: null, model: 'm', deep_think: true, search: false, sources: [], usage: null, timing: null,
});

beforeEach(() => {
  answers.clear();
  vi.mocked(followEvents).mockClear();
});

describe('a question', () => {
  it('is answered where it was asked', async () => {
    await open('conversation-a');
    const asked = conversation.ask('A?', []);
    await reply('putQuestion', question);
    await reply('startAnswer', started);
    expect(await asked).toBe(true);
    expect(conversation.path.value.map((node) => node.role)).toEqual(['user', 'assistant']);
    expect(followEvents).toHaveBeenCalledTimes(1);
  });
  it('does not appear in another conversation, which was opened meanwhile', async () => {
    await open('conversation-e');
    const asked = conversation.ask('A?', []);
    await open('conversation-b');
    await reply('putQuestion', question);
    let of = '';
    await reply('startAnswer', (request: { id: string; parent: string; conversation: string }) => {
      of = request.conversation;
      return started(request);
    });
    expect(await asked).toBe(true);
    expect(of).toBe('conversation-e');
    expect(conversation.conversationId.value).toBe('conversation-b');
    expect(conversation.path.value).toEqual([]);
    expect(followEvents).not.toHaveBeenCalled();
  });
});

describe('a draft', () => {
  const file = () => new File(['x'], 'a.txt');
  it('gets its file also while another one is shown', async () => {
    drafts.openDraft('conversation-a');
    drafts.attachFiles([file()]);
    drafts.openDraft('conversation-b');
    await reply('upload', { id: 'file-1', name: 'a.txt', bytes: 1, tokens: 1, characters: 1 });
    expect(drafts.draft.value.files).toEqual([]);
    drafts.openDraft('conversation-a');
    expect(drafts.draft.value.files[0]?.uploaded?.id).toBe('file-1');
  });
  it('loses a file that was refused, and keeps what was written when the question before it comes back', async () => {
    drafts.openDraft('conversation-c');
    drafts.attachFiles([file()]);
    drafts.openDraft('conversation-d');
    drafts.setDraftText('typed meanwhile');
    await vi.waitFor(() => expect(refusals.has('upload')).toBe(true));
    refusals.get('upload')?.(new Error('too large'));
    await new Promise((resolve) => setTimeout(resolve));
    drafts.restoreDraft({ text: 'not sent', files: [] });
    expect(drafts.draft.value.text).toBe('not sent\n\ntyped meanwhile');
    drafts.openDraft('conversation-c');
    expect(drafts.draft.value.files).toEqual([]);
  });
});
