// SPDX-License-Identifier: MIT
import { beforeEach, describe, expect, it } from 'vitest';
import { FLAG_HELD, FLAG_MANAGED, FLAG_MIG, Fleet, NOT_MEASURED, type FleetQuery } from '../../src/core/fleet';
import { b64, columnsOf, deltaOf, fleetRows, type Row } from '../helpers';

const ROWS: Row[] = [
  {
    id: 'worker-10-GPU-00',
    node: 'worker-10',
    model: 'H100_80GB',
    u: 90,
    t: 88,
    m: 50,
    flags: FLAG_MANAGED | FLAG_HELD,
  },
  { id: 'worker-2-GPU-01', node: 'worker-2', model: 'RTX4090', u: NOT_MEASURED, t: NOT_MEASURED, health: 'unknown' },
  { id: 'worker-2-GPU-00', node: 'worker-2', model: 'A100_80GB', u: 0, t: 30, m: 0, mig: 7, flags: FLAG_MIG },
  { id: 'worker-1-GPU-00', node: 'worker-1', model: 'A100_80GB', u: 4, t: 85, m: 10, health: 'degraded' },
  { id: 'worker-1-GPU-01', node: 'worker-1', model: 'H100_80GB', u: 55, t: 86, m: NOT_MEASURED, health: 'failed' },
];

const ANY: FleetQuery = { text: '', model: '', health: '', condition: '', sort: 'id', descending: false };
let fleet: Fleet;
const ids = (q: Partial<FleetQuery>) =>
  Array.from(fleet.query({ ...ANY, ...q }), (i) => fleet.ids[i]!.replace('worker-', ''));

beforeEach(() => {
  fleet = new Fleet();
  fleet.load(columnsOf(ROWS, 7));
});

describe('columns', () => {
  it('holds every column of the answer', () => {
    expect(fleet.count).toBe(5);
    expect(fleet.seq).toBe(7);
    expect(Array.from(fleet.u)).toEqual([90, 255, 0, 4, 55]);
    expect(Array.from(fleet.memoryTotalMiB)).toEqual([81920, 81920, 81920, 81920, 81920]);
    expect(fleet.modelNames[fleet.model[1]!]).toBe('RTX4090');
    expect(fleet.nodeNames[fleet.node[3]!]).toBe('worker-1');
    expect(fleet.healthAt(4)).toBe('failed');
  });

  it('finds a device by id and by UUID, and none by anything else', () => {
    expect(fleet.find('worker-2-GPU-00')).toBe(2);
    expect(fleet.find('GPU-4')).toBe(4);
    expect(fleet.find('worker-2')).toBe(-1);
  });

  it('refuses an answer whose columns differ in length, and keeps what it had', () => {
    const short = { ...columnsOf(ROWS, 8), t: b64(new Uint8Array(4)) };
    expect(() => fleet.load(short)).toThrow(/column t holds 4 of 5/);
    expect(fleet.seq).toBe(7);
    expect(fleet.t).toHaveLength(5);
  });

  it('takes health by the order the server names, an unknown name as unknown', () => {
    fleet.load({ ...columnsOf(ROWS), health: ['failed', 'novel', 'ok', 'degraded'] });
    expect([0, 1, 3, 4].map((i) => fleet.healthAt(i))).toEqual(['failed', 'degraded', 'unknown', 'ok']);
  });

  it('forgets devices that are gone', () => {
    fleet.load(columnsOf(ROWS.slice(0, 2), 9));
    expect(fleet.count).toBe(2);
    expect(fleet.find('worker-1-GPU-00')).toBe(-1);
    expect(fleet.query(ANY)).toHaveLength(2);
  });

  it('orders by cluster, then node and index as people count', () => {
    expect(ids({})).toEqual(['1-GPU-00', '1-GPU-01', '2-GPU-00', '2-GPU-01', '10-GPU-00']);
    fleet.load(
      columnsOf([
        { ...ROWS[0]!, cluster: 'a' },
        { ...ROWS[3]!, cluster: 'b' },
      ]),
    );
    expect(ids({})).toEqual(['10-GPU-00', '1-GPU-00']);
  });
});

