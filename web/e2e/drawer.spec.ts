// SPDX-License-Identifier: MIT
import type { Page } from '@playwright/test';
import { drawer, expect, listed, open, rows, testWith } from './page';

const test = testWith({ simulate: 24 });
const CHARTS = 5;

async function drawn(page: Page): Promise<void> {
  await expect(drawer(page).locator('figure')).toHaveCount(CHARTS);
  await expect(drawer(page).locator('.uplot canvas').first()).toBeVisible();
}

test('opens by a click with figures, charts and facts, and shows which row it is', async ({ page }) => {
  await open(page);
  const id = (await listed(page))[1]!;
  await rows(page).nth(1).click();
  await expect(page).toHaveURL(new RegExp(`/gpus/${id}$`));
  await expect(drawer(page).getByRole('heading', { name: id })).toBeFocused();
  await expect(page).toHaveTitle(`${id} · GPU Fleet`);
  await expect(rows(page).nth(1).getByRole('link')).toHaveAttribute('aria-current', 'true');
  await drawn(page);
  for (const fact of ['Product', 'Architecture', 'Driver', 'Source', 'Sampled at'])
    await expect(drawer(page).getByText(fact, { exact: true })).toBeVisible();
});

test('charts have data, say it in a sentence, and grow', async ({ page }) => {
  await open(page);
  await page.goto(`gpus/${(await listed(page))[0]!}?from=now-15m`);
  await drawn(page);
  const figure = drawer(page).locator('figure', { hasText: 'Temperature' });
  await expect(figure).toHaveAttribute('aria-label', /Temperature: \d+\.\d °C on average/, { timeout: 20_000 });
  const asked = page.waitForRequest(/\/metrics\?.*from=now-15m/);
  await asked;
  await expect(figure.locator('.now')).toHaveText(/\d+\.\d °C/);
});

test('opens by a link with an id or a UUID', async ({ page }) => {
  await open(page);
  const id = (await listed(page))[0]!;
  await page.goto(`gpus/${id}`);
  await expect(drawer(page).getByRole('heading', { name: id })).toBeVisible();
  const uuid = (await drawer(page).locator('.uuid span').innerText()).trim();
  expect(uuid).toMatch(/^GPU-/);
  await page.goto(`gpus/${uuid}`);
  await expect(drawer(page).getByRole('heading', { name: id })).toBeVisible();
  await drawn(page);
});

test('steps to the next GPU in the order of the list, closes by Escape and gives the focus back', async ({ page }) => {
  await open(page);
  const ids = await listed(page);
  await rows(page).first().getByRole('link').focus();
  await page.keyboard.press('Enter');
  await expect(drawer(page).getByRole('heading', { name: ids[0]! })).toBeVisible();
  await page.getByRole('button', { name: 'Next GPU' }).click();
  await expect(drawer(page).getByRole('heading', { name: ids[1]! })).toBeVisible();
  await page.getByRole('button', { name: 'Previous GPU' }).click();
  await expect(drawer(page).getByRole('heading', { name: ids[0]! })).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(drawer(page)).toBeHidden();
  await expect(rows(page).first().getByRole('link')).toBeFocused();
});

test('a drag over a chart zooms all, "back to live" undoes it, ranges are in the URL', async ({ page }) => {
  await open(page);
  await page.goto(`gpus/${(await listed(page))[0]!}`);
  await drawn(page);
  const over = drawer(page).locator('.u-over').first();
  const box = (await over.boundingBox())!;
  await page.mouse.move(box.x + box.width * 0.5, box.y + 30);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.8, box.y + 30, { steps: 5 });
  await page.mouse.up();
  await expect(page).toHaveURL(/from=\d{10}&to=\d{10}/);
  const bounds = new URL(page.url()).searchParams;
  const span = Number(bounds.get('to')) - Number(bounds.get('from'));
  expect(span).toBeGreaterThan(3600 * 0.25);
  expect(span).toBeLessThan(3600 * 0.35);
  await page.getByRole('button', { name: 'Back to live' }).click();
  await expect(page).not.toHaveURL(/from=/);
  await page.getByRole('button', { name: '6h', exact: true }).click();
  await expect(page).toHaveURL(/from=now-6h/);
  await page.reload();
  await expect(page.getByRole('button', { name: '6h', exact: true })).toHaveAttribute('aria-pressed', 'true');
  await drawn(page);
});

test('charts can be read as a table', async ({ page }) => {
  await open(page);
  await page.goto(`gpus/${(await listed(page))[0]!}`);
  await drawn(page);
  await drawer(page).getByRole('button', { name: 'View as table' }).click();
  await expect(page).toHaveURL(/view=table/);
  const table = drawer(page).getByRole('table');
  await expect(table.getByRole('columnheader')).toHaveText([
    'Time',
    'Utilisation',
    'Memory',
    'Temperature',
    'Power',
    'SM clock',
  ]);
  await expect(table.getByRole('cell').first()).toHaveText(/\d{2}\/\d{2}\/\d{4}, \d{2}:\d{2}:\d{2}/);
});

