// SPDX-License-Identifier: MIT
// The live view: columns once, then the stream. `rev` is the one reactive number behind the typed arrays.
import { asApiError, getJson, request, type ApiError } from '../api/client';
import type { FleetColumns, FleetDelta, Me, Overview } from '../api/types';
import { Fleet } from '../core/fleet';
import { EventStream, type SseMessage, type StreamState } from '../core/sse';

/** Three times the usual collection interval: older data is shown dimmed, with its age. */
export const STALE_AFTER_S = 90;
const RELOAD_PAUSE_MS = 1_000;
const RECONNECT_MS = 5_000;
const HELD_UPDATES = 64;
/** Tiles older than this are asked for, should the stream not bring them. */
const OVERVIEW_AFTER_MS = 2_500;

class Live {
  readonly fleet = new Fleet();
  rev = $state(0);
  /** Grows when devices came or went, not with their values. */
  columns = $state(0);
  overview = $state.raw<Overview | null>(null);
  me = $state.raw<Me | null>(null);
  error = $state.raw<ApiError | null>(null);
  state = $state<StreamState>('connecting');
  retryAt = $state(0);
  /** When data last came, and now, in milliseconds of this machine; the header shows the difference. */
  lastData = $state(0);
  now = $state(Date.now());
  loaded = $state(false);
  age = $derived(this.lastData === 0 ? 0 : Math.max(0, Math.round((this.now - this.lastData) / 1000)));
  stale = $derived(this.loaded && this.age > STALE_AFTER_S);

  private stream = new EventStream({
    open: (lastId, signal) => request('events?topics=fleet,overview', { accept: 'text/event-stream', signal, lastId }),
    onMessage: (message) => this.onMessage(message),
    onState: (state, retryMs) => this.onState(state, retryMs),
  });
  private lost = false;
  private attempt = 0;
  private reloading = false;
  private lastReload = 0;
  private lastOverview = 0;
  private askingOverview = false;
  private held: FleetDelta[] = [];
  private frame = 0;
  private ticker: ReturnType<typeof setInterval> | undefined;
  private retryTimer: ReturnType<typeof setTimeout> | undefined;

  start(): void {
    document.addEventListener('visibilitychange', () => this.onVisibility());
    this.ticker = setInterval(() => (this.now = Date.now()), 1000);
    void this.connect();
  }

  stop(): void {
    clearInterval(this.ticker);
    clearTimeout(this.retryTimer);
    this.attempt++;
    this.stream.stop();
  }

  async connect(): Promise<void> {
    const attempt = ++this.attempt;
    clearTimeout(this.retryTimer);
    this.stream.stop();
    this.state = 'connecting';
    try {
      const [overview, columns, me] = await Promise.all([
        getJson<Overview>('gpu/overview'),
        getJson<FleetColumns>('gpu/fleet'),
        getJson<Me>('auth/me').catch(() => null),
      ]);
      if (attempt !== this.attempt) return;
      this.setColumns(columns);
      this.setOverview(overview);
      this.me = me;
      this.loaded = true;
      this.error = null;
      this.lost = false;
      this.touched();
      this.stream.start(String(this.fleet.seq));
    } catch (cause) {
      if (attempt !== this.attempt) return;
      this.error = asApiError(cause);
      this.state = this.error.needsKey ? 'refused' : 'waiting';
      if (this.error.needsKey) return;
      this.retryAt = Date.now() + RECONNECT_MS;
      this.retryTimer = setTimeout(() => {
        if (!document.hidden) void this.connect();
      }, RECONNECT_MS);
    }
  }

  private onVisibility(): void {
    // A hidden tab gives its connection back: a browser has six for a host.
    if (document.hidden) {
      clearTimeout(this.retryTimer);
      this.attempt++;
      this.stream.stop();
      this.state = 'paused';
    } else if (this.state === 'paused') void this.connect();
  }

  private onState(state: StreamState, retryMs: number): void {
    this.state = state;
    this.retryAt = retryMs > 0 ? Date.now() + retryMs : 0;
    // Behind a connection that was lost may be another process, whose numbers have nothing to do with ours: the stream
    // begins anew, and the columns are fetched under it.
    if (state === 'waiting') {
      this.lost = true;
      this.stream.forget();
    }
    if (state === 'live' && this.lost) {
      this.lost = false;
      void this.reload();
    }
  }

  private onMessage(message: SseMessage): void {
    if (message.event === 'fleet') this.onDelta(JSON.parse(message.data) as FleetDelta);
    else if (message.event === 'overview') {
      this.setOverview(JSON.parse(message.data) as Overview);
      this.touched();
    } else if (message.event === 'reset') void this.reload();
  }

  private onDelta(delta: FleetDelta): void {
    if (this.reloading) {
      // Values are absolute and the newest wins, so what comes meanwhile is laid over the fetched columns.
      if (this.held.length < HELD_UPDATES) this.held.push(delta);
      return;
    }
    if (!this.fleet.apply(delta)) void this.reload();
    else this.touched();
    if (Date.now() - this.lastOverview > OVERVIEW_AFTER_MS) void this.askOverview();
  }

  private setColumns(columns: FleetColumns): void {
    this.fleet.load(columns);
    this.columns++;
  }

  private setOverview(overview: Overview): void {
    this.overview = overview;
    this.lastOverview = Date.now();
  }

  private async askOverview(): Promise<void> {
    if (this.askingOverview) return;
    this.askingOverview = true;
    try {
      this.setOverview(await getJson<Overview>('gpu/overview'));
    } catch {
      // The stream's own state tells of a lost connection; the next update asks again.
      this.lastOverview = Date.now();
    }
    this.askingOverview = false;
  }

  private async reload(): Promise<void> {
    if (this.reloading) return;
    this.reloading = true;
    this.held = [];
    const pause = this.lastReload + RELOAD_PAUSE_MS - Date.now();
    if (pause > 0) await new Promise((done) => setTimeout(done, pause));
    this.lastReload = Date.now();
    let whole = true;
    try {
      this.setColumns(await getJson<FleetColumns>('gpu/fleet'));
      for (const delta of this.held) whole = whole && this.fleet.apply(delta);
      this.touched();
    } catch {
      // The hole is still there, so the next update comes back here.
    }
    this.reloading = false;
    if (!whole) void this.reload();
  }

  /** One redraw a frame, however many messages came. */
  private touched(): void {
    this.lastData = Date.now();
    this.now = this.lastData;
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.rev++;
    });
  }
}

export const live = new Live();
