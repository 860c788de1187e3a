import { describe, expect, it } from 'vitest';
import { EventParser, readEvents, type ServerEvent } from '../src/api/sse';

const STREAM =
  '\ufeff: comment\n\nid: 1\nevent: content\ndata: {"text":"你好"}\n\r\nid:2\r\ndata: a\r\ndata:  b\r\n\r\nevent: none\n\ndata\n\nretry: 5\rdata: c\r\rid: 9\ndata: cut off';
const EVENTS: ServerEvent[] = [
  { id: '1', event: 'content', data: '{"text":"你好"}' },
  { id: '2', event: 'message', data: 'a\n b' },
  { id: '2', event: 'message', data: '' },
  { id: '2', event: 'message', data: 'c' },
];

describe('EventParser', () => {
  it('reads events as the standard says', () => {
    expect(new EventParser().push(STREAM)).toEqual(EVENTS);
  });
  it('gives the same for any chunking', () => {
    for (let size = 1; size < 20; size++) {
      const parser = new EventParser();
      const events: ServerEvent[] = [];
      for (let at = 0; at < STREAM.length; at += size) events.push(...parser.push(STREAM.slice(at, at + size)));
      expect(events).toEqual(EVENTS);
    }
  });
});

describe('readEvents', () => {
  it('joins code points that were cut between chunks', async () => {
    const bytes = new TextEncoder().encode('data: 推敲\n\n');
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        for (const byte of bytes) controller.enqueue(Uint8Array.of(byte));
        controller.close();
      },
    });
    let heard = 0;
    const events: ServerEvent[] = [];
    for await (const event of readEvents(new Response(body), () => heard++)) events.push(event);
    expect(events.map((e) => e.data)).toEqual(['推敲']);
    expect(heard).toBeGreaterThan(1);
  });
});
