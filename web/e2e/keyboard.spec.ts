// SPDX-License-Identifier: MIT
import { drawer, expect, filter, listed, map, open, rows, testWith } from './page';

const test = testWith({ simulate: 24 });

test('the map is walked by arrows, read aloud, and opens by Enter', async ({ page }) => {
  await open(page);
  const ids = await listed(page);
  const readout = page.locator('.readout');
  await map(page).focus();
  await expect(readout).toContainText(ids[0]!);
  await expect(readout).toHaveAttribute('aria-live', 'polite');
  await page.keyboard.press('ArrowRight');
  await expect(readout).toContainText(ids[1]!);
  await page.keyboard.press('ArrowLeft');
  await page.keyboard.press('End');
  const last = (await readout.innerText()).split(' · ')[0]!;
  expect(last).not.toBe(ids[0]);
  await page.keyboard.press('Home');
  await expect(readout).toContainText(ids[0]!);
  await page.keyboard.press('ArrowDown');
  const below = (await readout.innerText()).split(' · ')[0]!;
  expect(below).not.toBe(ids[0]);
  await page.keyboard.press('Enter');
  await expect(drawer(page).getByRole('heading', { name: below })).toBeFocused();
  await page.keyboard.press('Escape');
  await expect(map(page)).toBeFocused();
});

test('the pointer reads the same cell as it opens', async ({ page }) => {
  await open(page);
  const box = (await page.locator('canvas').first().boundingBox())!;
  await page.mouse.move(box.x + 30, box.y + 40);
  const named = (await page.locator('.readout').innerText()).split(' · ')[0]!;
  expect(named).toBe((await listed(page))[0]);
  await page.mouse.click(box.x + 30, box.y + 40);
  await expect(drawer(page).getByRole('heading', { name: named })).toBeVisible();
});

test('the list is one stop of Tab, walked by arrows to its end and opened by Enter', async ({ page }) => {
  await page.setViewportSize({ width: 1440, height: 700 });
  await open(page);
  await rows(page).first().getByRole('link').focus();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowDown');
  await expect(page.locator('[data-row="2"] a')).toBeFocused();
  await page.keyboard.press('End');
  await expect(page.locator('[data-row="23"] a')).toBeFocused();
  await expect(page.locator('[data-row="23"]')).toBeInViewport();
  await page.keyboard.press('PageUp');
  await page.keyboard.press('Home');
  await expect(page.locator('[data-row="0"] a')).toBeFocused();
  await expect(rows(page).locator('a[tabindex="0"]')).toHaveCount(1);
  await page.keyboard.press('Enter');
  await expect(drawer(page)).toBeVisible();
});

test('everything can be reached by Tab, each stop with a name', async ({ page }) => {
  await open(page);
  await page.keyboard.press('Tab');
  await expect(page.locator('.skip')).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(page.locator('#main')).toBeFocused();
  const seen: string[] = [];
  for (let k = 0; k < 60; k++) {
    await page.keyboard.press('Tab');
    const stop = await page.evaluate(() => {
      const e = document.activeElement;
      if (!e || e === document.body) return null;
      const style = getComputedStyle(e);
      const label = e.getAttribute('aria-label') ?? (e as HTMLElement).innerText;
      return { name: label.trim(), outlined: style.outlineStyle !== 'none' || style.boxShadow !== 'none' };
    });
    if (!stop) break;
    expect(stop.name, `stop ${k} has no name`).not.toBe('');
    expect(stop.outlined, `stop "${stop.name}" shows no focus`).toBe(true);
    seen.push(stop.name);
  }
  for (const part of [/^Fleet map/, /^Filter by id/, /^Health$/, /^Condition$/])
    expect(
      seen.some((name) => part.test(name)),
      `${part} in ${seen.join(' | ')}`,
    ).toBe(true);
});

test('single keys work on the page, never while typing, and can be switched off', async ({ page }) => {
  await open(page);
  await page.keyboard.press('/');
  await expect(filter(page)).toBeFocused();
  const theme = await page.locator('html').getAttribute('data-theme');
  await page.keyboard.type('t?[');
  await expect(filter(page)).toHaveValue('t?[');
  await expect(page.locator('html')).toHaveAttribute('data-theme', theme!);
  await expect(page.getByRole('dialog')).toBeHidden();
  await filter(page).fill('');
  await filter(page).blur();
  await page.keyboard.press('t');
  await expect(page.locator('html')).not.toHaveAttribute('data-theme', theme!);
  await page.keyboard.press('?');
  await expect(page.getByRole('dialog')).toBeVisible();
  await page.getByLabel('Single-key shortcuts').uncheck();
  await page.keyboard.press('Escape');
  await expect(page.getByRole('dialog')).toBeHidden();
  await page.keyboard.press('t');
  await expect(page.locator('html')).not.toHaveAttribute('data-theme', theme!);
  await page.reload();
  await expect(rows(page).first()).toBeVisible();
  await page.keyboard.press('/');
  await expect(filter(page)).not.toBeFocused();
});

test('Escape in the filter clears the filter, not the drawer', async ({ page }) => {
  await page.setViewportSize({ width: 1900, height: 900 });
  await open(page);
  await rows(page).first().click();
  await expect(drawer(page)).toBeVisible();
  await filter(page).fill('worker');
  await filter(page).press('Escape');
  await expect(filter(page)).toHaveValue('');
  await expect(drawer(page)).toBeVisible();
});
