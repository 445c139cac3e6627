// SPDX-License-Identifier: MIT
// 20,000 GPUs: the page stays usable. Bounds are loose here, the figures come from scripts/bench.mjs.
import { drawer, expect, filter, map, open, rows, testWith } from './page';

const test = testWith({ simulate: 20000 });

test('20,000 GPUs are shown, found, sorted and walked at ease', async ({ page }) => {
  const session = await page.context().newCDPSession(page);
  await session.send('Performance.enable');
  const metric = async (name: string) => {
    const { metrics } = await session.send('Performance.getMetrics');
    return metrics.find((m) => m.name === name)!.value;
  };
  await open(page);
  await expect(map(page)).toHaveAttribute('aria-label', /20,000 GPUs/);
  await expect(page.getByRole('table').first()).toHaveAttribute('aria-rowcount', '20001');
  await expect(page.locator('.connection')).toContainText('Live');

  await page.waitForTimeout(2_000);
  const before = await metric('ScriptDuration');
  await page.waitForTimeout(5_000);
  const perSecond = ((await metric('ScriptDuration')) - before) / 5;
  expect(perSecond).toBeLessThan(0.15);
  expect(await page.locator('*').count()).toBeLessThan(3_000);

  await filter(page).fill('gpu-07');
  await expect(page.getByText(/^[\d,]+ of 20,000$/)).toBeVisible();
  await filter(page).fill('worker-1234-');
  await expect(page.getByText('8 of 20,000')).toBeVisible();
  await page.getByRole('button', { name: 'Matches only' }).click();
  await expect(map(page)).toHaveAttribute('aria-label', /8 GPUs on 1 node,/);
  await map(page).focus();
  await page.keyboard.press('End');
  await expect(page.locator('.readout')).toContainText('worker-1234-GPU-07');
  await filter(page).fill('');
  await expect(map(page)).toHaveAttribute('aria-label', /20,000 GPUs/);
  await page.getByRole('columnheader', { name: 'Temp.' }).getByRole('button').click();
  await expect(page.getByRole('columnheader', { name: 'Temp.' })).toHaveAttribute('aria-sort', 'descending');
  await page.getByRole('columnheader', { name: 'GPU', exact: true }).getByRole('button').click();
  await rows(page).first().getByRole('link').focus();
  await page.keyboard.press('End');
  await expect(page.locator('[data-row="19999"] a')).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(drawer(page).locator('figure').first()).toBeVisible();
});
