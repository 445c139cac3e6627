// SPDX-License-Identifier: MIT
// Health is a code, never a translated text; colour, glyph and word all come from the code.

export const HEALTHS = ['ok', 'degraded', 'failed', 'unknown'] as const;
export type Health = (typeof HEALTHS)[number];

export const HEALTH_GLYPH: Record<Health, string> = { ok: '●', degraded: '▲', failed: '✖', unknown: '○' };

/** Worst first: what needs a person comes before what is not known. */
export const HEALTH_RANK: Record<Health, number> = { failed: 0, degraded: 1, unknown: 2, ok: 3 };

export function healthOf(text: string | null | undefined): Health {
  return HEALTHS.includes(text as Health) ? (text as Health) : 'unknown';
}
