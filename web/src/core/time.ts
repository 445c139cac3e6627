// SPDX-License-Identifier: MIT
// Time ranges as they stand in the URL: `now`, `now-6h`, epoch seconds. UTC on the wire, local or UTC on the screen.

export const RANGES = ['15m', '1h', '6h', '24h', '7d', '30d'] as const;
export type RangeName = (typeof RANGES)[number];
export const DEFAULT_RANGE: RangeName = '1h';

const UNIT_SECONDS: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86400 };

export function durationSeconds(text: string): number | null {
  const match = /^(\d{1,6})([smhd])$/.exec(text);
  return match ? Number(match[1]) * UNIT_SECONDS[match[2]!]! : null;
}

/** A moment in epoch seconds; null when the text is none. */
export function parseMoment(text: string, nowSeconds: number): number | null {
  if (text === 'now') return nowSeconds;
  if (text.startsWith('now-')) {
    const back = durationSeconds(text.slice(4));
    return back === null ? null : nowSeconds - back;
  }
  return /^\d{9,11}$/.test(text) ? Number(text) : null;
}

export interface TimeRange {
  from: string;
  to: string;
}

export function rangeOf(name: RangeName): TimeRange {
  return { from: `now-${name}`, to: 'now' };
}

/** The preset a range is, null for a zoomed or hand-made one. */
export function presetOf(range: TimeRange): RangeName | null {
  if (range.to !== 'now') return null;
  return RANGES.find((name) => range.from === `now-${name}`) ?? null;
}

export function isLive(range: TimeRange): boolean {
  return range.to === 'now';
}

/** How often a live chart asks again: about a three-hundredth of its span, never faster than 2 s. */
export function refreshMs(spanSeconds: number): number {
  return Math.max(2_000, Math.min(60_000, (spanSeconds / 300) * 1000));
}
