// SPDX-License-Identifier: MIT
import { describe, expect, it } from 'vitest';
import { hasBand, scaled, summarize, yTicks, yTop, type SeriesAnswer } from '../../src/core/chart';

const series = (avg: (number | null)[], spread = 0): SeriesAnswer => ({
  metric: 'utilization',
  unit: 'percent',
  avg,
  min: avg.map((v) => (v === null ? null : v - spread)),
  max: avg.map((v) => (v === null ? null : v + spread)),
});

describe('summary', () => {
  it('counts runs of missing points between measured ones as one gap each', () => {
    expect(summarize(series([null, 1, null, null, 3, null, 5, null, null]))).toEqual({
      points: 3,
      gaps: 2,
      min: 1,
      avg: 3,
      max: 5,
      last: 5,
    });
  });

  it('takes min and max from the buckets', () => {
    expect(summarize(series([10, 20], 4))).toMatchObject({ min: 6, avg: 15, max: 24 });
  });

  it('says nothing where nothing was measured', () => {
    const none = { points: 0, gaps: 0, min: null, avg: null, max: null, last: null };
    expect(summarize(series([]))).toEqual(none);
    expect(summarize(series([null, null]))).toEqual(none);
  });

  it('takes 0 as a value', () => {
    expect(summarize(series([0, 0]))).toEqual({ points: 2, gaps: 0, min: 0, avg: 0, max: 0, last: 0 });
  });
});

it('draws a band only where buckets hold more than one sample', () => {
  expect(hasBand(series([1, 2]))).toBe(false);
  expect(hasBand(series([1, 2], 1))).toBe(true);
  expect(hasBand(series([null], 1))).toBe(false);
});

it('scales values and keeps gaps', () => {
  expect(scaled([1024, null, 0], 1 / 1024)).toEqual([1, null, 0]);
});

describe('axis', () => {
  it('has a fixed top where the unit has one', () => {
    expect(yTop(50, 100, 100)).toBe(100);
    expect(yTop(79.6, 79.65, 1)).toBe(80);
  });

  it.each([
    [86, 100, 100],
    [94.8, 1, 100],
    [99, 1, 120],
    [303, 100, 400],
    [1725, 1000, 2000],
    [null, 100, 100],
    [0, 100, 100],
  ])('else a round one: %s over %d is %d', (max, floor, top) => {
    expect(yTop(max, null, floor)).toBe(top);
    expect(yTop(max, null, floor)).toBeGreaterThanOrEqual(max ?? 0);
  });

  it.each([
    [100, [0, 50, 100]],
    [80, [0, 40, 80]],
    [24, [0, 12, 24]],
    [141, [0, 50, 100]],
    [11, [0, 4, 8]],
    [250, [0, 125, 250]],
    [1, [0, 0.4, 0.8]],
  ])('has few round ticks up to %d', (top, ticks) => {
    const got = yTicks(top);
    expect(got).toHaveLength(ticks.length);
    got.forEach((v, k) => expect(v).toBeCloseTo(ticks[k]!));
  });
});
