// SPDX-License-Identifier: MIT
// Server-sent events over fetch: EventSource cannot send an Authorization header, and hides the status of a refusal.

export interface SseMessage {
  event: string;
  data: string;
  id: string | null;
}

/** Splits text into messages; keeps what is not finished. Comment lines are counted as a sign of life only. */
export class SseParser {
  private rest = '';
  lastId: string | null = null;

  push(chunk: string): SseMessage[] {
    const all = this.rest + chunk;
    // A CR at the end may be the first half of a CRLF: it waits for what follows.
    const whole = all.endsWith('\r') ? all.length - 1 : all.length;
    const out: SseMessage[] = [];
    const text = all.slice(0, whole).replace(/\r\n?/g, '\n');
    let from = 0;
    for (;;) {
      const end = text.indexOf('\n\n', from);
      if (end < 0) break;
      const message = this.block(text.slice(from, end));
      if (message) out.push(message);
      from = end + 2;
    }
    this.rest = text.slice(from) + all.slice(whole);
    return out;
  }

  private block(text: string): SseMessage | null {
    let event = 'message';
    const data: string[] = [];
    for (const line of text.split('\n')) {
      const colon = line.indexOf(':');
      if (colon === 0 || line === '') continue;
      const field = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? '' : line.slice(colon + (line[colon + 1] === ' ' ? 2 : 1));
      if (field === 'event') event = value;
      else if (field === 'data') data.push(value);
      else if (field === 'id') this.lastId = value;
    }
    return data.length === 0 ? null : { event, data: data.join('\n'), id: this.lastId };
  }
}

export type StreamState = 'connecting' | 'live' | 'waiting' | 'paused' | 'refused';

export interface StreamOptions {
  open: (lastId: string | null, signal: AbortSignal) => Promise<Response>;
  onMessage: (message: SseMessage) => void;
  onState: (state: StreamState, retryMs: number) => void;
  /** Silence (no event, no heartbeat) after which the connection counts as lost; the server speaks each 15 s. */
  silenceMs?: number;
  random?: () => number;
}

const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 30_000;

/** A stream that comes back by itself: exponential steps with jitter, resumed by the id of the last message. */
export class EventStream {
  private lastId: string | null = null;
  private controller: AbortController | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private failures = 0;

  constructor(private readonly options: StreamOptions) {}

  start(lastId: string | null): void {
    this.stop();
    this.lastId = lastId;
    this.failures = 0;
    void this.run();
  }

  stop(): void {
    clearTimeout(this.timer);
    this.controller?.abort();
    this.controller = null;
  }

  /** The next connection begins at the present, not after the last message. */
  forget(): void {
    this.lastId = null;
  }

  private async run(): Promise<void> {
    const controller = new AbortController();
    this.controller = controller;
    this.options.onState('connecting', 0);
    try {
      const response = await this.options.open(this.lastId, controller.signal);
      if (response.status === 401 || response.status === 403) {
        this.options.onState('refused', 0);
        return;
      }
      if (!response.ok || !response.body) throw new Error(`stream answered ${response.status}`);
      this.options.onState('live', 0);
      await this.read(response.body, controller);
    } catch {
      // Every failure has the same answer: wait and come back.
    }
    if (this.controller !== controller) return;
    const step = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** this.failures++);
    const wait = Math.round(step * (0.5 + 0.5 * (this.options.random ?? Math.random)()));
    this.options.onState('waiting', wait);
    this.timer = setTimeout(() => void this.run(), wait);
  }

  private async read(body: ReadableStream<Uint8Array>, controller: AbortController): Promise<void> {
    const reader = body.getReader();
    const decoder = new TextDecoder();
    const parser = new SseParser();
    parser.lastId = this.lastId;
    const silence = this.options.silenceMs ?? 40_000;
    let watchdog = setTimeout(() => controller.abort(), silence);
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done || controller.signal.aborted) return;
        clearTimeout(watchdog);
        watchdog = setTimeout(() => controller.abort(), silence);
        this.failures = 0;
        for (const message of parser.push(decoder.decode(value, { stream: true }))) {
          this.lastId = message.id;
          this.options.onMessage(message);
        }
      }
    } finally {
      clearTimeout(watchdog);
      reader.cancel().catch(() => undefined);
    }
  }
}
