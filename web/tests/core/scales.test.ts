// SPDX-License-Identifier: MIT
import { describe, expect, it } from 'vitest';
import { HEALTHS } from '../../src/core/health';
import * as s from '../../src/core/scales';

const THEMES = ['light', 'dark'] as const;
const lum = (hex: string) => s.luminanceOf(s.wordOf(hex));

describe('ramps', () => {
  it.each(THEMES)('utilisation and memory keep their order of lightness on %s ground', (theme) => {
    for (const by of ['util', 'mem'] as const) {
      const stops = s.stopsFor(by, theme);
      const light = Array.from({ length: 101 }, (_, k) => lum(s.rampAt(stops, k / 100)));
      const sign = theme === 'dark' ? 1 : -1;
      for (let k = 1; k < light.length; k++)
        expect((light[k]! - light[k - 1]!) * sign, `${by} ${k}`).toBeGreaterThan(0);
    }
  });

  it.each(THEMES)('temperature keeps its order on %s ground', (theme) => {
    const stops = s.stopsFor('temp', theme);
    const light = Array.from({ length: 66 }, (_, k) => lum(s.rampAt(stops, k / 65)));
    const sign = theme === 'dark' ? 1 : -1;
    for (let k = 1; k < light.length; k++) expect((light[k]! - light[k - 1]!) * sign, String(k)).toBeGreaterThan(0);
  });

  it('meets its ends and stays there', () => {
    expect(s.rampAt(s.CIVIDIS, 0)).toBe(s.CIVIDIS[0]);
    expect(s.rampAt(s.CIVIDIS, 1)).toBe(s.CIVIDIS.at(-1));
    expect(s.rampAt(s.CIVIDIS, -3)).toBe(s.CIVIDIS[0]);
    expect(s.rampAt(s.CIVIDIS, 9)).toBe(s.CIVIDIS.at(-1));
    expect(s.rampAt(['000000', '0a0a0a'], 0.5)).toBe('050505');
  });
});

describe('colour words', () => {
  it('go there and back', () => {
    for (const hex of ['000000', 'ffffff', '0072b2', '010203']) expect(s.hexOf(s.wordOf(hex))).toBe(`#${hex}`);
    expect(s.wordOf('112233')).toBe(0xff332211);
  });

  it('tell how light they are', () => {
    expect(lum('ffffff')).toBeCloseTo(1, 5);
    expect(lum('000000')).toBe(0);
  });
});

describe('look-up tables', () => {
  it.each(THEMES)('255 is "not measured" and looks like no value on %s ground', (theme) => {
    for (const by of ['util', 'mem', 'temp'] as const) {
      const lut = s.lutFor(by, theme, HEALTHS);
      expect(s.hexOf(lut[255]!)).toBe(`#${s.NONE_COLOR[theme]}`);
      expect(Array.from(lut.slice(0, 101))).not.toContain(lut[255]);
    }
  });

  it('has health by the order the server names', () => {
    const lut = s.lutFor('health', 'dark', ['failed', 'ok']);
    expect(s.hexOf(lut[0]!)).toBe(`#${s.HEALTH_COLOR.dark.failed}`);
    expect(s.hexOf(lut[1]!)).toBe(`#${s.HEALTH_COLOR.dark.ok}`);
  });

  it('tells held from free by the flag alone', () => {
    const lut = s.lutFor('held', 'light', HEALTHS);
    expect(lut[4]).toBe(lut[4 | 2 | 1]);
    expect(lut[3]).toBe(lut[0]);
    expect(lut[4]).not.toBe(lut[0]);
  });

  it('is opaque', () => {
    for (const by of s.COLOR_BY) for (const word of s.lutFor(by, 'light', HEALTHS)) expect(word >>> 24).toBe(255);
  });
});

it.each(THEMES)('figures on cells have a contrast of 4.5 on %s ground', (theme) => {
  for (const by of ['util', 'temp', 'health'] as const) {
    const lut = s.lutFor(by, theme, HEALTHS);
    const last = by === 'health' ? 3 : 100;
    for (let v = 0; v <= last; v++) {
      const a = s.luminanceOf(lut[v]!);
      const b = lum(s.inkOn(lut[v]!).slice(1));
      const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
      expect(contrast, `${by} ${v} ${s.hexOf(lut[v]!)}`).toBeGreaterThanOrEqual(4.5);
    }
  }
});
