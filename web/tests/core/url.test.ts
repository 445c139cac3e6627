// SPDX-License-Identifier: MIT
import { describe, expect, it } from 'vitest';
import { SORT_KEYS } from '../../src/core/fleet';
import { HEALTHS } from '../../src/core/health';
import { COLOR_BY } from '../../src/core/scales';
import { RANGES, rangeOf } from '../../src/core/time';
import { CONDITIONS, defaultRoute, formatRoute, parseRoute, type Route } from '../../src/core/url';

function again(route: Route, extra: Record<string, string> = {}): Route {
  const [path, search] = formatRoute(route, extra).split('?');
  return parseRoute(path!, search ?? '');
}

describe('the URL is the state', () => {
  it('leaves defaults out', () => {
    expect(formatRoute(defaultRoute())).toBe('');
    expect(parseRoute('', '')).toEqual(defaultRoute());
  });

  it('brings every choice back', () => {
    for (const sort of SORT_KEYS)
      for (const descending of [false, true])
        for (const color of COLOR_BY) {
          const route = defaultRoute();
          Object.assign(route.query, { sort, descending });
          route.color = color;
          expect(again(route)).toEqual(route);
        }
    for (const health of HEALTHS) {
      const route = defaultRoute();
      route.query.health = health;
      expect(again(route)).toEqual(route);
    }
    for (const condition of CONDITIONS) {
      const route = defaultRoute();
      route.query.condition = condition;
      expect(again(route)).toEqual(route);
    }
    for (const name of RANGES) {
      const route = { ...defaultRoute(), range: rangeOf(name), asTable: true, device: 'worker-01-GPU-00' };
      expect(again(route)).toEqual(route);
    }
  });

  it.each(['a b', '50% & more', 'a/b?c#d', '한글 검색', '<script>\'"', '+plus+'])('keeps the text %j', (text) => {
    const route = defaultRoute();
    route.query.text = text;
    route.device = text;
    expect(again(route)).toEqual(route);
  });

  it('keeps the zoom of the map', () => {
    const route = { ...defaultRoute(), zoom: true };
    expect(formatRoute(route)).toBe('?zoom=matches');
    expect(again(route)).toEqual(route);
  });

  it('keeps a zoomed range', () => {
    const route = { ...defaultRoute(), range: { from: '1764000000', to: '1764000600' } };
    expect(formatRoute(route)).toBe('?from=1764000000&to=1764000600');
    expect(again(route)).toEqual(route);
  });

  it('carries language and theme along, and drops empty ones', () => {
    expect(formatRoute(defaultRoute(), { lang: 'ko', theme: '' })).toBe('?lang=ko');
    expect(again(defaultRoute(), { lang: 'ko' })).toEqual(defaultRoute());
  });
});

describe('what others wrote into the URL', () => {
  it('falls back to the default for a value that is none', () => {
    expect(parseRoute('', 'sort=nonsense&health=bad&is=x&color=red&from=then&to=now&view=3d')).toEqual(defaultRoute());
    expect(parseRoute('', 'sort=-util').query).toMatchObject({ sort: 'util', descending: true });
    expect(parseRoute('', 'from=now&to=now-1h').range).toEqual(defaultRoute().range);
    expect(parseRoute('', 'sort=constructor&is=toString').query).toEqual(defaultRoute().query);
  });

  it('cuts what is too long', () => {
    expect(parseRoute('', `q=${'x'.repeat(5000)}`).query.text).toHaveLength(200);
    expect(parseRoute(`gpus/${'y'.repeat(5000)}`, '').device).toHaveLength(200);
  });

  it('knows its paths', () => {
    expect(parseRoute('gpus/GPU-1', '')).toMatchObject({ device: 'GPU-1', known: true });
    expect(parseRoute('gpus', '').known).toBe(true);
    expect(parseRoute('index.html', '').known).toBe(true);
    expect(parseRoute('nodes/x', '').known).toBe(false);
    expect(parseRoute('gpus/a/b', '').known).toBe(false);
  });

  it('survives a broken escape', () => {
    expect(parseRoute('gpus/%E0%A4%A', '').device).toBe('%E0%A4%A');
  });
});
