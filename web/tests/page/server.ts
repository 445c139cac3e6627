// SPDX-License-Identifier: MIT
// A server inside the test: answers fetch by path, and holds open streams to send events through.
import { vi } from 'vitest';
import type { DeviceDetail, Me, Overview } from '../../src/api/types';
import type { FleetColumns } from '../../src/core/fleet';
import { columnsOf, type Row } from '../helpers';

export interface Asked {
  path: string;
  headers: Record<string, string>;
}

type Answer = unknown;

export class TestServer {
  readonly asked: Asked[] = [];
  readonly answers = new Map<string, () => Answer>();
  /** Set: every request is refused with this status, or fails when it is 0. */
  down: number | null = null;
  key: string | null = null;
  private streams: ReadableStreamDefaultController<Uint8Array>[] = [];

  constructor() {
    vi.stubGlobal('fetch', (url: string, init: RequestInit) => this.fetch(url, init));
  }

  fleet(rows: readonly Row[], seq: number, more: Partial<Overview> = {}): void {
    const columns: FleetColumns = columnsOf(rows, seq);
    this.answers.set('gpu/fleet', () => columns);
    this.answers.set('gpu/overview', () => overviewOf(rows, more));
    const me: Me = { name: 'anonymous', role: 'viewer', anonymous: true, profile: ['development'], open: true };
    this.answers.set('auth/me', () => me);
    this.answers.set('scrape/targets', () => ({ items: [], next: null }));
  }

  asks(path: string): number {
    return this.asked.filter((a) => a.path === path).length;
  }

  send(event: string, data: unknown, id = ''): void {
    const text = `event: ${event}\n${id ? `id: ${id}\n` : ''}data: ${JSON.stringify(data)}\n\n`;
    for (const s of this.streams) s.enqueue(new TextEncoder().encode(text));
  }

  /** Ends every stream, as a server does that stops. */
  drop(): void {
    for (const s of this.streams.splice(0)) s.close();
  }

  get open(): number {
    return this.streams.length;
  }

  private fetch(url: string, init: RequestInit): Promise<Response> {
    const path = new URL(url).pathname.replace('/k8s-monitor/api/v1/', '');
    const headers = init.headers as Record<string, string>;
    this.asked.push({ path, headers });
    if (this.down === 0) return Promise.reject(new TypeError('Failed to fetch'));
    if (this.down !== null) return Promise.resolve(problem(this.down, 'unavailable'));
    if (this.key !== null && headers.Authorization !== `Bearer ${this.key}`)
      return Promise.resolve(problem(401, 'unauthenticated'));
    if (path === 'events') return Promise.resolve(this.stream(init.signal ?? null));
    const answer = this.answers.get(path);
    if (!answer) return Promise.resolve(problem(404, 'not_found'));
    const body = answer();
    return Promise.resolve(body instanceof Response ? body : Response.json(body));
  }

  private stream(signal: AbortSignal | null): Response {
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.streams.push(controller);
        signal?.addEventListener('abort', () => {
          const at = this.streams.indexOf(controller);
          if (at < 0) return;
          this.streams.splice(at, 1);
          controller.error(new Error('aborted'));
        });
      },
    });
    return new Response(body, { headers: { 'content-type': 'text/event-stream' } });
  }
}

export function problem(status: number, code: string, detail?: string): Response {
  return Response.json(
    { type: 'about:blank', title: code, status, code, detail, request_id: 'req-1' },
    { status, headers: { 'content-type': 'application/problem+json' } },
  );
}

export function overviewOf(rows: readonly Row[], more: Partial<Overview> = {}): Overview {
  const byModel: Record<string, number> = {};
  for (const r of rows) byModel[r.model] = (byModel[r.model] ?? 0) + 1;
  const health = { ok: 0, degraded: 0, failed: 0, unknown: 0 };
  for (const r of rows) health[r.health ?? 'ok']++;
  return {
    totalGpuDevices: rows.length,
    activeAllocations: 3,
    totalMigInstances: 0,
    overallGpuUtilization: 42.5,
    devicesByModel: byModel,
    asOf: '2026-11-24T12:00:00Z',
    clusters: ['default'],
    nodes: { total: 2, ready: 2, degraded: 0, stale: 0, unknown: 0 },
    health,
    memoryTotalMiB: 81920 * rows.length,
    memoryUsedMiB: 40960 * rows.length,
    powerWatts: 1234.5,
    costPerHour: 48,
    currency: 'USD',
    unpricedDevices: 0,
    unmeasuredDevices: 0,
    idleDevices: 1,
    hotDevices: 0,
    migEnabledDevices: 0,
    utilization: { p10: 0, p50: 40, p90: 90 },
    managementEnabled: true,
    profile: ['development'],
    open: true,
    simulated: false,
    targets: { total: 2, up: 2, down: 0 },
    ...more,
  };
}

export function detailOf(row: Row, more: Partial<DeviceDetail> = {}): DeviceDetail {
  return {
    deviceId: row.id,
    uuid: row.uuid ?? `GPU-${row.id}`,
    cluster: 'default',
    nodeName: row.node,
    gpuIndex: 0,
    model: row.model,
    variant: null,
    productName: 'NVIDIA H100 80GB HBM3',
    architecture: 'Hopper',
    memoryTotalMiB: 81559,
    migCapable: true,
    migEnabled: false,
    managed: true,
    health: row.health ?? 'ok',
    healthReasons: [],
    utilization: 50,
    memoryUsedMiB: 40000,
    temperature: 60,
    powerWatts: 300,
    smClockMHz: 1980,
    pods: [],
    migInstances: [],
    hourlyCost: 8,
    currency: 'USD',
    source: 'sim',
    sampledAt: '2026-11-24T12:00:00Z',
    quality: {},
    energyJoules: null,
    memoryClockMHz: null,
    memoryTemperature: null,
    tensorActive: null,
    dramActive: null,
    grEngineActive: null,
    pcieTxBytesPerSecond: null,
    pcieRxBytesPerSecond: null,
    nvlinkBytesPerSecond: null,
    xid: 0,
    eccSbe: null,
    eccDbe: null,
    throttleReasons: [],
    driverVersion: '550.90.07',
    pciBusId: null,
    serial: null,
    firstSeen: null,
    migProfiles: [],
    migPlacementUnits: 8,
    nominalMemoryGb: 80,
    ...more,
  };
}
