// SPDX-License-Identifier: MIT
import { expect, open, rows, testWith } from './page';

const test = testWith({ simulate: 24 });

test('a lost connection is said, what was known stays, and it comes back by itself', async ({
  page,
  server,
  watched,
}) => {
  watched.allow(/Failed to load resource|net::ERR|fetch/i);
  await open(page);
  await expect(page.locator('.connection')).toContainText('Live');
  await server.stop('SIGKILL');
  await expect(page.locator('.connection')).toContainText('Connection lost');
  await expect(page.getByRole('button', { name: 'Retry now' })).toBeVisible();
  await expect(rows(page).first()).toBeVisible();
  await server.start();
  await expect(page.locator('.connection')).toContainText('Live', { timeout: 30_000 });
  const text = async () => (await rows(page).allInnerTexts()).join();
  for (let k = 0; k < 3; k++) {
    const before = await text();
    await expect.poll(text, { timeout: 15_000 }).not.toBe(before);
  }
});

test('"retry now" does not wait for the clock', async ({ page, server, watched }) => {
  watched.allow(/Failed to load resource|net::ERR|fetch/i);
  await open(page);
  await server.stop('SIGTERM');
  await expect(page.locator('.connection')).toContainText('Connection lost');
  await server.start();
  const retry = page.getByRole('button', { name: 'Retry now' });
  if (await retry.isVisible()) await retry.click().catch(() => undefined);
  await expect(page.locator('.connection')).toContainText('Live', { timeout: 5_000 });
});

test('a page opened while the server is away says so and loads when it is there', async ({ page, server, watched }) => {
  watched.allow(/Failed to load resource|net::ERR|fetch|503/i);
  await page.route(/\/api\/v1\//, (route) => route.abort());
  await page.goto('');
  await expect(page.getByText('The server cannot be reached.')).toBeVisible();
  await page.unroute(/\/api\/v1\//);
  await page.getByRole('button', { name: 'Retry', exact: true }).click();
  await expect(rows(page).first()).toBeVisible();
  expect(server.port).toBeGreaterThan(0);
});

test('old data is dimmed with its age', async ({ page, watched }) => {
  watched.allow(/Failed to load resource|net::ERR|fetch/i);
  await page.clock.install();
  await open(page);
  await expect(page.locator('.connection')).toContainText('Live');
  await page.route(/\/api\/v1\//, (route) => route.abort());
  await page.context().setOffline(true);
  await page.clock.fastForward(150_000);
  await expect(page.locator('section.stale').first()).toBeVisible();
  await expect(page.locator('.connection')).toHaveClass(/stale/);
  await page.context().setOffline(false);
});

test('a hidden tab gives its connection back, and asks anew when it is looked at', async ({ page }) => {
  await open(page);
  await expect(page.locator('.connection')).toContainText('Live');
  const hide = (hidden: boolean) =>
    page.evaluate((now) => {
      Object.defineProperty(document, 'hidden', { configurable: true, get: () => now });
      document.dispatchEvent(new Event('visibilitychange'));
    }, hidden);
  const closed = page.waitForEvent('requestfailed', (r) => r.url().includes('/events'));
  await hide(true);
  await closed;
  await expect(page.locator('.connection')).toContainText('Paused while hidden');
  const asked = page.waitForRequest(/\/gpu\/fleet$/);
  await hide(false);
  await asked;
  await expect(page.locator('.connection')).toContainText('Live');
});
