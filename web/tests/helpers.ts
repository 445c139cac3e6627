// SPDX-License-Identifier: MIT
import type { FleetColumns, FleetDelta } from '../src/core/fleet';
import { HEALTHS, type Health } from '../src/core/health';

export interface Row {
  id: string;
  uuid?: string;
  node: string;
  cluster?: string;
  model: string;
  u?: number;
  t?: number;
  m?: number;
  health?: Health;
  flags?: number;
  mig?: number;
  memoryMiB?: number;
}

type Column = Uint8Array | Uint16Array | Uint32Array;

export function b64(column: Column): string {
  return Buffer.from(column.buffer, column.byteOffset, column.byteLength).toString('base64');
}

/** The answer of `gpu/fleet` for these devices, in this order. */
export function columnsOf(rows: readonly Row[], seq = 1): FleetColumns {
  const nodeKeys = [...new Set(rows.map((r) => `${r.cluster ?? 'default'}\n${r.node}`))];
  const modelNames = [...new Set(rows.map((r) => r.model))];
  const bytes = (of: (r: Row) => number) => b64(Uint8Array.from(rows, of));
  return {
    seq,
    ts: '2026-11-24T12:00:00Z',
    count: rows.length,
    health: [...HEALTHS],
    ids: rows.map((r) => r.id),
    uuids: rows.map((r, i) => r.uuid ?? `GPU-${i}`),
    nodes: {
      names: nodeKeys.map((k) => k.split('\n')[1]!),
      clusters: nodeKeys.map((k) => k.split('\n')[0]!),
      index: b64(Uint32Array.from(rows, (r) => nodeKeys.indexOf(`${r.cluster ?? 'default'}\n${r.node}`))),
    },
    models: { names: modelNames, index: b64(Uint16Array.from(rows, (r) => modelNames.indexOf(r.model))) },
    memoryTotalMiB: b64(Uint32Array.from(rows, (r) => r.memoryMiB ?? 81920)),
    flags: bytes((r) => r.flags ?? 2),
    u: bytes((r) => r.u ?? 0),
    t: bytes((r) => r.t ?? 40),
    m: bytes((r) => r.m ?? 0),
    h: bytes((r) => HEALTHS.indexOf(r.health ?? 'ok')),
    mig: bytes((r) => r.mig ?? 0),
  };
}

export interface Change {
  i: number;
  u?: number;
  t?: number;
  m?: number;
  health?: Health;
  flags?: number;
}

export function deltaOf(seq: number, baseSeq: number, changes: readonly Change[], withFlags = false): FleetDelta {
  const bytes = (of: (c: Change) => number) => b64(Uint8Array.from(changes, of));
  return {
    seq,
    baseSeq,
    ts: '2026-11-24T12:00:01Z',
    i: b64(Uint32Array.from(changes, (c) => c.i)),
    u: bytes((c) => c.u ?? 0),
    t: bytes((c) => c.t ?? 40),
    m: bytes((c) => c.m ?? 0),
    h: bytes((c) => HEALTHS.indexOf(c.health ?? 'ok')),
    ...(withFlags ? { f: bytes((c) => c.flags ?? 0) } : {}),
  };
}

/** Nodes `worker-01`.. with `perNode` GPUs each. */
export function fleetRows(nodes: number, perNode: number, more: (k: number) => Partial<Row> = () => ({})): Row[] {
  return Array.from({ length: nodes * perNode }, (_, k) => {
    const node = `worker-${String(Math.floor(k / perNode) + 1).padStart(2, '0')}`;
    return { id: `${node}-GPU-${String(k % perNode).padStart(2, '0')}`, node, model: 'H100_80GB', ...more(k) };
  });
}
