// SPDX-License-Identifier: MIT
// The whole fleet as columns: one typed array a value, one position a device. Nothing here is reactive; whoever
// draws reads `rev`, which grows with every change.
import { bytesOf, u16Of, u32Of } from './b64';
import { HEALTH_RANK, healthOf, type Health } from './health';

export const NOT_MEASURED = 255;
export const FLAG_MIG = 1;
export const FLAG_MANAGED = 2;
export const FLAG_HELD = 4;
export const FLAG_SIMULATED = 8;
export const IDLE_BELOW_PERCENT = 5;
export const HOT_ABOVE_CELSIUS = 85;

export interface FleetColumns {
  seq: number;
  /** Null before the first snapshot. */
  ts: string | null;
  count: number;
  health: string[];
  ids: string[];
  uuids: string[];
  nodes: { names: string[]; clusters: string[]; index: string };
  models: { names: string[]; index: string };
  memoryTotalMiB: string;
  flags: string;
  u: string;
  t: string;
  m: string;
  h: string;
  mig: string;
}

export interface FleetDelta {
  seq: number;
  baseSeq: number;
  ts: string;
  i: string;
  u: string;
  t: string;
  m: string;
  h: string;
  f?: string;
}

export const SORT_KEYS = ['id', 'node', 'model', 'health', 'util', 'mem', 'temp', 'mig', 'held'] as const;
export type SortKey = (typeof SORT_KEYS)[number];
/** Keys whose order moves with the data, so that a table has to hold it still under a cursor. */
export const LIVE_KEYS: ReadonlySet<SortKey> = new Set(['health', 'util', 'mem', 'temp', 'mig', 'held']);

export type ConditionFilter = '' | 'attention' | 'idle' | 'hot' | 'unhealthy' | 'held' | 'free' | 'unmeasured' | 'mig';

export interface FleetQuery {
  text: string;
  model: string;
  health: Health | '';
  condition: ConditionFilter;
  sort: SortKey;
  descending: boolean;
}

export interface FleetCounts {
  bins: number[];
  unmeasured: number;
  idle: number;
  hot: number;
  held: number;
  /** Not ok, or hot. */
  attention: number;
}

const collator = new Intl.Collator('en', { numeric: true });

export class Fleet {
  rev = 0;
  seq = -1;
  ts = '';
  count = 0;
  healths: Health[] = [];
  ids: string[] = [];
  uuids: string[] = [];
  nodeNames: string[] = [];
  nodeClusters: string[] = [];
  modelNames: string[] = [];
  node = new Uint32Array(0);
  model = new Uint16Array(0);
  memoryTotalMiB = new Uint32Array(0);
  flags = new Uint8Array(0);
  u = new Uint8Array(0);
  t = new Uint8Array(0);
  m = new Uint8Array(0);
  h = new Uint8Array(0);
  mig = new Uint8Array(0);
  /** Devices in the order of cluster, node and index: the order of the heatmap and of equal sort keys. */
  byId = new Uint32Array(0);
  private byModel = new Uint32Array(0);
  private haystack: string[] = [];
  private positions = new Map<string, number>();

  load(c: FleetColumns): void {
    const n = c.count;
    const columns = {
      node: u32Of(c.nodes.index),
      model: u16Of(c.models.index),
      memoryTotalMiB: u32Of(c.memoryTotalMiB),
      flags: bytesOf(c.flags),
      u: bytesOf(c.u),
      t: bytesOf(c.t),
      m: bytesOf(c.m),
      h: bytesOf(c.h),
      mig: bytesOf(c.mig),
    };
    for (const [name, column] of Object.entries(columns)) {
      if (column.length !== n) throw new RangeError(`fleet column ${name} holds ${column.length} of ${n} devices`);
    }
    Object.assign(this, columns);
    this.seq = c.seq;
    this.ts = c.ts ?? '';
    this.count = n;
    this.healths = c.health.map(healthOf);
    this.ids = c.ids;
    this.uuids = c.uuids;
    this.nodeNames = c.nodes.names;
    this.nodeClusters = c.nodes.clusters;
    this.modelNames = c.models.names;
    this.index();
    this.rev++;
  }

