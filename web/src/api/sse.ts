// Server-sent events as the HTML standard defines their text, for any chunking of it.

export interface ServerEvent {
  id: string | null;
  event: string;
  data: string;
}

export class EventParser {
  private rest = '';
  private afterReturn = false; // the last chunk ended in CR: a LF that follows belongs to it
  private first = true;
  private id: string | null = null;
  private event = '';
  private data: string[] = [];

  push(chunk: string): ServerEvent[] {
    let text = chunk;
    if (this.first && text !== '') {
      this.first = false;
      if (text.charCodeAt(0) === 0xfeff) text = text.slice(1);
    }
    if (this.afterReturn && text.startsWith('\n')) text = text.slice(1);
    if (chunk !== '') this.afterReturn = chunk.endsWith('\r');
    const lines = (this.rest + text).split(/\r\n|\r|\n/);
    this.rest = lines.pop() ?? '';
    const events: ServerEvent[] = [];
    for (const line of lines) {
      const event = this.line(line);
      if (event) events.push(event);
    }
    return events;
  }

  private line(line: string): ServerEvent | null {
    if (line === '') {
      const event = this.data.length === 0 ? null : { id: this.id, event: this.event || 'message', data: this.data.join('\n') };
      this.event = '';
      this.data = [];
      return event;
    }
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'data') this.data.push(value);
    else if (field === 'event') this.event = value;
    else if (field === 'id' && !value.includes('\0')) this.id = value;
    return null;
  }
}

/** The events of a response, until it ends or breaks (then it throws). `onBytes`: something came, if only a heartbeat. */
export async function* readEvents(response: Response, onBytes: () => void): AsyncGenerator<ServerEvent> {
  const parser = new EventParser();
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  if (!reader) return;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      onBytes();
      yield* parser.push(value);
    }
  } finally {
    reader.cancel().catch(() => undefined);
  }
}
