// SPDX-License-Identifier: MIT
// A board's MIG layout over its memory slices. Geometry comes from the server, which has it from the driver or from
// the board's table; nothing about models is known here.

export interface MigProfile {
  profile: string;
  profileId: string;
  computeSlices: number;
  /** null: not known of this board. */
  memorySlices: number | null;
  memoryMiB: number | null;
  maxInstances: number;
  placements: number[];
}

export interface MigPart {
  id: string;
  giId: number;
  profile: string;
  placementStart: number | null;
  placementSize: number | null;
}

export interface MigSpan<T extends MigPart> {
  giId: number;
  profile: string;
  start: number;
  size: number;
  parts: T[];
}

export interface MigPicture<T extends MigPart> {
  units: number;
  spans: MigSpan<T>[];
  /** GPU instances whose place is not known. */
  unplaced: MigSpan<T>[];
  free: number[];
  /** Free slices into which no profile of this board can be put. */
  stranded: number[];
  fits: string[];
}

export function migPicture<T extends MigPart>(
  units: number,
  profiles: readonly MigProfile[],
  instances: readonly T[],
): MigPicture<T> {
  const byGi = new Map<number, MigSpan<T>>();
  for (const part of instances) {
    const span = byGi.get(part.giId);
    if (span) span.parts.push(part);
    else
      byGi.set(part.giId, {
        giId: part.giId,
        profile: part.profile,
        start: part.placementStart ?? -1,
        size: part.placementSize ?? 0,
        parts: [part],
      });
  }
  const all = [...byGi.values()];
  const spans = all.filter((s) => s.start >= 0 && s.size > 0).sort((a, b) => a.start - b.start);
  const unplaced = all.filter((s) => s.start < 0 || s.size === 0);
  const taken = new Array<boolean>(units).fill(false);
  for (const s of spans) for (let k = s.start; k < Math.min(units, s.start + s.size); k++) taken[k] = true;
  const free = taken.flatMap((t, k) => (t ? [] : [k]));
  if (unplaced.length > 0) return { units, spans, unplaced, free: [], stranded: [], fits: [] };

  const reachable = new Set<number>();
  const fits: string[] = [];
  for (const p of profiles) {
    const size = p.memorySlices;
    if (size === null || all.filter((s) => s.profile === p.profile).length >= p.maxInstances) continue;
    const starts = p.placements.filter((start) => start + size <= units && clear(taken, start, size));
    if (starts.length > 0) fits.push(p.profile);
    for (const start of starts) for (let k = start; k < start + size; k++) reachable.add(k);
  }
  return { units, spans, unplaced, free, stranded: free.filter((k) => !reachable.has(k)), fits };
}

function clear(taken: readonly boolean[], start: number, size: number): boolean {
  for (let k = start; k < start + size; k++) if (taken[k]) return false;
  return true;
}

/** Colour index by the number of compute slices a profile's name begins with: the same profile looks the same everywhere. */
export function migHue(profile: string): number {
  const slices = Number.parseInt(profile, 10);
  return { 1: 2, 2: 1, 3: 0, 4: 3, 7: 4 }[slices] ?? 0;
}