  /** Applies an update. False: there is a hole between what we have and the update, so the columns must be fetched. */
  apply(d: FleetDelta): boolean {
    if (d.seq <= this.seq) return true;
    if (d.baseSeq > this.seq) return false;
    const at = u32Of(d.i);
    const u = bytesOf(d.u);
    const t = bytesOf(d.t);
    const m = bytesOf(d.m);
    const h = bytesOf(d.h);
    const f = d.f === undefined ? null : bytesOf(d.f);
    for (let k = 0; k < at.length; k++) {
      const i = at[k]!;
      if (i >= this.count) return false;
      this.u[i] = u[k]!;
      this.t[i] = t[k]!;
      this.m[i] = m[k]!;
      this.h[i] = h[k]!;
      if (f) this.flags[i] = f[k]!;
    }
    this.seq = d.seq;
    this.ts = d.ts;
    this.rev++;
    return true;
  }

  /** Position of a device by id or UUID, -1 when there is none. */
  find(idOrUuid: string): number {
    return this.positions.get(idOrUuid) ?? -1;
  }

  healthAt(i: number): Health {
    return this.healths[this.h[i]!] ?? 'unknown';
  }

  /** Positions of the devices that pass the filter, in order. Not measured comes last in either direction. */
  query(q: FleetQuery): Uint32Array {
    const base = q.sort === 'model' ? this.byModel : this.byId;
    const keep = this.filter(q, base);
    if (q.sort === 'id' || q.sort === 'node' || q.sort === 'model') return q.descending ? keep.reverse() : keep;
    return this.countingSort(keep, this.sortKeys(q.sort), q.descending);
  }

  counts(): FleetCounts {
    const bins = new Array<number>(10).fill(0);
    const out = { bins, unmeasured: 0, idle: 0, hot: 0, held: 0, attention: 0 };
    for (let i = 0; i < this.count; i++) {
      const u = this.u[i]!;
      if (u === NOT_MEASURED) out.unmeasured++;
      else {
        bins[Math.min(9, (u / 10) | 0)]!++;
        if (u < IDLE_BELOW_PERCENT) out.idle++;
      }
      const hot = this.hotAt(i);
      if (hot) out.hot++;
      if (hot || this.healthAt(i) !== 'ok') out.attention++;
      if (this.flags[i]! & FLAG_HELD) out.held++;
    }
    return out;
  }

  /** The devices a person should look at, worst first: failed, degraded, hot, then not heard from. */
  attention(limit: number): number[] {
    const found: { i: number; rank: number }[] = [];
    for (let i = 0; i < this.count; i++) {
      const health = this.healthAt(i);
      if (health === 'ok' && !this.hotAt(i)) continue;
      found.push({ i, rank: health === 'ok' ? 1.5 : HEALTH_RANK[health] });
    }
    found.sort((a, b) => a.rank - b.rank || this.t[b.i]! - this.t[a.i]! || a.i - b.i);
    return found.slice(0, limit).map((x) => x.i);
  }

  private filter(q: FleetQuery, base: Uint32Array): Uint32Array {
    const words = q.text.toLowerCase().split(/\s+/).filter(Boolean);
    const model = q.model === '' ? -1 : this.modelNames.indexOf(q.model);
    if (q.model !== '' && model < 0) return new Uint32Array(0);
    const out = new Uint32Array(this.count);
    let n = 0;
    for (let k = 0; k < base.length; k++) {
      const i = base[k]!;
      if (model >= 0 && this.model[i] !== model) continue;
      if (q.health !== '' && this.healthAt(i) !== q.health) continue;
      if (q.condition !== '' && !this.meets(i, q.condition)) continue;
      if (words.length > 0 && !words.every((w) => this.haystack[i]!.includes(w))) continue;
      out[n++] = i;
    }
    return out.slice(0, n);
  }

