// SPDX-License-Identifier: MIT
import { describe, expect, it } from 'vitest';
import { migHue, migPicture, type MigPart, type MigProfile } from '../../src/core/mig';

// H100 80 GB: eight memory slices; the eighth is reached by 3g at 4, by 1g.20gb at 6 and by 7g only.
const profile = (name: string, compute: number, memory: number, max: number, placements: number[]): MigProfile => ({
  profile: name,
  profileId: name,
  computeSlices: compute,
  memorySlices: memory,
  memoryMiB: memory * 9856,
  maxInstances: max,
  placements,
});
const P: MigProfile[] = [
  profile('1g.10gb', 1, 1, 7, [0, 1, 2, 3, 4, 5, 6]),
  profile('1g.20gb', 1, 2, 4, [0, 2, 4, 6]),
  profile('2g.20gb', 2, 2, 3, [0, 2, 4]),
  profile('3g.40gb', 3, 4, 2, [0, 4]),
  profile('4g.40gb', 4, 4, 1, [0]),
  profile('7g.80gb', 7, 8, 1, [0]),
];
let next = 0;
const part = (name: string, start: number | null, size: number | null, giId = ++next): MigPart => ({
  id: `i${giId}`,
  giId,
  profile: name,
  placementStart: start,
  placementSize: size,
});

describe('layout', () => {
  it('of an empty board: everything is free, everything fits, nothing is stranded', () => {
    const p = migPicture(8, P, []);
    expect(p.free).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(p.fits).toEqual(P.map((x) => x.profile));
    expect(p.stranded).toEqual([]);
  });

  it('shows the slice that 3g + 2g + 1g leaves stranded', () => {
    const p = migPicture(8, P, [part('3g.40gb', 0, 4), part('2g.20gb', 4, 2), part('1g.10gb', 6, 1)]);
    expect(p.free).toEqual([7]);
    expect(p.stranded).toEqual([7]);
    expect(p.fits).toEqual([]);
  });

  it('names what still fits beside a 3g at 4', () => {
    const p = migPicture(8, P, [part('3g.40gb', 4, 4)]);
    expect(p.free).toEqual([0, 1, 2, 3]);
    expect(p.fits).toEqual(['1g.10gb', '1g.20gb', '2g.20gb', '3g.40gb', '4g.40gb']);
    expect(p.stranded).toEqual([]);
  });

  it('keeps to the number of instances a profile may have', () => {
    const all = P.map((x) => (x.profile === '1g.20gb' ? { ...x, maxInstances: 1 } : x));
    const p = migPicture(8, all, [part('1g.20gb', 0, 2)]);
    expect(p.fits).not.toContain('1g.20gb');
    expect(p.fits).toContain('1g.10gb');
  });

  it('is in order of place, however the server lists it', () => {
    const p = migPicture(8, P, [part('1g.10gb', 6, 1), part('3g.40gb', 0, 4), part('2g.20gb', 4, 2)]);
    expect(p.spans.map((s) => s.start)).toEqual([0, 4, 6]);
  });

  it('draws compute instances of one GPU instance as one span', () => {
    const p = migPicture(8, P, [part('3g.40gb', 0, 4, 70), part('3g.40gb', 0, 4, 70)]);
    expect(p.spans).toHaveLength(1);
    expect(p.spans[0]!.parts).toHaveLength(2);
    expect(p.fits).toContain('3g.40gb');
  });

  it('claims nothing about space when a place is not known', () => {
    const p = migPicture(8, P, [part('3g.40gb', null, null), part('1g.10gb', 6, 1)]);
    expect(p.unplaced.map((s) => s.profile)).toEqual(['3g.40gb']);
    expect(p).toMatchObject({ free: [], fits: [], stranded: [] });
  });

  it('does not trust a place beyond the board', () => {
    const p = migPicture(4, P.slice(0, 1), [part('4g.40gb', 2, 4)]);
    expect(p.free).toEqual([0, 1]);
  });
});

it('gives a profile the same colour wherever it stands', () => {
  expect(migHue('1g.5gb')).toBe(migHue('1g.10gb'));
  expect(new Set(['1g', '2g', '3g', '4g', '7g'].map(migHue)).size).toBe(5);
  expect(migHue('rubbish')).toBe(0);
});
