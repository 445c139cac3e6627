// SPDX-License-Identifier: MIT
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { EventStream, SseParser, type SseMessage, type StreamState } from '../../src/core/sse';

describe('SseParser', () => {
  it('reads event, data and id', () => {
    expect(new SseParser().push('event: fleet\nid: 12\ndata: {"a":1}\n\n')).toEqual([
      { event: 'fleet', data: '{"a":1}', id: '12' },
    ]);
  });

  it('gives the same messages however the text is cut', () => {
    const text =
      ': hello\n\nevent: fleet\nid: 1\ndata: a\ndata: b\n\ndata:c\n\n: beat\n\nevent: overview\ndata: {}\n\n';
    const whole = new SseParser().push(text);
    expect(whole.map((m) => [m.event, m.data, m.id])).toEqual([
      ['fleet', 'a\nb', '1'],
      ['message', 'c', '1'],
      ['overview', '{}', '1'],
    ]);
    for (let cut = 1; cut < text.length; cut++) {
      const p = new SseParser();
      expect([...p.push(text.slice(0, cut)), ...p.push(text.slice(cut))], `cut at ${cut}`).toEqual(whole);
    }
    const bytewise = new SseParser();
    expect([...text].flatMap((c) => bytewise.push(c))).toEqual(whole);
  });

  it('understands every line ending, also one cut in the middle', () => {
    for (const end of ['\n', '\r\n', '\r']) {
      const text = ['event: x', 'data: 1', '', ''].join(end);
      for (let cut = 0; cut <= text.length; cut++) {
        const p = new SseParser();
        const got = [...p.push(text.slice(0, cut)), ...p.push(text.slice(cut)), ...p.push(':\n')];
        expect(got, `${JSON.stringify(end)} cut at ${cut}`).toEqual([{ event: 'x', data: '1', id: null }]);
      }
    }
  });

  it('takes one space off a value, and a field without a colon as empty', () => {
    expect(new SseParser().push('data:  two\ndata\nid\n\n')).toEqual([{ event: 'message', data: ' two\n', id: '' }]);
  });

  it('drops a message without data', () => {
    expect(new SseParser().push('event: ping\n\n')).toEqual([]);
  });
});

describe('EventStream', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  interface Fake {
    lastIds: (string | null)[];
    states: [StreamState, number][];
    messages: SseMessage[];
    send: (text: string) => void;
    end: () => void;
    stream: EventStream;
  }

  function fake(status = 200): Fake {
    let sink: ReadableStreamDefaultController<Uint8Array>;
    const out: Fake = {
      lastIds: [],
      states: [],
      messages: [],
      send: (text) => sink.enqueue(new TextEncoder().encode(text)),
      end: () => sink.close(),
      stream: new EventStream({
        open: (lastId, signal) => {
          out.lastIds.push(lastId);
          const body = new ReadableStream<Uint8Array>({ start: (c) => void (sink = c) });
          signal.addEventListener('abort', () => {
            try {
              sink.error(new Error('aborted'));
            } catch {
              // It had ended.
            }
          });
          return Promise.resolve(new Response(body, { status }));
        },
        onMessage: (m) => out.messages.push(m),
        onState: (s, ms) => out.states.push([s, ms]),
        silenceMs: 1000,
        random: () => 1,
      }),
    };
    return out;
  }

  it('delivers messages and resumes after the last one', async () => {
    const f = fake();
    f.stream.start('5');
    await vi.advanceTimersByTimeAsync(0);
    f.send('id: 6\ndata: x\n\n');
    await vi.advanceTimersByTimeAsync(0);
    expect(f.messages).toEqual([{ event: 'message', data: 'x', id: '6' }]);
    f.end();
    await vi.advanceTimersByTimeAsync(0);
    expect(f.states.at(-1)).toEqual(['waiting', 1000]);
    await vi.advanceTimersByTimeAsync(1000);
    expect(f.lastIds).toEqual(['5', '6']);
    expect(f.states.at(-1)![0]).toBe('live');
    f.stream.stop();
  });

  it('waits longer after each failure, up to half a minute, and starts anew after a success', async () => {
    const f = fake(503);
    f.stream.start(null);
    for (const step of [1000, 2000, 4000, 8000, 16000, 30000, 30000]) {
      await vi.advanceTimersByTimeAsync(0);
      expect(f.states.at(-1)).toEqual(['waiting', step]);
      await vi.advanceTimersByTimeAsync(step);
    }
    f.stream.stop();
  });

  it('takes silence for a lost connection; a heartbeat is no silence', async () => {
    const f = fake();
    f.stream.start(null);
    await vi.advanceTimersByTimeAsync(900);
    f.send(': beat\n\n');
    await vi.advanceTimersByTimeAsync(900);
    expect(f.states.at(-1)![0]).toBe('live');
    await vi.advanceTimersByTimeAsync(200);
    expect(f.states.at(-1)![0]).toBe('waiting');
    f.stream.stop();
  });

  it.each([401, 403])('does not come back after %d', async (status) => {
    const f = fake(status);
    f.stream.start(null);
    await vi.advanceTimersByTimeAsync(120_000);
    expect(f.states).toEqual([
      ['connecting', 0],
      ['refused', 0],
    ]);
    expect(f.lastIds).toHaveLength(1);
  });

  it('can forget where it was', async () => {
    const f = fake();
    f.stream.start('5');
    await vi.advanceTimersByTimeAsync(0);
    f.end();
    await vi.advanceTimersByTimeAsync(0);
    f.stream.forget();
    await vi.advanceTimersByTimeAsync(1000);
    expect(f.lastIds).toEqual(['5', null]);
    f.stream.stop();
  });

  it('stops for good', async () => {
    const f = fake();
    f.stream.start(null);
    await vi.advanceTimersByTimeAsync(0);
    f.stream.stop();
    const states = f.states.length;
    await vi.advanceTimersByTimeAsync(120_000);
    expect(f.states).toHaveLength(states);
    expect(f.lastIds).toHaveLength(1);
  });
});
