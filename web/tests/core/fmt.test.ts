// SPDX-License-Identifier: MIT
import { describe, expect, it } from 'vitest';
import * as f from '../../src/core/fmt';

const MISSING = [null, undefined, NaN, Infinity];

describe('what is not measured is "—", never 0', () => {
  it.each(MISSING)('%s', (v) => {
    for (const text of [
      f.number('en', v),
      f.percent('ko', v, 1),
      f.celsius('en', v),
      f.memory('en', v),
      f.watts('en', v),
      f.bytesPerSecond('en', v),
      f.money('en', v, 'USD'),
      f.time('en', 'utc', v, 'full'),
    ])
      expect(text).toBe('—');
    expect(f.memoryOf('en', v, 81920)).toBe('— / 80 GiB');
  });

  it('and 0 is 0', () => {
    expect(f.percent('en', 0)).toBe('0%');
    expect(f.watts('en', 0)).toBe('0.0 W');
    expect(f.money('en', 0, 'USD')).toBe('$0.00');
    expect(f.memory('en', 0)).toBe('0 MiB');
  });
});

it('groups digits', () => {
  expect(f.number('en', 20000)).toBe('20,000');
  expect(f.number('ko', 1234567.891, 2)).toBe('1,234,567.89');
});

it.each([
  [512, '512 MiB'],
  [1024, '1.0 GiB'],
  [9856, '9.6 GiB'],
  [81559, '80 GiB'],
  [1733768, '1,693 GiB'],
  [20 * 1024 * 1024, '20.0 TiB'],
])('%d MiB', (mib, text) => expect(f.memory('en', mib)).toBe(text));

it('writes a unit once where both parts have it', () => {
  expect(f.memoryOf('en', 27648, 81920)).toBe('27 / 80 GiB');
  expect(f.memoryOf('en', 99, 9856)).toBe('99 MiB / 9.6 GiB');
});

it.each([
  [42.25, '42.3 W'],
  [303.4, '303 W'],
  [9999, '9,999 W'],
  [12345, '12.3 kW'],
  [5780000, '5.78 MW'],
])('%d W', (w, text) => expect(f.watts('en', w)).toBe(text));

it.each([
  [1500, '1.5 kB/s'],
  [2.5e6, '2.5 MB/s'],
  [4.4e10, '44.0 GB/s'],
])('%d B/s', (v, text) => expect(f.bytesPerSecond('en', v)).toBe(text));

describe('money', () => {
  it('follows currency and language', () => {
    expect(f.money('en', 144, 'USD')).toBe('$144.00');
    expect(f.money('en', 120002, 'USD')).toBe('$120,002');
    expect(f.money('ko', 199000, 'KRW')).toBe('₩199,000');
  });

  it('shows a currency it does not know by its name', () => {
    expect(f.money('en', 1.5, 'not a code')).toBe('1.50 not a code');
  });
});

describe('time', () => {
  const at = Date.UTC(2026, 10, 24, 23, 5, 9) / 1000;

  it('is written in 24 hours', () => {
    expect(f.time('en', 'utc', at, 'clock')).toBe('23:05:09');
    expect(f.time('en', 'utc', at, 'minute')).toBe('23:05');
    expect(f.time('en', 'utc', at, 'full')).toBe('24/11/2026, 23:05:09');
    expect(f.time('ko', 'utc', at, 'full')).toBe('2026. 11. 24. 23:05:09');
    expect(f.time('en', 'utc', Date.UTC(2026, 0, 1) / 1000, 'minute')).toBe('00:00');
  });

  it('reads RFC 3339', () => {
    expect(f.timeOfText('en', 'utc', '2026-11-24T23:05:09.123Z', 'clock')).toBe('23:05:09');
    expect(f.timeOfText('en', 'utc', null, 'clock')).toBe('—');
    expect(f.timeOfText('en', 'utc', 'rubbish', 'clock')).toBe('—');
  });
});

it.each([
  ['en', 0, '0s'],
  ['en', 59, '59s'],
  ['en', 61, '1m'],
  ['en', 7300, '2h'],
  ['en', 200000, '2d'],
  ['ko', 5, '5초'],
  ['ko', 120, '2분'],
] as const)('%s: %d s is %s', (lang, s, text) => expect(f.duration(lang, s)).toBe(text));
