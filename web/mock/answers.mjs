// Answers that belong to the server: they run whether anybody looks or not.
import { scriptFor, SOURCES } from './script.mjs';
import { branchOf, CONTEXT, promptTokens, Refusal } from './state.mjs';

const TICK_MS = 20;
const TOKEN_CHARACTERS = 4;
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

class Answer {
  constructor(state, conversation, node) {
    this.state = state;
    this.conversation = conversation;
    this.node = node;
    this.events = [];
    this.lastId = 0;
    this.listeners = new Set();
    this.phase = null;
    this.stopAsked = false;
    this.answerNowAsked = false;
    const question = conversation.nodes.get(node.parent);
    const version = [...conversation.nodes.values()].filter((n) => n.parent === node.parent).length;
    this.script = scriptFor(question.content, { deepThink: node.deep_think, search: node.search, version });
    this.question = question.content;
  }

  emit(event, data) {
    const entry = { id: ++this.lastId, event, data };
    this.events.push(entry);
    for (const listener of this.listeners) listener(entry);
  }

  enter(phase) {
    this.phase = phase;
    this.emit('phase', phase);
  }

  async run() {
    const started = Date.now();
    const { node, script, state } = this;
    const tokens = promptTokens(branchOf(this.conversation, node.parent)) + script.prefill;
    await this.prepare(tokens);
    const rate = script.slow ? 25 : state.rate;
    node.timing = { queue_ms: script.queue * 200, prefill_ms: Date.now() - started, tokens_per_second: rate };
    node.usage = { prompt_tokens: tokens, cached_tokens: Math.floor(tokens / 3), completion_tokens: 0, reasoning_tokens: 0, ...node.usage };
    await this.write(rate);
    if (node.state === 'running') node.state = 'done';
    this.conversation.updated = Date.now();
    this.phase = null;
    const { content, reasoning, ...rest } = node;
    this.emit('end', { node: rest });
  }

  async prepare(tokens) {
    const { script, node } = this;
    for (let position = script.queue; position > 0 && !this.stopAsked; position--) {
      this.enter({ name: 'queued', position });
      await sleep(400);
    }
    if (script.loading) {
      for (let done = 0; done <= 4 && !this.stopAsked; done++) {
        this.enter({ name: 'loading', done: done * 4e8, total: 1.6e9 });
        await sleep(150);
      }
    }
    if (node.search && node.sources.length === 0) {
      this.enter({ name: 'searching', query: this.question.slice(0, 80) });
      await sleep(150);
      node.sources = SOURCES;
      this.emit('sources', { sources: SOURCES });
    }
    const cached = Math.floor(tokens / 3);
    const steps = script.prefill ? 10 : 1;
    for (let step = 0; step < steps && !this.stopAsked; step++) {
      this.enter({ name: 'prefill', done: Math.floor(cached + ((tokens - cached) * step) / steps), total: tokens, cached });
      await sleep(script.prefill ? 200 : 30);
    }
  }

  async write(rate) {
    const { node, script } = this;
    let debt = 0;
    let lastRate = 0;
    let thinkingSince = null;
    const thoughtBefore = node.thinking_ms ?? 0;
    let thinking = node.content === '' && node.reasoning.length < script.reasoning.length;
    this.enter({ name: thinking ? 'thinking' : 'answering' });
    if (thinking) thinkingSince = Date.now();
    for (;;) {
      if (thinking && (this.answerNowAsked || node.reasoning.length >= script.reasoning.length)) {
        thinking = false;
        this.enter({ name: 'answering' });
      }
      if (this.stopAsked) node.state = 'stopped';
      if (node.usage.completion_tokens >= script.limit && node.content.length < 400) {
        node.state = 'length';
        if (script.fillsContext) node.usage.prompt_tokens = CONTEXT - node.usage.completion_tokens;
      }
      if (node.usage.completion_tokens >= script.failsAfter) {
        node.state = 'failed';
        node.error = { message: 'the engine ran out of memory for this answer', type: 'server_error', param: null, code: 'out_of_memory' };
        script.failsAfter = Infinity; // a continuation succeeds
      }
      if (node.state !== 'running' || (!thinking && node.content.length >= script.content.length)) return;
      await sleep(TICK_MS);
      debt += (rate * TICK_MS) / 1000;
      const count = Math.floor(debt);
      debt -= count;
      if (count === 0) continue;
      this.speak(thinking ? 'reasoning' : 'content', count);
      if (thinking) node.thinking_ms = thoughtBefore + Date.now() - thinkingSince;
      if (Date.now() - lastRate > 500) {
        lastRate = Date.now();
        const { prompt_tokens, completion_tokens, reasoning_tokens } = node.usage;
        this.emit('rate', { completion_tokens, reasoning_tokens, tokens_per_second: rate, context_used: prompt_tokens + completion_tokens });
      }
    }
  }

  speak(field, tokens) {
    const rest = this.script[field].slice(this.node[field].length);
    const text = Array.from(rest.slice(0, tokens * TOKEN_CHARACTERS * 2)).slice(0, tokens * TOKEN_CHARACTERS).join('');
    this.node[field] += text;
    this.node.usage.completion_tokens += tokens;
    if (field === 'reasoning') this.node.usage.reasoning_tokens += tokens;
    this.emit(field, { text });
  }
}

export function startAnswer(state, conversation, node) {
  const answer = new Answer(state, conversation, node);
  state.answers.set(node.id, answer);
  void answer.run();
  return answer;
}

export function continueAnswer(state, conversation, node) {
  if (!['stopped', 'length', 'failed'].includes(node.state)) throw new Refusal(409, 'conflict', `answer ${node.id}: its state is ${node.state}`);
  const before = state.answers.get(node.id);
  node.state = 'running';
  node.error = null;
  const answer = new Answer(state, conversation, node);
  if (before) answer.script = { ...before.script, limit: Infinity, queue: 0 };
  answer.lastId = before?.lastId ?? 0;
  state.answers.set(node.id, answer);
  void answer.run();
}

/** Sends an answer's events to `response` until it ends or the client goes. */
export function streamAnswer(node, answer, lastEventId, response) {
  response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
  const write = ({ id, event, data }) => response.write(`id: ${id}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  const first = answer?.events[0]?.id ?? Infinity;
  if (answer && lastEventId >= first - 1 && lastEventId <= answer.lastId) {
    for (const entry of answer.events) if (entry.id > lastEventId) write(entry);
  } else {
    write({ id: answer?.lastId ?? 0, event: 'snapshot', data: { node, phase: answer?.phase ?? null } });
  }
  if (node.state !== 'running') return response.end();
  const listener = (entry) => {
    write(entry);
    if (entry.event === 'end') response.end();
  };
  answer.listeners.add(listener);
  const heartbeat = setInterval(() => response.write(': heartbeat\n\n'), 15_000);
  response.on('close', () => {
    clearInterval(heartbeat);
    answer.listeners.delete(listener);
  });
}