describe('updates', () => {
  it('changes what they name and nothing else', () => {
    const rev = fleet.rev;
    expect(fleet.apply(deltaOf(8, 7, [{ i: 3, u: 77, t: 60, m: 20, health: 'ok' }]))).toBe(true);
    expect(Array.from(fleet.u)).toEqual([90, 255, 0, 77, 55]);
    expect(fleet.healthAt(3)).toBe('ok');
    expect(fleet.flags[3]).toBe(2);
    expect(fleet.seq).toBe(8);
    expect(fleet.rev).toBe(rev + 1);
  });

  it('carries flags when the server sends them', () => {
    fleet.apply(deltaOf(8, 7, [{ i: 2, flags: FLAG_MIG | FLAG_HELD }], true));
    expect(fleet.flags[2]).toBe(FLAG_MIG | FLAG_HELD);
  });

  it('ignores one already known', () => {
    const rev = fleet.rev;
    expect(fleet.apply(deltaOf(7, 6, [{ i: 0, u: 1 }]))).toBe(true);
    expect(fleet.u[0]).toBe(90);
    expect(fleet.rev).toBe(rev);
  });

  it('takes one that begins before what is known and ends after it', () => {
    expect(fleet.apply(deltaOf(9, 5, [{ i: 0, u: 12 }]))).toBe(true);
    expect(fleet.u[0]).toBe(12);
  });

  it('reports a hole and a position that does not exist', () => {
    expect(fleet.apply(deltaOf(10, 8, [{ i: 0, u: 1 }]))).toBe(false);
    expect(fleet.seq).toBe(7);
    expect(fleet.apply(deltaOf(8, 7, [{ i: 5, u: 1 }]))).toBe(false);
  });

  it('may be empty', () => {
    expect(fleet.apply(deltaOf(8, 7, []))).toBe(true);
    expect(fleet.seq).toBe(8);
  });
});

