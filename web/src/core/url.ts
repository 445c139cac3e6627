// SPDX-License-Identifier: MIT
// The URL is the state: what is shown can be bookmarked, sent and reloaded. Defaults are left out.
import type { ConditionFilter, FleetQuery, SortKey } from './fleet';
import { SORT_KEYS } from './fleet';
import { HEALTHS, type Health } from './health';
import { COLOR_BY, type ColorBy } from './scales';
import { DEFAULT_RANGE, parseMoment, rangeOf, type TimeRange } from './time';

export interface Route {
  /** Device id or UUID of the open drawer, '' for none. */
  device: string;
  query: FleetQuery;
  color: ColorBy;
  /** The map shows only the GPUs that pass the filter, as large as they can be. */
  zoom: boolean;
  range: TimeRange;
  /** Charts as tables. */
  asTable: boolean;
  known: boolean;
}

export const CONDITIONS: readonly ConditionFilter[] = [
  'attention',
  'idle',
  'hot',
  'unhealthy',
  'held',
  'free',
  'unmeasured',
  'mig',
];
const TEXT_LIMIT = 200;

export function defaultRoute(): Route {
  return {
    device: '',
    query: { text: '', model: '', health: '', condition: '', sort: 'id', descending: false },
    color: 'util',
    zoom: false,
    range: rangeOf(DEFAULT_RANGE),
    asTable: false,
    known: true,
  };
}

/** `path` is relative to the base, without a leading slash. */
export function parseRoute(path: string, search: string): Route {
  const route = defaultRoute();
  const parts = path.split('/').filter(Boolean);
  if (parts[0] === 'gpus' && parts.length === 2) route.device = decode(parts[1]!);
  else route.known = parts.length === 0 || (parts.length === 1 && (parts[0] === 'gpus' || parts[0] === 'index.html'));
  const p = new URLSearchParams(search);
  const one = (key: string) => (p.get(key) ?? '').slice(0, TEXT_LIMIT);
  route.query.text = one('q');
  route.query.model = one('model');
  if (HEALTHS.includes(one('health') as Health)) route.query.health = one('health') as Health;
  if (CONDITIONS.includes(one('is') as ConditionFilter)) route.query.condition = one('is') as ConditionFilter;
  const sort = one('sort');
  const key = sort.replace(/^-/, '') as SortKey;
  if (SORT_KEYS.includes(key)) {
    route.query.sort = key;
    route.query.descending = sort.startsWith('-');
  }
  if (COLOR_BY.includes(one('color') as ColorBy)) route.color = one('color') as ColorBy;
  route.zoom = one('zoom') === 'matches';
  const from = one('from');
  const to = one('to') || 'now';
  const start = parseMoment(from, 2e9);
  const end = parseMoment(to, 2e9);
  if (start !== null && end !== null && start < end) route.range = { from, to };
  route.asTable = one('view') === 'table';
  return route;
}

/** The relative URL of a route; `extra` are parameters that are not ours to lose (language, theme). */
export function formatRoute(route: Route, extra: Record<string, string> = {}): string {
  const p = new URLSearchParams();
  const q = route.query;
  if (q.text) p.set('q', q.text);
  if (q.model) p.set('model', q.model);
  if (q.health) p.set('health', q.health);
  if (q.condition) p.set('is', q.condition);
  if (q.sort !== 'id' || q.descending) p.set('sort', (q.descending ? '-' : '') + q.sort);
  if (route.color !== 'util') p.set('color', route.color);
  if (route.zoom) p.set('zoom', 'matches');
  const usual = rangeOf(DEFAULT_RANGE);
  if (route.range.from !== usual.from || route.range.to !== usual.to) {
    p.set('from', route.range.from);
    if (route.range.to !== 'now') p.set('to', route.range.to);
  }
  if (route.asTable) p.set('view', 'table');
  for (const [key, value] of Object.entries(extra)) if (value) p.set(key, value);
  const path = route.device ? `gpus/${encodeURIComponent(route.device)}` : '';
  const search = p.toString();
  return path + (search ? `?${search}` : '');
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part).slice(0, TEXT_LIMIT);
  } catch {
    return part.slice(0, TEXT_LIMIT);
  }
}
