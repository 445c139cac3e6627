// SPDX-License-Identifier: MIT
import { formatRoute, parseRoute, type Route } from '../core/url';
import { ui } from './ui.svelte';

function basePath(): string {
  return new URL('.', document.baseURI).pathname;
}

function read(): Route {
  const base = basePath();
  const path = location.pathname;
  const rest = path.startsWith(base) ? path.slice(base.length) : path === base.slice(0, -1) ? '' : path;
  return parseRoute(rest, location.search);
}

class Router {
  route = $state.raw<Route>(read());

  constructor() {
    addEventListener('popstate', () => (this.route = read()));
  }

  /** Changes the state and the URL. Typing and zooming replace; opening something leaves a step to go back to. */
  go(change: (route: Route) => void, how: 'push' | 'replace' = 'replace'): void {
    const next = { ...this.route, query: { ...this.route.query }, range: { ...this.route.range } };
    change(next);
    this.route = next;
    const url = this.href(next);
    if (how === 'push') history.pushState(null, '', url);
    else history.replaceState(null, '', url);
  }

  href(route: Route): string {
    return basePath() + formatRoute(route, ui.extra);
  }

  deviceHref(device: string): string {
    return this.href({ ...this.route, device });
  }

  open(device: string): void {
    this.go((r) => (r.device = device), this.route.device ? 'replace' : 'push');
  }

  close(): void {
    this.go((r) => (r.device = ''), 'push');
  }
}

export const router = new Router();