describe('query', () => {
  it('filters by every word, over id, UUID, node and model, in any case', () => {
    expect(ids({ text: 'WORKER-1-' })).toEqual(['1-GPU-00', '1-GPU-01']);
    expect(ids({ text: 'h100 worker-1-' })).toEqual(['1-GPU-01']);
    expect(ids({ text: 'gpu-3' })).toEqual(['1-GPU-00']);
    expect(ids({ text: 'nothing' })).toEqual([]);
  });

  it('filters by model, health and condition together', () => {
    expect(ids({ model: 'A100_80GB' })).toEqual(['1-GPU-00', '2-GPU-00']);
    expect(ids({ model: 'A100_80GB', health: 'degraded' })).toEqual(['1-GPU-00']);
    expect(ids({ model: 'V100' })).toEqual([]);
    expect(ids({ condition: 'held', model: 'H100_80GB' })).toEqual(['10-GPU-00']);
  });

  it.each([
    ['idle', ['1-GPU-00', '2-GPU-00']],
    ['hot', ['1-GPU-01', '10-GPU-00']],
    ['attention', ['1-GPU-00', '1-GPU-01', '2-GPU-01', '10-GPU-00']],
    ['unhealthy', ['1-GPU-00', '1-GPU-01', '2-GPU-01']],
    ['held', ['10-GPU-00']],
    ['free', ['1-GPU-00', '1-GPU-01', '2-GPU-00', '2-GPU-01']],
    ['unmeasured', ['2-GPU-01']],
    ['mig', ['2-GPU-00']],
  ] as const)('condition %s', (condition, expected) => {
    expect(ids({ condition })).toEqual(expected);
  });

  it('does not take a value that was not measured for idle or hot', () => {
    expect(ids({ condition: 'idle', model: 'RTX4090' })).toEqual([]);
    expect(ids({ condition: 'hot', model: 'RTX4090' })).toEqual([]);
  });

  it('sorts by a value, not measured last in both directions', () => {
    expect(ids({ sort: 'util' })).toEqual(['2-GPU-00', '1-GPU-00', '1-GPU-01', '10-GPU-00', '2-GPU-01']);
    expect(ids({ sort: 'util', descending: true })).toEqual([
      '10-GPU-00',
      '1-GPU-01',
      '1-GPU-00',
      '2-GPU-00',
      '2-GPU-01',
    ]);
    expect(ids({ sort: 'mem', descending: true }).at(-1)).toBe('1-GPU-01');
    expect(ids({ sort: 'temp', descending: true })[0]).toBe('10-GPU-00');
  });

  it('sorts health worst first, model by name, held and MIG by flag and count', () => {
    expect(ids({ sort: 'health' })).toEqual(['1-GPU-01', '1-GPU-00', '2-GPU-01', '2-GPU-00', '10-GPU-00']);
    expect(ids({ sort: 'model' })).toEqual(['1-GPU-00', '2-GPU-00', '1-GPU-01', '10-GPU-00', '2-GPU-01']);
    expect(ids({ sort: 'held', descending: true })[0]).toBe('10-GPU-00');
    expect(ids({ sort: 'mig', descending: true })[0]).toBe('2-GPU-00');
  });

  it('keeps the order of ids among equals', () => {
    fleet.load(columnsOf(fleetRows(3, 4, (k) => ({ u: k % 2 === 0 ? 10 : 20 }))));
    const sorted = ids({ sort: 'util', descending: true });
    expect(sorted.slice(0, 6)).toEqual([...sorted.slice(0, 6)].sort());
    expect(sorted.slice(6)).toEqual([...sorted.slice(6)].sort());
  });

  it('never changes the order it keeps for itself', () => {
    const before = Array.from(fleet.byId);
    fleet.query({ ...ANY, descending: true });
    fleet.query({ ...ANY, sort: 'model', descending: true });
    expect(Array.from(fleet.byId)).toEqual(before);
  });

  it('gives every device exactly once, however it sorts', () => {
    for (const sort of ['id', 'node', 'model', 'health', 'util', 'mem', 'temp', 'mig', 'held'] as const) {
      for (const descending of [false, true]) {
        const got = Array.from(fleet.query({ ...ANY, sort, descending })).sort((a, b) => a - b);
        expect(got, `${sort} ${descending}`).toEqual([0, 1, 2, 3, 4]);
      }
    }
  });
});

describe('counts', () => {
  it('adds up to the fleet', () => {
    const c = fleet.counts();
    expect(c.bins).toEqual([2, 0, 0, 0, 0, 1, 0, 0, 0, 1]);
    expect(c.bins.reduce((a, b) => a + b, 0) + c.unmeasured).toBe(fleet.count);
    expect(c).toMatchObject({ unmeasured: 1, idle: 2, hot: 2, held: 1, attention: 4 });
  });

  it('names what needs attention, worst first, no more than asked', () => {
    const named = (n: number) => fleet.attention(n).map((i) => fleet.ids[i]!.replace('worker-', ''));
    expect(named(9)).toEqual(['1-GPU-01', '1-GPU-00', '10-GPU-00', '2-GPU-01']);
    expect(named(2)).toEqual(['1-GPU-01', '1-GPU-00']);
  });
});

it('queries and counts 20,000 GPUs far faster than once a second needs', () => {
  const rows = fleetRows(2500, 8, (k) => ({ u: (k * 7) % 101, t: 30 + (k % 60), health: k % 50 ? 'ok' : 'degraded' }));
  fleet.load(columnsOf(rows));
  const began = performance.now();
  for (let k = 0; k < 5; k++) {
    expect(fleet.query({ ...ANY, sort: 'util', descending: true })).toHaveLength(20000);
    expect(fleet.counts().bins.reduce((a, b) => a + b, 0)).toBe(20000);
  }
  expect((performance.now() - began) / 5).toBeLessThan(100);
});
