// SPDX-License-Identifier: MIT
import { drawer, expect, filter, listed, map, open, rows, testWith } from './page';

const test = testWith({ simulate: 24 });

test('shows the simulated cluster and moves', async ({ page }) => {
  await open(page);
  await expect(page).toHaveTitle('GPU Fleet');
  await expect(page.locator('.kpi', { hasText: 'GPUs' }).first().locator('.value')).toHaveText('24');
  await expect(page.getByText('Simulated')).toBeVisible();
  await expect(page.locator('.connection')).toContainText('Live');
  await expect(page.getByRole('table').first()).toHaveAttribute('aria-rowcount', '25');
  await expect(rows(page).first()).toContainText('GPU-00');
  // Everything lives: picture and list, for as long as one looks.
  const picture = () =>
    page
      .locator('canvas')
      .first()
      .evaluate((c: HTMLCanvasElement) => c.toDataURL());
  const list = () => rows(page).allInnerTexts();
  const [before, text] = [await picture(), (await list()).join()];
  await expect.poll(picture, { timeout: 15_000 }).not.toBe(before);
  await expect.poll(async () => (await list()).join(), { timeout: 15_000 }).not.toBe(text);
  const again = (await list()).join();
  await expect.poll(async () => (await list()).join(), { timeout: 15_000 }).not.toBe(again);
});

test('adds up: list, map, models and tiles speak of the same fleet', async ({ page }) => {
  await open(page);
  await expect(map(page)).toHaveAttribute('aria-label', /24 GPUs on \d+ nodes/);
  const models = await page.locator('.models .count').allInnerTexts();
  expect(models.map(Number).reduce((a, b) => a + b, 0)).toBe(24);
  const ids = new Set<string>();
  await page
    .getByRole('table')
    .first()
    .evaluate((t) => (t.scrollTop = 0));
  for (let k = 0; k < 4 && ids.size < 24; k++) {
    for (const id of await listed(page)) ids.add(id);
    await page
      .getByRole('table')
      .first()
      .evaluate((t) => (t.scrollTop += 300));
    await page.waitForTimeout(50);
  }
  expect(ids.size).toBe(24);
});

test('is served under a policy that forbids inline styles and foreign sources', async ({ page }) => {
  const response = await page.goto('');
  const policy = response!.headers()['content-security-policy'] ?? '';
  for (const part of ["default-src 'self'", "style-src 'self'", "img-src 'self'", "frame-ancestors 'none'"])
    expect(policy).toContain(part);
  expect(policy).not.toContain('unsafe');
  expect(response!.headers()['x-content-type-options']).toBe('nosniff');
});

test('what breaks the policy would be noticed here', async ({ page, watched }) => {
  await open(page);
  expect(watched.trouble).toEqual([]);
  await page.evaluate(() => document.body.setAttribute('style', 'color: red'));
  await expect.poll(() => watched.trouble.some((t) => t.includes('policy: style-src'))).toBe(true);
  watched.allow(/./);
});

test('filter, sort, colour and range survive a reload and lie in the URL', async ({ page }) => {
  await open(page);
  await filter(page).fill('a100');
  await expect(page.getByText('12 of 24')).toBeVisible();
  await page.getByRole('button', { name: 'Utilisation' }).last().click();
  await expect(page.getByRole('columnheader', { name: 'Utilisation' })).toHaveAttribute('aria-sort', 'descending');
  await page.getByRole('button', { name: 'Temperature', exact: true }).click();
  await expect(page).toHaveURL(/\?q=a100&sort=-util&color=temp$/);
  await page.reload();
  await expect(page.getByText('12 of 24')).toBeVisible();
  await expect(filter(page)).toHaveValue('a100');
  await expect(page.getByRole('columnheader', { name: 'Utilisation' })).toHaveAttribute('aria-sort', 'descending');
  await expect(page.getByRole('button', { name: 'Temperature', exact: true })).toHaveAttribute('aria-pressed', 'true');
  await page.mouse.move(0, 0);
  const values = async () => (await rows(page).locator('.meter:nth-child(4) .figure').allInnerTexts()).map(parseFloat);
  await expect
    .poll(async () => {
      const known = (await values()).filter((v) => !Number.isNaN(v));
      return known.length > 2 && known.every((v, k) => k === 0 || v <= known[k - 1]!);
    })
    .toBe(true);
  await page.getByRole('button', { name: 'Clear filters' }).click();
  await expect(page).toHaveURL(/\?sort=-util&color=temp$/);
});

test('selects by model, health and condition, and says when nothing is left', async ({ page }) => {
  await open(page, '?model=RTX4090');
  await expect(page.getByText('4 of 24')).toBeVisible();
  for (const text of await rows(page).allInnerTexts()) expect(text).toContain('RTX4090');
  await page.getByLabel('Condition').selectOption('mig');
  await expect(page.getByText('No GPU passes the filter')).toBeVisible();
  await page.getByRole('button', { name: 'Clear filters' }).click();
  await expect(rows(page).first()).toBeVisible();
});

test('a tile leads to the GPUs it counts', async ({ page }) => {
  await open(page);
  const tile = page.getByRole('button', { name: /^MIG instances/ });
  await expect(tile).toBeVisible();
  const on = Number(/on (\d+) GPU/.exec(await tile.innerText())![1]);
  await tile.click();
  await expect(page).toHaveURL(/is=mig/);
  await expect(page.getByText(`${on} of 24`)).toBeVisible();
});

test('back and forward go through what was opened', async ({ page }) => {
  await open(page);
  const first = (await listed(page))[0]!;
  await rows(page).first().click();
  await expect(drawer(page)).toContainText(first);
  await page.goBack();
  await expect(drawer(page)).toBeHidden();
  await page.goForward();
  await expect(drawer(page)).toContainText(first);
});

test('an address that leads nowhere says so', async ({ page, watched }) => {
  watched.allow(/404/);
  await page.goto('no/such/page');
  await expect(page.getByText('There is no page at this address.')).toBeVisible();
  await page.getByRole('button', { name: 'Go to the overview' }).click();
  await expect(rows(page).first()).toBeVisible();
});

for (const width of [390, 320])
  test(`fits a screen of ${width} pixels without scrolling sideways`, async ({ page }) => {
    await page.setViewportSize({ width, height: 800 });
    await open(page);
    await expect(rows(page).first()).toBeVisible();
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
    const id = (await listed(page))[0]!;
    await page.goto(`gpus/${id}`);
    await expect(drawer(page).locator('canvas').first()).toBeVisible();
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
    const inside = drawer(page).locator('.content');
    expect(await inside.evaluate((n) => n.scrollWidth - n.clientWidth)).toBeLessThanOrEqual(0);
  });
