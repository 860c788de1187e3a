// An event stream that is opened again when it breaks, from the last event that was seen.
import { refusal } from './client';
import { readEvents, type ServerEvent } from './sse';

const SILENCE_MS = 45_000; // three missed heartbeats: the connection is dead though nobody said so
const RETRY_MS = [250, 1000, 2000, 5000];

export interface StreamHandlers {
  /** Returns true after the event that ends the stream. */
  onEvent(event: ServerEvent): boolean;
  /** The server refused the stream: it is not tried again. */
  onRefused(cause: unknown): void;
  onConnection(connected: boolean): void;
}

/** Follows `path` until its last event, a refusal, or `signal`. */
export async function followEvents(path: string, handlers: StreamHandlers, signal: AbortSignal): Promise<void> {
  let lastId: string | null = null;
  for (let failures = 0; !signal.aborted; failures++) {
    const attempt = new AbortController();
    const abort = () => attempt.abort();
    signal.addEventListener('abort', abort);
    let silence = setTimeout(abort, SILENCE_MS);
    const heard = () => {
      clearTimeout(silence);
      silence = setTimeout(abort, SILENCE_MS);
    };
    try {
      const headers: Record<string, string> = lastId === null ? {} : { 'Last-Event-ID': lastId };
      const response = await fetch(path, { headers, signal: attempt.signal, cache: 'no-store' });
      if (response.status >= 400 && response.status < 500 && response.status !== 429) {
        handlers.onRefused(await refusal(response));
        return;
      }
      if (!response.ok) throw await refusal(response);
      handlers.onConnection(true);
      for await (const event of readEvents(response, heard)) {
        failures = 0;
        lastId = event.id ?? lastId;
        if (handlers.onEvent(event)) return;
      }
    } catch {
      // Broken or not reached: tried again below.
    } finally {
      clearTimeout(silence);
      signal.removeEventListener('abort', abort);
    }
    if (signal.aborted) return;
    handlers.onConnection(false);
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS[Math.min(failures, RETRY_MS.length - 1)]));
  }
}
