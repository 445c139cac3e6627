// SPDX-License-Identifier: MIT
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { setApiKey } from '../../src/api/client';
import App from '../../src/App.svelte';
import { live } from '../../src/state/live.svelte';
import { router } from '../../src/state/router.svelte';
import { ui } from '../../src/state/ui.svelte';
import { deltaOf, fleetRows } from '../helpers';
import { click, press, show, textOf, until } from './mount';
import { detailOf, problem, TestServer } from './server';

const ROWS = fleetRows(3, 4, (k) => ({ u: k * 5, health: k === 7 ? 'failed' : 'ok' }));
let server: TestServer;

beforeEach(() => {
  history.replaceState(null, '', '/k8s-monitor/');
  dispatchEvent(new PopStateEvent('popstate'));
  server = new TestServer();
  server.fleet(ROWS, 10);
});

afterEach(() => {
  live.stop();
  live.loaded = false;
  live.error = null;
  setApiKey(null);
  ui.setLang('en');
  vi.unstubAllGlobals();
});

async function page(): Promise<HTMLElement> {
  const node = show(App, {});
  void live.connect();
  await until(() => live.loaded && server.open === 1, 'live');
  await until(() => node.querySelectorAll('[data-row]').length > 0, 'rows');
  return node;
}
const rowsOf = (node: HTMLElement) => [...node.querySelectorAll('[data-row] .id')].map((n) => textOf(n).slice(-9));

describe('the stream', () => {
  it('starts from the sequence number of the columns and applies updates', async () => {
    const node = await page();
    expect(server.asked.find((a) => a.path === 'events')!.headers['Last-Event-ID']).toBe('10');
    server.send('fleet', deltaOf(11, 10, [{ i: 0, u: 99 }]), '11');
    await until(() => live.fleet.u[0] === 99, 'update applied');
    await until(() => textOf(node.querySelector('[data-row="0"]')).includes('99%'), 'row redrawn');
    server.send('fleet', deltaOf(12, 11, [{ i: 7, t: 71, health: 'failed' }]), '12');
    await until(() => textOf(node.querySelector('.attention')).includes('71 °C'), 'attention redrawn');
    server.send('fleet', deltaOf(13, 12, [{ i: 7, t: 72, health: 'degraded' }]), '13');
    await until(() => textOf(node.querySelector('.attention')).includes('72 °C ▲Degraded'), 'attention redrawn again');
    expect(server.asks('gpu/fleet')).toBe(1);
  });

  it('fetches the columns again over a hole', async () => {
    await page();
    server.fleet(ROWS, 20);
    server.send('fleet', deltaOf(21, 20, [{ i: 1, u: 77 }]), '21');
    await until(() => live.fleet.seq === 20, 'columns fetched');
    expect(server.asks('gpu/fleet')).toBe(2);
    server.send('fleet', deltaOf(21, 20, [{ i: 1, u: 77 }]), '21');
    await until(() => live.fleet.u[1] === 77, 'update over them');
  });

  it('fetches the columns again after a lost connection: the server may be another, with lower numbers', async () => {
    await page();
    server.fleet(ROWS.slice(0, 8), 2);
    server.drop();
    await until(() => live.state === 'waiting', 'loss noticed');
    await until(() => live.state === 'live' && live.fleet.count === 8, 'the new fleet');
    expect(live.fleet.seq).toBe(2);
    expect(server.asked.filter((a) => a.path === 'events').at(-1)!.headers['Last-Event-ID']).toBeUndefined();
    server.send('fleet', deltaOf(3, 2, [{ i: 0, u: 55 }]), '3');
    await until(() => live.fleet.u[0] === 55, 'updates of the new server');
  });

  it('asks for the tiles when the stream does not bring them, and not when it does', async () => {
    await page();
    const now = vi.spyOn(Date, 'now');
    const began = Date.now();
    now.mockImplementation(() => began + 3000);
    server.send('fleet', deltaOf(11, 10, [{ i: 0, u: 1 }]), '11');
    await until(() => server.asks('gpu/overview') === 2, 'asked');
    server.send('overview', { ...live.overview, totalGpuDevices: 99 });
    await until(() => live.overview?.totalGpuDevices === 99, 'brought');
    server.send('fleet', deltaOf(12, 11, [{ i: 0, u: 2 }]), '12');
    await until(() => live.fleet.seq === 12, 'applied');
    expect(server.asks('gpu/overview')).toBe(2);
    now.mockRestore();
  });
});

