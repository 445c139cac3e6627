// SPDX-License-Identifier: MIT
import { expect, rows, testWith, violations } from './page';

const test = testWith({ profile: 'production', simulate: 24 });
test.use({ bypassCSP: true });

test('nothing is shown without a key; a wrong one is refused aloud, the first admin key opens', async ({
  page,
  server,
  watched,
}) => {
  watched.allow(/401/);
  const key = server.firstKey;
  expect(key, 'the first admin key is printed at the first start').not.toBeNull();
  await page.goto('');
  await expect(page.getByRole('heading', { name: 'An API key is needed' })).toBeVisible();
  await expect(page.locator('.kpi')).toHaveCount(0);
  expect(await violations(page)).toEqual([]);
  await page.getByLabel('API key', { exact: true }).fill('gmk_this-is-not-a-key-of-anybody');
  await page.getByRole('button', { name: 'Use this key' }).click();
  await expect(page.getByRole('alert')).toHaveText('The server does not know this key.');
  await page.getByLabel('API key', { exact: true }).fill(key!);
  await page.getByRole('button', { name: 'Use this key' }).click();
  await expect(rows(page).first()).toBeVisible();
  await expect(page.getByText('Open access')).toBeHidden();
  await expect(page.locator('.connection')).toContainText('Live');
  await page.reload();
  await expect(rows(page).first()).toBeVisible();
  expect(await page.evaluate(() => localStorage.length)).toBe(0);
  await page.getByRole('button', { name: 'Sign out' }).click();
  await expect(page.getByRole('heading', { name: 'An API key is needed' })).toBeVisible();
});

test('a key that is too weak says so, with the role that is needed', async ({ page, watched }) => {
  watched.allow(/403/);
  await page.route(/\/api\/v1\//, (route) =>
    route.fulfill({
      status: 403,
      contentType: 'application/problem+json',
      json: {
        status: 403,
        code: 'forbidden',
        title: 'forbidden',
        detail: 'needs the role viewer',
        type: 'about:blank',
      },
    }),
  );
  await page.goto('');
  await expect(page.getByRole('heading', { name: 'Your role does not allow this' })).toBeVisible();
  await expect(page.getByText('needs the role viewer')).toBeVisible();
});