  private hotAt(i: number): boolean {
    const t = this.t[i]!;
    return t !== NOT_MEASURED && t > HOT_ABOVE_CELSIUS;
  }

  private meets(i: number, condition: ConditionFilter): boolean {
    switch (condition) {
      case 'idle':
        return this.u[i]! < IDLE_BELOW_PERCENT;
      case 'hot':
        return this.hotAt(i);
      case 'attention':
        return this.hotAt(i) || this.healthAt(i) !== 'ok';
      case 'unhealthy':
        return this.healthAt(i) !== 'ok';
      case 'held':
        return (this.flags[i]! & FLAG_HELD) !== 0;
      case 'free':
        return (this.flags[i]! & FLAG_HELD) === 0;
      case 'unmeasured':
        return this.u[i] === NOT_MEASURED;
      case 'mig':
        return (this.flags[i]! & FLAG_MIG) !== 0;
      default:
        return true;
    }
  }

  private sortKeys(sort: SortKey): Uint8Array {
    if (sort === 'util') return this.u;
    if (sort === 'temp') return this.t;
    if (sort === 'mem') return this.m;
    if (sort === 'mig') return this.mig;
    const out = new Uint8Array(this.count);
    if (sort === 'held') for (let i = 0; i < this.count; i++) out[i] = this.flags[i]! & FLAG_HELD;
    else for (let i = 0; i < this.count; i++) out[i] = HEALTH_RANK[this.healthAt(i)];
    return out;
  }

  private countingSort(rows: Uint32Array, keys: Uint8Array, descending: boolean): Uint32Array {
    const slots = new Uint32Array(257);
    const slotOf = (key: number) => (key === NOT_MEASURED ? 255 : descending ? 254 - key : key);
    for (let k = 0; k < rows.length; k++) slots[slotOf(keys[rows[k]!]!) + 1]!++;
    for (let s = 1; s <= 256; s++) slots[s]! += slots[s - 1]!;
    const out = new Uint32Array(rows.length);
    for (let k = 0; k < rows.length; k++) out[slots[slotOf(keys[rows[k]!]!)]!++] = rows[k]!;
    return out;
  }

  private index(): void {
    const nodeOrder = Array.from(this.nodeNames.keys()).sort(
      (a, b) =>
        collator.compare(this.nodeClusters[a] ?? '', this.nodeClusters[b] ?? '') ||
        collator.compare(this.nodeNames[a]!, this.nodeNames[b]!),
    );
    const nodeRank = rankOf(nodeOrder);
    const modelOrder = Array.from(this.modelNames.keys()).sort((a, b) =>
      collator.compare(this.modelNames[a]!, this.modelNames[b]!),
    );
    const modelRank = rankOf(modelOrder);
    const all = Array.from({ length: this.count }, (_, i) => i);
    all.sort((a, b) => nodeRank[this.node[a]!]! - nodeRank[this.node[b]!]! || compareIds(this.ids[a]!, this.ids[b]!));
    this.byId = Uint32Array.from(all);
    const idRank = rankOf(all);
    all.sort((a, b) => modelRank[this.model[a]!]! - modelRank[this.model[b]!]! || idRank[a]! - idRank[b]!);
    this.byModel = Uint32Array.from(all);
    this.positions.clear();
    this.haystack = new Array<string>(this.count);
    for (let i = 0; i < this.count; i++) {
      const id = this.ids[i]!;
      const uuid = this.uuids[i]!;
      this.positions.set(id, i);
      this.positions.set(uuid, i);
      this.haystack[i] =
        `${id} ${uuid} ${this.nodeNames[this.node[i]!]!} ${this.modelNames[this.model[i]!]!}`.toLowerCase();
    }
  }
}

function rankOf(order: readonly number[]): Uint32Array {
  const rank = new Uint32Array(order.length);
  order.forEach((i, r) => (rank[i] = r));
  return rank;
}

function compareIds(a: string, b: string): number {
  return a.length - b.length || (a < b ? -1 : a > b ? 1 : 0);
}