describe('states of the page', () => {
  it('says that the server cannot be reached, and comes back by itself or by a click', async () => {
    server.down = 0;
    const node = show(App, {});
    void live.connect();
    await until(() => textOf(node).includes('The server cannot be reached.'), 'error shown');
    server.down = null;
    click([...node.querySelectorAll('main button')].find((b) => textOf(b) === 'Retry'));
    await until(() => node.querySelectorAll('[data-row]').length > 0, 'rows');
  });

  it('asks for a key, refuses a wrong one aloud, and opens with the right one', async () => {
    server.key = 'gmk_right';
    const node = show(App, {});
    void live.connect();
    await until(() => node.querySelector('form.auth') !== null, 'key form');
    const type = (key: string) => {
      const input = node.querySelector<HTMLInputElement>('form.auth input')!;
      input.value = key;
      input.dispatchEvent(new Event('input', { bubbles: true }));
      node.querySelector('form.auth')!.dispatchEvent(new SubmitEvent('submit', { bubbles: true, cancelable: true }));
    };
    type('gmk_wrong');
    await until(() => textOf(node).includes('The server does not know this key.'), 'refusal');
    type('gmk_right');
    await until(() => node.querySelectorAll('[data-row]').length > 0, 'rows');
    expect(server.asked.at(-1)!.headers.Authorization).toBe('Bearer gmk_right');
  });

  it('keeps what it had on the screen when the key is revoked, and asks for another', async () => {
    const node = await page();
    server.key = 'gmk_new';
    server.drop();
    await until(() => live.state === 'refused', 'refused');
    await until(() => textOf(node).includes('no longer accepts this key'), 'said');
    expect(node.querySelectorAll('[data-row]').length).toBeGreaterThan(0);
  });

  it('tells a first run what to do, and what was tried', async () => {
    server.fleet([], 1, { devicesByModel: {}, overallGpuUtilization: null });
    server.answers.set('scrape/targets', () => ({
      items: [
        {
          url: 'http://worker-01:9400/metrics',
          node: null,
          cluster: 'default',
          state: 'down',
          source: 'dcgm',
          error: 'connection refused',
          since: '2026-11-24T12:00:00Z',
        },
      ],
      next: null,
    }));
    const node = show(App, {});
    void live.connect();
    await until(() => textOf(node).includes('connection refused'), 'targets');
    expect(textOf(node)).toContain('No GPU is known yet');
    expect(textOf(node)).toContain('gpu-monitor --profile development --simulate 24');
  });

  it('says that an address leads nowhere', async () => {
    history.replaceState(null, '', '/k8s-monitor/nowhere');
    dispatchEvent(new PopStateEvent('popstate'));
    const node = show(App, {});
    expect(textOf(node)).toContain('There is no page at this address.');
    click([...node.querySelectorAll('main button')].find((b) => textOf(b) === 'Go to the overview'));
    expect(location.pathname).toBe('/k8s-monitor/');
  });

  it('says that management is off', async () => {
    server.fleet(ROWS, 10, { managementEnabled: false });
    expect(textOf(await page())).toContain('Management is off');
  });

  it('shows tiles that are not known as "—"', async () => {
    server.fleet(ROWS, 10, { overallGpuUtilization: null, powerWatts: null, costPerHour: null, unpricedDevices: 12 });
    const node = await page();
    const tile = (label: string) =>
      [...node.querySelectorAll('.kpi')].find((k) => textOf(k.querySelector('.label')) === label)!;
    for (const label of ['Utilisation', 'Power', 'Cost per hour'])
      expect(textOf(tile(label).querySelector('.value')), label).toBe('—');
    expect(textOf(tile('Cost per hour'))).toContain('12 GPUs without a rate');
    expect(textOf(tile('Need attention').querySelector('.value'))).toBe('1');
  });
});

