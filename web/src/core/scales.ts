// SPDX-License-Identifier: MIT
// Colour scales. Utilisation and memory: cividis; temperature: inferno; both keep their order for every kind of colour
// sight. On light ground cividis runs the other way, so that "much" is always what stands out.
import type { Health } from './health';

export type Theme = 'light' | 'dark';
export type ColorBy = 'util' | 'temp' | 'mem' | 'health' | 'held';
export const COLOR_BY: readonly ColorBy[] = ['util', 'mem', 'temp', 'health', 'held'];

export const CIVIDIS = '00224e 123570 3b496c 575d6d 707173 8a8678 a59c74 c3b369 e1cc55 fee838'.split(' ');
export const INFERNO = '000004 1b0c41 4a0c6b 781c6d a52c60 cf4446 ed6925 fb9b06 f7d13d fcffa4'.split(' ');

export const HEALTH_COLOR: Record<Theme, Record<Health, string>> = {
  light: { ok: '0f6cbd', degraded: 'ffc145', failed: '9c1c2e', unknown: '8f969f' },
  dark: { ok: '58a6ff', degraded: 'ffd166', failed: 'e5484d', unknown: '8b949e' },
};

export const NONE_COLOR: Record<Theme, string> = { light: 'd5dae0', dark: '30363d' };
const HELD_COLOR: Record<Theme, { held: string; free: string }> = {
  light: { held: '0072b2', free: 'cfe3f1' },
  dark: { held: '56b4e9', free: '1f3d52' },
};

export const TEMP_LOW = 30;
export const TEMP_HIGH = 95;

/** Canvas bytes are R,G,B,A in memory: as one little-endian word, A<<24 | B<<16 | G<<8 | R. */
export function wordOf(hex: string): number {
  const n = parseInt(hex, 16);
  return ((255 << 24) | ((n & 255) << 16) | (n & 0xff00) | (n >> 16)) >>> 0;
}

export function hexOf(word: number): string {
  const r = word & 255;
  const g = (word >> 8) & 255;
  const b = (word >> 16) & 255;
  return '#' + ((1 << 24) | (r << 16) | (g << 8) | b).toString(16).slice(1);
}

export function rampAt(stops: readonly string[], at: number): string {
  const x = Math.max(0, Math.min(1, at)) * (stops.length - 1);
  const k = Math.min(stops.length - 2, Math.floor(x));
  const a = parseInt(stops[k]!, 16);
  const b = parseInt(stops[k + 1]!, 16);
  const mix = (shift: number) => {
    const from = (a >> shift) & 255;
    return Math.round(from + (((b >> shift) & 255) - from) * (x - k));
  };
  return ((1 << 24) | (mix(16) << 16) | (mix(8) << 8) | mix(0)).toString(16).slice(1);
}

/** Stops from the low end to the high end. */
export function stopsFor(by: 'util' | 'mem' | 'temp', theme: Theme): readonly string[] {
  if (by === 'temp') return theme === 'dark' ? INFERNO.slice(1) : [...INFERNO.slice(1, 9)].reverse();
  return theme === 'dark' ? CIVIDIS : [...CIVIDIS].reverse();
}

/** 256 canvas words, indexed by the byte of the column; 255 is "not measured". */
export function lutFor(by: ColorBy, theme: Theme, healths: readonly Health[]): Uint32Array {
  const lut = new Uint32Array(256).fill(wordOf(NONE_COLOR[theme]));
  if (by === 'health') {
    healths.forEach((h, i) => (lut[i] = wordOf(HEALTH_COLOR[theme][h])));
    return lut;
  }
  if (by === 'held') {
    for (let v = 0; v < 256; v++) lut[v] = wordOf(HELD_COLOR[theme][v & 4 ? 'held' : 'free']);
    return lut;
  }
  const stops = stopsFor(by, theme);
  for (let v = 0; v < 255; v++) {
    const at = by === 'temp' ? (v - TEMP_LOW) / (TEMP_HIGH - TEMP_LOW) : v / 100;
    lut[v] = wordOf(rampAt(stops, at));
  }
  return lut;
}

/** Relative luminance (WCAG), to choose dark or light ink on a cell. */
export function luminanceOf(word: number): number {
  const lin = (byte: number) => {
    const c = byte / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  };
  return 0.2126 * lin(word & 255) + 0.7152 * lin((word >> 8) & 255) + 0.0722 * lin((word >> 16) & 255);
}

export function inkOn(word: number): string {
  // Pure black: with anything lighter no ink would reach 4.5:1 on the greys in the middle of the ramp.
  return luminanceOf(word) > 0.179 ? '#000000' : '#ffffff';
}

/** What a canvas cannot read from the style sheet. */
export const CANVAS_INK: Record<
  Theme,
  { ink: string; ink2: string; line: string; ground: string; series: string; band: string }
> = {
  light: {
    ink: '#1b1f24',
    ink2: '#4d5661',
    line: '#e3e7ec',
    ground: '#ffffff',
    series: '#0072b2',
    band: 'rgba(0,114,178,0.18)',
  },
  dark: {
    ink: '#e8ecf1',
    ink2: '#a7b1bd',
    line: '#2b323b',
    ground: '#161b22',
    series: '#56b4e9',
    band: 'rgba(86,180,233,0.20)',
  },
};
