// The paths of docs/site-api.md.
import { continueAnswer, startAnswer, streamAnswer } from './answers.mjs';
import { streamMetrics } from './metrics.mjs';
import { SOURCES } from './script.mjs';
import { branchOf, CONTEXT, conversationOf, countTokens, DEFAULT_SETTINGS, MODELS, newId, promptTokens, Refusal, summaryOf } from './state.mjs';

const MAX_FILE_BYTES = 8 << 20;
const EXTENSIONS = ['.txt', '.md', '.pdf', '.docx', '.csv', '.json', '.py', '.c', '.cpp', '.h', '.js', '.ts', '.rs', '.go', '.java', '.sh', '.log', '.html'];

async function bodyOf(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function reply(response, status, body) {
  response.writeHead(status, body === undefined ? {} : { 'Content-Type': 'application/json' });
  response.end(body === undefined ? undefined : JSON.stringify(body));
}

function download(response, name, type, text) {
  response.writeHead(200, { 'Content-Type': type, 'Content-Disposition': `attachment; filename="${name}"` });
  response.end(text);
}

export async function handle(state, request, response, url) {
  try {
    const { method } = request;
    const path = url.pathname.slice('/api/site'.length);
    const signedIn = !state.key || (request.headers.cookie ?? '').includes(`r1=${state.key}`);
    if (method !== 'GET' && request.headers['x-r1-site'] !== '1') throw new Refusal(403, 'forbidden', 'the header X-R1-Site is missing');
    if (!signedIn && path !== '/info' && path !== '/session') throw new Refusal(401, 'sign_in_required', 'sign in first');
    for (const [verb, pattern, action] of ROUTES) {
      const match = verb === method ? pattern.exec(path) : null;
      if (!match) continue;
      const raw = method === 'GET' ? null : await bodyOf(request);
      const json = () => JSON.parse(raw.toString() || '{}');
      return action({ state, request, response, url, json, raw, signedIn, id: match[1], second: match[2], reply: (status, body) => reply(response, status, body) });
    }
    throw new Refusal(404, 'not_found', `${method} ${path}: there is no such path`);
  } catch (cause) {
    if (!(cause instanceof Refusal)) console.error(cause);
    const refusal = cause instanceof Refusal ? cause : new Refusal(500, 'internal', String(cause));
    if (!response.headersSent) reply(response, refusal.status, { error: refusal.detail });
  }
}

function answerNode(state, id) {
  for (const conversation of state.conversations.values()) {
    const node = conversation.nodes.get(id);
    if (node?.role === 'assistant') return { conversation, node };
  }
  throw new Refusal(404, 'not_found', `answer ${id}: there is none`);
}

function fileOf(state, id) {
  const file = state.files.get(id);
  if (!file) throw new Refusal(404, 'not_found', `file ${id}: there is none`);
  return file;
}

const attached = ({ id, name, bytes, tokens }) => ({ id, name, bytes, tokens });
const full = (state, conversation) => ({ ...summaryOf(state, conversation), nodes: [...conversation.nodes.values()] });

function snippetOf(text, word) {
  const at = text.toLowerCase().indexOf(word);
  if (at < 0) return null;
  const from = Math.max(0, at - 30);
  return [
    { text: (from > 0 ? '…' : '') + text.slice(from, at), match: false },
    { text: text.slice(at, at + word.length), match: true },
    { text: text.slice(at + word.length, at + word.length + 60), match: false },
  ];
}

function find(state, query) {
  const word = query.trim().toLowerCase();
  const found = [];
  for (const conversation of state.conversations.values()) {
    const inTitle = snippetOf(conversation.title, word);
    const node = inTitle ? null : [...conversation.nodes.values()].find((n) => n.content.toLowerCase().includes(word));
    if (!inTitle && !node) continue;
    found.push({ ...summaryOf(state, conversation), hit: { node: node?.id ?? null, snippet: inTitle ?? snippetOf(node.content, word) } });
  }
  return found;
}

function markdownOf(conversation) {
  const words = branchOf(conversation, conversation.leaf).map((n) => (n.role === 'user' ? `**You:** ${n.content}` : n.content));
  return `# ${conversation.title}\n\n${words.join('\n\n')}\n`;
}

function importOne(state, document) {
  if (state.conversations.has(document.id)) return 0;
  const nodes = document.nodes.map((n) => [n.id, n.state === 'running' ? { ...n, state: 'stopped' } : n]);
  const { id, title, created, updated, leaf } = document;
  state.conversations.set(id, { id, title, created, updated, leaf, nodes: new Map(nodes) });
  return 1;
}

const ROUTES = [
  ['GET', /^\/info$/, ({ state, signedIn, reply }) =>
    reply(200, {
      version: '0.0-mock', sign_in: state.key ? (signedIn ? 'done' : 'required') : 'none', models: signedIn ? MODELS : [],
      search: [{ name: 'index', ready: true, reason: null }, { name: 'searxng', ready: false, reason: 'no address configured' }],
      files: { max_bytes: MAX_FILE_BYTES, extensions: EXTENSIONS }, index: { may_change: true },
    })],
  ['POST', /^\/session$/, ({ state, response, json }) => {
    if (json().key !== state.key) throw new Refusal(401, 'sign_in_required', 'this key is not known');
    response.writeHead(204, { 'Set-Cookie': `r1=${state.key}; HttpOnly; SameSite=Strict; Path=/` }).end();
  }],
  ['DELETE', /^\/session$/, ({ response }) => response.writeHead(204, { 'Set-Cookie': 'r1=; Max-Age=0; Path=/' }).end()],
  ['GET', /^\/settings$/, ({ state, reply }) => reply(200, state.settings)],
  ['PATCH', /^\/settings$/, ({ state, json, reply }) => {
    const change = json();
    const unknown = Object.keys(change).find((name) => !(name in DEFAULT_SETTINGS));
    if (unknown) throw new Refusal(400, 'unknown_field', `${unknown}: there is no such setting`);
    reply(200, Object.assign(state.settings, change));
  }],

  ['GET', /^\/conversations$/, ({ state, url, reply }) => {
    const query = url.searchParams.get('query');
    if (query) return reply(200, { conversations: find(state, query), next: null });
    const limit = Number(url.searchParams.get('limit') ?? 50);
    const all = [...state.conversations.values()].sort((a, b) => b.updated - a.updated);
    const from = Number(url.searchParams.get('before') ?? 0);
    const next = from + limit < all.length ? String(from + limit) : null;
    reply(200, { conversations: all.slice(from, from + limit).map((c) => summaryOf(state, c)), next });
  }],
  ['DELETE', /^\/conversations$/, ({ state, url, reply }) => {
    if (url.searchParams.get('confirm') !== 'all') throw new Refusal(400, null, 'confirm=all is missing');
    state.conversations.clear();
    reply(204);
  }],
  ['PUT', /^\/conversations\/([\w-]+)$/, ({ state, id, json, reply }) => {
    const { title, created } = json();
    const existing = state.conversations.get(id);
    if (!existing) state.conversations.set(id, { id, title, created, updated: created, leaf: null, nodes: new Map() });
    reply(existing ? 200 : 201, summaryOf(state, state.conversations.get(id)));
  }],
  ['GET', /^\/conversations\/([\w-]+)$/, ({ state, id, reply }) => reply(200, full(state, conversationOf(state, id)))],
  ['PATCH', /^\/conversations\/([\w-]+)$/, ({ state, id, json, reply }) => {
    const conversation = conversationOf(state, id);
    const { title, leaf } = json();
    if (leaf !== undefined && !conversation.nodes.has(leaf)) throw new Refusal(400, null, `leaf ${leaf}: not a node of this conversation`);
    Object.assign(conversation, title === undefined ? {} : { title }, leaf === undefined ? {} : { leaf });
    reply(200, summaryOf(state, conversation));
  }],
  ['DELETE', /^\/conversations\/([\w-]+)$/, ({ state, id, reply }) => {
    for (const node of conversationOf(state, id).nodes.values()) if (node.state === 'running') state.answers.get(node.id).stopAsked = true;
    state.conversations.delete(id);
    reply(204);
  }],
  ['PUT', /^\/conversations\/([\w-]+)\/nodes\/([\w-]+)$/, ({ state, id, second, json, reply }) => {
    const conversation = conversationOf(state, id);
    const { parent, created, content, files } = json();
    const node = { id: second, parent, role: 'user', created, content, files: files.map((f) => attached(fileOf(state, f))) };
    const existing = conversation.nodes.get(second);
    if (existing && JSON.stringify(existing) !== JSON.stringify(node)) throw new Refusal(409, 'conflict', `node ${second}: exists with another content`);
    conversation.nodes.set(second, node);
    conversation.leaf = second;
    conversation.updated = Date.now();
    reply(existing ? 200 : 201, node);
  }],
  ['GET', /^\/conversations\/([\w-]+)\/export$/, ({ state, id, url, response }) => {
    const conversation = conversationOf(state, id);
    if (url.searchParams.get('format') === 'markdown') return download(response, 'conversation.md', 'text/markdown', markdownOf(conversation));
    download(response, 'conversation.json', 'application/json', JSON.stringify({ format: 'r1-conversations', version: 1, conversations: [full(state, conversation)] }));
  }],
  ['GET', /^\/export$/, ({ state, response }) =>
    download(response, 'conversations.json', 'application/json', JSON.stringify({ format: 'r1-conversations', version: 1, conversations: [...state.conversations.values()].map((c) => full(state, c)) }))],
  ['POST', /^\/import$/, ({ state, json, reply }) => {
    const document = json();
    if (document.format !== 'r1-conversations') throw new Refusal(400, null, `format: expected r1-conversations, found ${document.format}`);
    const imported = document.conversations.reduce((sum, c) => sum + importOne(state, c), 0);
    reply(200, { imported, skipped: document.conversations.length - imported });
  }],

  ['POST', /^\/answers$/, ({ state, json, reply }) => {
    const { id, conversation: conversationId, parent, model, deep_think, search } = json();
    const conversation = conversationOf(state, conversationId);
    if (conversation.nodes.get(parent)?.role !== 'user') throw new Refusal(400, null, `parent ${parent}: not a question of this conversation`);
    const tokens = promptTokens(branchOf(conversation, parent));
    if (tokens > CONTEXT) throw new Refusal(400, 'context_overflow', `the prompt has ${tokens} tokens, the context ${CONTEXT}`, { n_prompt_tokens: tokens, n_ctx: CONTEXT });
    const node = {
      id, parent, role: 'assistant', created: Date.now(), content: '', reasoning: '', thinking_ms: null, state: 'running', error: null,
      model: model ?? MODELS[0].name, deep_think, search, sources: [], usage: null, timing: null,
    };
    conversation.nodes.set(id, node);
    conversation.leaf = id;
    conversation.updated = Date.now();
    startAnswer(state, conversation, node);
    reply(201, node);
  }],
  ['GET', /^\/answers\/([\w-]+)\/events$/, ({ state, id, request, response }) =>
    streamAnswer(answerNode(state, id).node, state.answers.get(id), Number(request.headers['last-event-id'] ?? NaN), response)],
  ['POST', /^\/answers\/([\w-]+)\/stop$/, async ({ state, id, reply }) => {
    const { node } = answerNode(state, id);
    const answer = state.answers.get(id);
    if (answer) answer.stopAsked = true;
    while (node.state === 'running') await new Promise((resolve) => setTimeout(resolve, 5));
    reply(200, node);
  }],
  ['POST', /^\/answers\/([\w-]+)\/answer-now$/, ({ state, id, reply }) => {
    const answer = state.answers.get(id);
    if (answer?.phase?.name !== 'thinking') throw new Refusal(409, 'conflict', `answer ${id}: it is not thinking`);
    answer.answerNowAsked = true;
    reply(204);
  }],
  ['POST', /^\/answers\/([\w-]+)\/continue$/, ({ state, id, reply }) => {
    const { conversation, node } = answerNode(state, id);
    continueAnswer(state, conversation, node);
    reply(200, node);
  }],
  ['POST', /^\/context$/, ({ state, json, reply }) => {
    const { conversation, parent, content, files, model } = json();
    const branch = conversation && parent ? branchOf(conversationOf(state, conversation), parent) : [];
    const draft = content === '' && files.length === 0 ? 0 : countTokens(content) + files.reduce((sum, f) => sum + fileOf(state, f).tokens, 0);
    reply(200, { tokens: promptTokens(branch) + draft, draft_tokens: draft, size: MODELS.find((m) => m.name === model)?.context ?? CONTEXT });
  }],

  ['POST', /^\/files$/, ({ state, url, raw, reply }) => {
    const name = url.searchParams.get('name').split(/[/\\]/).pop();
    if (!EXTENSIONS.some((e) => name.toLowerCase().endsWith(e))) throw new Refusal(415, 'unsupported_file', `${name}: files of this kind cannot be read`);
    if (raw.length > MAX_FILE_BYTES) throw new Refusal(413, 'too_large', `${name}: at most ${MAX_FILE_BYTES} bytes, found ${raw.length}`);
    if (name.endsWith('.pdf')) throw new Refusal(422, 'extraction_failed', `${name}: no text in this PDF`);
    const text = raw.toString();
    const file = { id: newId('file'), name, bytes: raw.length, characters: text.length, tokens: countTokens(text) + 12, text };
    state.files.set(file.id, file);
    reply(201, { ...attached(file), characters: file.characters });
  }],
  ['GET', /^\/files\/([\w-]+)\/text$/, ({ state, id, response }) => download(response, 'file.txt', 'text/plain; charset=utf-8', fileOf(state, id).text)],
  ['DELETE', /^\/files\/([\w-]+)$/, ({ state, id, reply }) => {
    state.files.delete(fileOf(state, id).id);
    reply(204);
  }],

  ['POST', /^\/search$/, ({ reply }) => reply(200, { provider: 'index', sources: SOURCES })],
  ['GET', /^\/index$/, ({ state, reply }) => {
    for (const entry of state.index) {
      if (entry.state !== 'indexing') continue;
      entry.progress.done += 7;
      if (entry.progress.done >= entry.progress.total) Object.assign(entry, { state: 'ready', documents: entry.progress.total, progress: null, updated: Date.now() });
    }
    reply(200, { entries: state.index });
  }],
  ['POST', /^\/index$/, ({ state, json, reply }) => {
    const { location } = json();
    const page = /^https?:/.test(location);
    const entry = { id: newId('index'), kind: page ? 'page' : 'folder', location, documents: 0, bytes: 0, updated: Date.now(), state: 'indexing', progress: { done: 0, total: page ? 1 : 40 }, error: null };
    state.index.push(entry);
    reply(201, entry);
  }],
  ['POST', /^\/index\/([\w-]+)\/refresh$/, ({ state, id, reply }) => {
    const entry = state.index.find((e) => e.id === id);
    if (!entry) throw new Refusal(404, 'not_found', `index entry ${id}: there is none`);
    reply(200, Object.assign(entry, { state: 'indexing', progress: { done: 0, total: 40 }, error: null }));
  }],
  ['DELETE', /^\/index\/([\w-]+)$/, ({ state, id, reply }) => {
    state.index = state.index.filter((e) => e.id !== id);
    reply(204);
  }],
  ['GET', /^\/index\/documents\/([\w-]+)$/, ({ id, reply }) => reply(200, { id, title: 'notes/wonders.md', location: '/home/ada/notes/wonders.md', text: 'Height: between 100 and 118 m, depending on whom one believes.\n' })],

  ['GET', /^\/metrics\/events$/, ({ request, response }) => streamMetrics(request, response)],
];
