// SPDX-License-Identifier: MIT
// From the answer of the server to what a chart draws, says and tabulates.

export interface SeriesAnswer {
  metric: string;
  unit: string;
  min: (number | null)[];
  avg: (number | null)[];
  max: (number | null)[];
}

export interface MetricsAnswer {
  deviceId: string;
  uuid: string;
  from: string;
  to: string;
  step: string;
  tier: 'memory' | 'raw' | '5m' | '1h' | '1d';
  series: SeriesAnswer[];
  timestamps: number[];
}

export interface SeriesSummary {
  points: number;
  gaps: number;
  min: number | null;
  avg: number | null;
  max: number | null;
  last: number | null;
}

/** Runs of missing points between measured ones count as one gap each; missing ends are not gaps but absence. */
export function summarize(s: SeriesAnswer): SeriesSummary {
  const out: SeriesSummary = { points: 0, gaps: 0, min: null, avg: null, max: null, last: null };
  let sum = 0;
  let open = false;
  for (let k = 0; k < s.avg.length; k++) {
    const avg = s.avg[k];
    if (avg === null || avg === undefined) {
      open = out.points > 0;
      continue;
    }
    if (open) out.gaps++;
    open = false;
    out.points++;
    sum += avg;
    out.last = avg;
    const low = s.min[k] ?? avg;
    const high = s.max[k] ?? avg;
    if (out.min === null || low < out.min) out.min = low;
    if (out.max === null || high > out.max) out.max = high;
  }
  if (out.points > 0) out.avg = sum / out.points;
  return out;
}

/** Whether the buckets hold more than one sample, so that a band between min and max says something. */
export function hasBand(s: SeriesAnswer): boolean {
  return s.avg.some((_, k) => s.min[k] !== null && s.max[k] !== null && s.min[k] !== s.max[k]);
}

export function scaled(values: (number | null)[], factor: number): (number | null)[] {
  return factor === 1 ? values : values.map((v) => (v === null ? null : v * factor));
}

const ROUND = [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10];

/** The next round number from `value` up. */
function roundUp(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return (ROUND.find((m) => m * power >= value * (1 - 1e-9)) ?? 10) * power;
}

/** The top of a y axis that begins at zero: fixed where the unit has one, else a round number with some air. */
export function yTop(max: number | null, top: number | null, floor: number): number {
  return top !== null ? Math.ceil(top) : roundUp(Math.max(floor, (max ?? 0) * 1.05));
}

/** Few ticks from zero to the top: its ends and the middle where that is a whole number, else round steps. */
export function yTicks(top: number): number[] {
  if (top % 2 === 0) return [0, top / 2, top];
  const step = roundUp(top / 3);
  const out: number[] = [];
  for (let at = 0; at <= top; at += step) out.push(at);
  return out;
}
