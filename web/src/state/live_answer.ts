// An answer that is being written, as its event stream tells it.
import { batch, signal } from '@preact/signals';
import { followEvents } from '../api/event_stream';
import type { ServerEvent } from '../api/sse';
import type { AnswerEvent, AnswerNode, Phase, Rate, Source } from '../api/types';

/** Text is published once a frame; while the page is hidden, four times a second. */
function nextFrame(run: () => void): void {
  if (document.visibilityState === 'visible') requestAnimationFrame(run);
  else setTimeout(run, 250);
}

export class LiveAnswer {
  readonly reasoning = signal('');
  readonly content = signal('');
  readonly sources = signal<Source[]>([]);
  readonly phase = signal<Phase | null>(null);
  readonly rate = signal<Rate | null>(null);
  readonly connected = signal(true);
  readonly thinkingMs = signal(0); // up to now

  private readonly abort = new AbortController();
  private pending = { reasoning: '', content: '' };
  private frameAsked = false;
  private thinkingBefore = 0; // of earlier parts of the answer
  private thinkingSince: number | null = null;
  private clock: ReturnType<typeof setInterval> | undefined;

  constructor(
    node: AnswerNode,
    private readonly onEnd: (node: AnswerNode) => void,
    private readonly onPhase: (phase: Phase) => void,
    onRefused: (cause: unknown) => void,
  ) {
    this.take(node);
    void followEvents(
      `/api/site/answers/${node.id}/events`,
      {
        onEvent: (event) => this.event(event),
        onRefused,
        onConnection: (connected) => {
          this.connected.value = connected;
        },
      },
      this.abort.signal,
    );
  }

  /** Lets go of the stream; the answer itself goes on. */
  close(): void {
    this.abort.abort();
    clearInterval(this.clock);
  }

  private event(message: ServerEvent): boolean {
    const { event, data } = { event: message.event, data: JSON.parse(message.data) as unknown } as AnswerEvent;
    switch (event) {
      case 'snapshot':
        this.pending = { reasoning: '', content: '' };
        this.take(data.node);
        if (data.node.state !== 'running') return this.finish(data.node);
        if (data.phase) this.enter(data.phase);
        return false;
      case 'phase':
        this.enter(data);
        return false;
      case 'sources':
        this.sources.value = data.sources;
        return false;
      case 'reasoning':
      case 'content':
        this.append(event, data.text);
        return false;
      case 'rate':
        this.rate.value = data;
        return false;
      case 'end':
        this.flush();
        return this.finish({ ...data.node, reasoning: this.reasoning.value, content: this.content.value });
      default:
        return false;
    }
  }

  private take(node: AnswerNode): void {
    batch(() => {
      this.reasoning.value = node.reasoning;
      this.content.value = node.content;
      this.sources.value = node.sources;
      this.thinkingMs.value = this.thinkingBefore = node.thinking_ms ?? 0;
    });
  }

  private append(field: 'reasoning' | 'content', text: string): void {
    this.pending[field] += text;
    if (this.frameAsked) return;
    this.frameAsked = true;
    nextFrame(() => this.flush());
  }

  private flush(): void {
    this.frameAsked = false;
    const { reasoning, content } = this.pending;
    this.pending = { reasoning: '', content: '' };
    batch(() => {
      if (reasoning) this.reasoning.value += reasoning;
      if (content) this.content.value += content;
    });
  }

  private enter(phase: Phase): void {
    const changed = this.phase.value?.name !== phase.name;
    this.phase.value = phase;
    if (!changed) return;
    if (phase.name === 'thinking') this.startClock();
    else this.stopClock();
    this.onPhase(phase);
  }

  private startClock(): void {
    this.thinkingSince = Date.now();
    this.clock = setInterval(() => {
      this.thinkingMs.value = this.thinkingBefore + Date.now() - (this.thinkingSince ?? Date.now());
    }, 500);
  }

  private stopClock(): void {
    clearInterval(this.clock);
    if (this.thinkingSince === null) return;
    this.thinkingMs.value = this.thinkingBefore += Date.now() - this.thinkingSince;
    this.thinkingSince = null;
  }

  private finish(node: AnswerNode): true {
    this.stopClock();
    this.phase.value = null;
    this.onEnd(node);
    return true;
  }
}
