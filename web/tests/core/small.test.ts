// SPDX-License-Identifier: MIT
import { describe, expect, it } from 'vitest';
import { isPlainKey } from '../../src/core/a11y';
import { bytesOf, u16Of, u32Of } from '../../src/core/b64';
import { HEALTH_RANK, HEALTHS, healthOf } from '../../src/core/health';
import { rowWindow, scrollToRow } from '../../src/core/rows';
import * as time from '../../src/core/time';
import { b64 } from '../helpers';

describe('base64 columns', () => {
  it('come back as they went', () => {
    const bytes = Uint8Array.from({ length: 256 }, (_, k) => k);
    expect(bytesOf(b64(bytes))).toEqual(bytes);
    const words = Uint32Array.of(0, 1, 65536, 0xffffffff);
    expect(u32Of(b64(words))).toEqual(words);
    const halves = Uint16Array.of(0, 256, 65535);
    expect(u16Of(b64(halves))).toEqual(halves);
    expect(bytesOf('')).toHaveLength(0);
  });
});

describe('health', () => {
  it('takes only its own words', () => {
    for (const h of HEALTHS) expect(healthOf(h)).toBe(h);
    for (const other of ['OK', 'toString', '', null, undefined]) expect(healthOf(other)).toBe('unknown');
  });

  it('ranks failed worst and ok best', () => {
    expect([...HEALTHS].sort((a, b) => HEALTH_RANK[a] - HEALTH_RANK[b])).toEqual([
      'failed',
      'degraded',
      'unknown',
      'ok',
    ]);
  });
});

describe('rows in view', () => {
  it('covers the view with some to spare, never past the end', () => {
    expect(rowWindow(0, 320, 32, 1000)).toEqual({ first: 0, slots: 16 });
    const middle = rowWindow(3200, 320, 32, 1000);
    expect(middle.first).toBeLessThanOrEqual(100);
    expect(middle.first + middle.slots).toBeGreaterThanOrEqual(111);
    const end = rowWindow(1e9, 320, 32, 1000);
    expect(end.first + end.slots).toBe(1000);
    expect(rowWindow(0, 320, 32, 4)).toEqual({ first: 0, slots: 4 });
    expect(rowWindow(500, 320, 32, 0)).toEqual({ first: 0, slots: 0 });
  });

  it('draws the same number of slots wherever it stands, so that they are reused', () => {
    const slots = new Set([0, 31, 32, 33, 5000, 31680].map((top) => rowWindow(top, 320, 32, 1000).slots));
    expect(slots.size).toBe(1);
  });

  it('scrolls no further than needed', () => {
    expect(scrollToRow(5, 0, 320, 32)).toBe(0);
    expect(scrollToRow(0, 320, 320, 32)).toBe(0);
    expect(scrollToRow(20, 0, 320, 32)).toBe(21 * 32 - 320);
  });
});

describe('time ranges', () => {
  it('reads moments', () => {
    expect(time.parseMoment('now', 1000)).toBe(1000);
    expect(time.parseMoment('now-1h', 10000)).toBe(6400);
    expect(time.parseMoment('1764000000', 0)).toBe(1764000000);
    for (const bad of ['', 'then', 'now-', 'now-1y', 'now+1h', '12', '-5', '1e9'])
      expect(time.parseMoment(bad, 1000), bad).toBeNull();
  });

  it('reads durations', () => {
    expect(['30s', '5m', '6h', '7d'].map(time.durationSeconds)).toEqual([30, 300, 21600, 604800]);
    for (const bad of ['', 'h', '1w', '1.5h', '-1h']) expect(time.durationSeconds(bad), bad).toBeNull();
  });

  it('knows its presets', () => {
    for (const name of time.RANGES) expect(time.presetOf(time.rangeOf(name))).toBe(name);
    expect(time.presetOf({ from: 'now-90m', to: 'now' })).toBeNull();
    expect(time.presetOf({ from: 'now-1h', to: '1764000000' })).toBeNull();
    expect(time.isLive(time.rangeOf('1h'))).toBe(true);
    expect(time.isLive({ from: '1764000000', to: '1764000600' })).toBe(false);
  });

  it('asks again more seldom for longer ranges', () => {
    expect(time.refreshMs(900)).toBe(3000);
    expect(time.refreshMs(60)).toBe(2000);
    expect(time.refreshMs(30 * 86400)).toBe(60000);
  });
});

describe('single-key shortcuts', () => {
  function press(target: HTMLElement, init: KeyboardEventInit = {}): boolean {
    let plain = false;
    document.body.append(target);
    target.addEventListener('keydown', (e) => (plain = isPlainKey(e)), { once: true });
    target.dispatchEvent(new KeyboardEvent('keydown', { key: 't', bubbles: true, ...init }));
    target.remove();
    return plain;
  }

  it('fire on the page and on buttons', () => {
    expect(press(document.createElement('div'))).toBe(true);
    expect(press(document.createElement('button'))).toBe(true);
  });

  it('never fire while typing, composing, or with a modifier', () => {
    for (const tag of ['input', 'textarea', 'select']) expect(press(document.createElement(tag)), tag).toBe(false);
    expect(press(document.createElement('div'), { ctrlKey: true })).toBe(false);
    expect(press(document.createElement('div'), { metaKey: true })).toBe(false);
    expect(press(document.createElement('div'), { altKey: true })).toBe(false);
    expect(press(document.createElement('div'), { isComposing: true })).toBe(false);
    const map = document.createElement('div');
    map.setAttribute('role', 'application');
    expect(press(map)).toBe(false);
  });
});
