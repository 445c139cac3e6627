// SPDX-License-Identifier: MIT
// Measures the page over a large fleet in Debian's Chromium. Prints one `figure NAME VALUE UNIT` a line.
// Usage: bench.mjs [--gpus N] [--seconds S] [--url URL]
// Without --url a gpu-monitor with N simulated GPUs is started (GM_SERVER, else ../build/gpu-monitor).
import { parseArgs } from 'node:util';
import { chromium } from '@playwright/test';
import { CHROMIUM } from './chromium.mjs';
import { startServer } from './server.mjs';

const { values: options } = parseArgs({
  options: {
    gpus: { type: 'string', default: '20000' },
    seconds: { type: 'string', default: '20' },
    url: { type: 'string' },
  },
});
const SECONDS = Number(options.seconds);
const REPEATS = 10;

function figure(name, value, unit) {
  console.log(`figure web.${name} ${Number(value.toFixed(value < 10 ? 2 : 1))} ${unit}`);
}

function quantile(values, q) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))];
}

async function firstView(page, url) {
  await page.goto(url);
  await page.waitForSelector('.kpi');
  await page.waitForSelector('[data-row] a');
  const times = await page.evaluate(async () => {
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    const paint = performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? NaN;
    const files = performance.getEntriesByType('resource').filter((r) => r.name.includes('/assets/'));
    return { paint, drawn: performance.now(), bytes: files.reduce((sum, r) => sum + r.encodedBodySize, 0) };
  });
  figure('first_contentful_paint', times.paint, 'ms');
  figure('first_values_drawn', times.drawn, 'ms');
  figure('assets_transferred', times.bytes / 1024, 'KiB');
}

/** Script and whole main-thread time of each second, which holds one update of the fleet. */
async function updates(page) {
  const session = await page.context().newCDPSession(page);
  await session.send('Performance.enable');
  const read = async () => {
    const { metrics } = await session.send('Performance.getMetrics');
    const of = (name) => metrics.find((m) => m.name === name).value;
    return {
      script: of('ScriptDuration') * 1000,
      task: of('TaskDuration') * 1000,
      heap: of('JSHeapUsedSize'),
      nodes: of('Nodes'),
    };
  };
  const script = [];
  const task = [];
  let last = await read();
  const began = performance.now();
  for (let k = 1; k <= SECONDS; k++) {
    await new Promise((done) => setTimeout(done, began + k * 1000 - performance.now()));
    const now = await read();
    script.push(now.script - last.script);
    task.push(now.task - last.task);
    last = now;
  }
  for (const [name, values] of [
    ['update_script', script],
    ['update_main_thread', task],
  ]) {
    figure(`${name}_p50`, quantile(values, 0.5), 'ms');
    figure(`${name}_p95`, quantile(values, 0.95), 'ms');
  }
  await session.send('HeapProfiler.collectGarbage');
  figure('js_heap', (await read()).heap / 1048576, 'MiB');
  figure('dom_elements', await page.locator('*').count(), 'elements');
}

/** From an action to the frame that shows it. */
async function actions(page) {
  const times = await page.evaluate(async (repeats) => {
    const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0)));
    const sort = [...document.querySelectorAll('[role="columnheader"] button')][3];
    const filter = document.querySelector('#gpu-filter');
    const type = (text) => {
      filter.value = text;
      filter.dispatchEvent(new Event('input', { bubbles: true }));
    };
    const out = { sort: [], filter: [] };
    for (let k = 0; k < repeats; k++) {
      let began = performance.now();
      sort.click();
      await frame();
      out.sort.push(performance.now() - began);
      began = performance.now();
      type(k % 2 ? '' : 'gpu-07');
      await frame();
      out.filter.push(performance.now() - began);
    }
    type('');
    return out;
  }, REPEATS);
  figure('sort_to_frame_p50', quantile(times.sort, 0.5), 'ms');
  figure('filter_to_frame_p50', quantile(times.filter, 0.5), 'ms');
}

const server = options.url ? null : await startServer({ simulate: Number(options.gpus) });
const browser = await chromium.launch(CHROMIUM);
try {
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
  await firstView(page, options.url ?? server.url);
  await page.waitForTimeout(2000);
  await updates(page);
  await actions(page);
} finally {
  await browser.close();
  await server?.close();
}