describe('the list', () => {
  it('filters and sorts through the URL, and back', async () => {
    const node = await page();
    click(node.querySelectorAll('[role="columnheader"] button')[3]);
    expect(location.search).toBe('?sort=-util');
    expect(rowsOf(node)[0]).toBe('03-GPU-03');
    const input = node.querySelector<HTMLInputElement>('#gpu-filter')!;
    input.value = 'worker-02';
    input.dispatchEvent(new Event('input', { bubbles: true }));
    await until(() => rowsOf(node).length === 4, 'filtered');
    expect(location.search).toBe('?q=worker-02&sort=-util');
    expect(textOf(node)).toContain('4 of 12');
    click([...node.querySelectorAll('button')].find((b) => textOf(b) === 'Clear filters'));
    await until(() => rowsOf(node).length === 12, 'all again');
    expect(location.search).toBe('?sort=-util');
  });

  it('says when no GPU passes the filter', async () => {
    const node = await page();
    router.go((r) => (r.query.text = 'nothing'));
    await until(() => textOf(node).includes('No GPU passes the filter'), 'empty');
    expect(textOf(node)).toContain('12 GPUs are known.');
  });

  it('holds rows still under the pointer and offers the new order', async () => {
    const node = await page();
    router.go((r) => Object.assign(r.query, { sort: 'util', descending: true }));
    await until(() => rowsOf(node)[0] === '03-GPU-03', 'sorted');
    const table = node.querySelector('.table')!;
    table.dispatchEvent(new MouseEvent('pointerenter'));
    server.send('fleet', deltaOf(11, 10, [{ i: 0, u: 100 }]), '11');
    await until(() => textOf(node).includes('New order available'), 'offer');
    expect(rowsOf(node)[0]).toBe('03-GPU-03');
    click([...node.querySelectorAll('button')].find((b) => textOf(b).startsWith('New order')));
    await until(() => rowsOf(node)[0] === '01-GPU-00', 'new order');
    table.dispatchEvent(new MouseEvent('pointerleave'));
    server.send('fleet', deltaOf(12, 11, [{ i: 0, u: 0 }]), '12');
    await until(() => rowsOf(node)[0] === '03-GPU-03', 'follows again');
  });

  it('moves by arrow keys, with one row in the order of Tab', async () => {
    const node = await page();
    const links = () => [...node.querySelectorAll<HTMLAnchorElement>('[data-row] a')];
    expect(links().filter((a) => a.tabIndex === 0)).toHaveLength(1);
    links()[0]!.focus();
    press(links()[0]!, 'ArrowDown');
    await until(() => document.activeElement === links()[1], 'second row');
    press(document.activeElement!, 'End');
    await until(() => document.activeElement === links()[11], 'last row');
    press(document.activeElement!, 'Home');
    await until(() => document.activeElement === links()[0], 'first row');
  });
});

describe('the drawer', () => {
  it('opens by a row, shows reasons for what is not measured, and closes by Escape', async () => {
    const id = ROWS[7]!.id;
    server.answers.set(`gpu/devices/${id}`, () =>
      detailOf(ROWS[7]!, {
        healthReasons: ['xid_hardware', 'hot'],
        utilization: null,
        quality: { utilization: 'unsupported' },
        pods: [{ namespace: 'ml', pod: 'vllm-0', container: 'server' }],
      }),
    );
    server.answers.set(`gpu/devices/${id}/metrics`, () => problem(503, 'busy'));
    const node = await page();
    click(node.querySelector('[data-row="7"] a'));
    expect(location.pathname).toBe(`/k8s-monitor/gpus/${id}`);
    await until(() => textOf(node.querySelector('aside')).includes('vllm-0'), 'details');
    const drawer = node.querySelector('aside')!;
    for (const part of ['XID hardware error', 'Too hot', '— (This GPU or source does not measure it)'])
      expect(textOf(drawer)).toContain(part);
    expect(document.activeElement).toBe(drawer.querySelector('h2'));
    await until(() => textOf(drawer).includes('The database is busy'), 'history error');
    press(document.body, 'Escape');
    await until(() => node.querySelector('aside') === null, 'closed');
    expect(location.pathname).toBe('/k8s-monitor/');
  });

  it('says that a GPU is not known', async () => {
    const node = await page();
    router.open('GPU-nope');
    await until(() => textOf(node.querySelector('aside')).includes('No GPU with this id or UUID is known.'), 'said');
  });
});

describe('language and keys', () => {
  it('changes every word at once, and the language of the document', async () => {
    const node = await page();
    ui.setLang('ko');
    await until(() => textOf(node).includes('플릿 맵'), 'Korean');
    expect(document.documentElement.lang).toBe('ko');
    expect(document.title).toBe('GPU 플릿');
    expect(textOf(node)).not.toContain('Needs attention');
  });

  it('has single keys, which can be switched off', async () => {
    const node = await page();
    press(document.body, '/');
    expect(document.activeElement).toBe(node.querySelector('#gpu-filter'));
    (document.activeElement as HTMLElement).blur();
    const before = ui.theme;
    press(document.body, 't');
    expect(ui.theme).not.toBe(before);
    press(document.body, 't', { isComposing: true });
    expect(ui.theme).not.toBe(before);
    ui.setShortcuts(false);
    press(document.body, 't');
    expect(ui.theme).not.toBe(before);
    ui.setShortcuts(true);
    press(document.body, ']');
    expect(router.route.range.from).toBe('now-6h');
    press(document.body, '[');
    expect(router.route.range.from).toBe('now-1h');
  });
});