test('the time zone is the one chosen', async ({ page }) => {
  await open(page);
  await page.goto(`gpus/${(await listed(page))[0]!}?view=table`);
  const cell = drawer(page).getByRole('cell').first();
  await expect(cell).toBeVisible();
  const hourOf = async () => Number(/, (\d{2}):/.exec(await cell.innerText())![1]);
  const local = await hourOf();
  await page.getByLabel('Time zone').evaluate((s: HTMLSelectElement) => {
    s.value = 'utc';
    s.dispatchEvent(new Event('change', { bubbles: true }));
  });
  await expect.poll(async () => (local - (await hourOf()) + 24) % 24).toBe(9);
});

test('what is not measured is "—" with the reason, never 0', async ({ page }) => {
  await page.route(/\/gpu\/devices\/[^/]+$/, async (route) => {
    const response = await route.fetch();
    const device = await response.json();
    await route.fulfill({
      response,
      json: {
        ...device,
        utilization: null,
        powerWatts: null,
        tensorActive: null,
        quality: { ...device.quality, utilization: 'unsupported', powerWatts: 'error', tensorActive: 'not_reported' },
      },
    });
  });
  await open(page);
  await page.goto(`gpus/${(await listed(page))[0]!}`);
  const figure = (name: string) => drawer(page).locator('.figures div', { hasText: name }).locator('dd');
  await expect(figure('Utilisation')).toHaveText('— (This GPU or source does not measure it)');
  await expect(figure('Utilisation').locator('.none')).toHaveAttribute(
    'title',
    'This GPU or source does not measure it',
  );
  await expect(figure('Power')).toHaveText('— (The source reported an error)');
  const fact = drawer(page).locator('dl div', { hasText: 'Tensor cores active' }).locator('dd');
  await expect(fact).toHaveText('— (The source does not report it)');
  await expect(figure('Temperature')).toHaveText(/\d+\.\d °C/);
});

test('a gap is drawn as a gap and counted; a metric without samples says why', async ({ page }) => {
  await page.route(/\/metrics\?/, async (route) => {
    const url = new URL(route.request().url());
    const id = decodeURIComponent(/devices\/([^/]+)\//.exec(url.pathname)![1]!);
    const from = 1_764_000_000;
    const timestamps = Array.from({ length: 60 }, (_, k) => from + k * 60);
    const flat = (v: number | null, hole = false) => timestamps.map((_, k) => (hole && k >= 20 && k < 30 ? null : v));
    const series = (metric: string, v: number | null, hole = false) => ({
      metric,
      unit: '',
      min: flat(v, hole),
      avg: flat(v, hole),
      max: flat(v, hole),
    });
    await route.fulfill({
      json: {
        deviceId: id,
        uuid: id,
        from: new Date(from * 1000).toISOString(),
        to: new Date((from + 3600) * 1000).toISOString(),
        step: '1m',
        tier: 'raw',
        timestamps,
        series: [series('utilization', 50, true), series('temperature', 60), series('powerWatts', null)],
      },
    });
  });
  await open(page);
  await page.goto(`gpus/${(await listed(page))[0]!}?from=1764000000&to=1764003600`);
  await expect(drawer(page).locator('figure', { hasText: 'Utilisation' })).toContainText('1 gap');
  await expect(drawer(page).locator('figure', { hasText: 'Temperature' })).not.toContainText('gap');
  await expect(drawer(page).locator('figure', { hasText: 'Power' })).toContainText('— No samples in this time range');
  await expect(drawer(page)).toContainText('Stored samples · one point every 1m');
});

test('an unknown GPU says so and can be left', async ({ page, watched }) => {
  watched.allow(/404/);
  await page.goto('gpus/worker-99-GPU-42');
  await expect(drawer(page)).toContainText('No GPU with this id or UUID is known.');
  await expect(drawer(page)).toContainText('Code not_found');
  await page.getByRole('button', { name: 'Close', exact: true }).click();
  await expect(drawer(page)).toBeHidden();
  await expect(rows(page).first()).toBeVisible();
});

test('a server error in the history leaves the rest of the drawer, and can be tried again', async ({
  page,
  watched,
}) => {
  watched.allow(/503/);
  let broken = true;
  await page.route(/\/metrics\?/, (route) =>
    broken
      ? route.fulfill({
          status: 503,
          contentType: 'application/problem+json',
          json: { status: 503, code: 'busy', title: 'busy', type: 'about:blank', request_id: 'r-123' },
        })
      : route.continue(),
  );
  await open(page);
  await page.goto(`gpus/${(await listed(page))[0]!}`);
  await expect(drawer(page)).toContainText('The database is busy');
  await expect(drawer(page)).toContainText('Request r-123');
  await expect(drawer(page).locator('.figures dd').first()).toBeVisible();
  broken = false;
  await drawer(page).getByRole('button', { name: 'Retry' }).click();
  await drawn(page);
});
