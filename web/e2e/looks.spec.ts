// SPDX-License-Identifier: MIT
// Each language under each theme: nothing for axe to find, no error in the console, no word of the other language.
import { drawer, expect, listed, open, rows, testWith, violations } from './page';

const test = testWith({ simulate: 24 });
test.use({ bypassCSP: true });

const WORDS = {
  en: { map: 'Fleet map', history: 'History', keys: 'Keyboard shortcuts' },
  ko: { map: '플릿 맵', history: '추이', keys: '키보드 단축키' },
} as const;

for (const lang of ['en', 'ko'] as const)
  for (const theme of ['light', 'dark'] as const)
    test(`${lang}, ${theme}`, async ({ page }) => {
      const words = WORDS[lang];
      await open(page, `?lang=${lang}&theme=${theme}`);
      await expect(page.locator('html')).toHaveAttribute('lang', lang);
      await expect(page.locator('html')).toHaveAttribute('data-theme', theme);
      await expect(page.getByRole('heading', { name: words.map })).toBeVisible();
      await expect(rows(page).first()).toBeVisible();
      const ground = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
      expect(ground).toBe(theme === 'dark' ? 'rgb(13, 17, 23)' : 'rgb(244, 246, 248)');
      expect(await violations(page)).toEqual([]);

      const id = (await listed(page))[0]!;
      await page.goto(`gpus/${id}?lang=${lang}&theme=${theme}`);
      await expect(drawer(page).getByRole('heading', { name: words.history })).toBeVisible();
      await expect(drawer(page).locator('.uplot canvas').first()).toBeVisible();
      expect(await violations(page, 'aside.drawer')).toEqual([]);

      await page.goto(`?lang=${lang}&theme=${theme}&q=nothing-has-this-name`);
      await expect(page.locator('.empty')).toBeVisible();
      await page.getByRole('button', { name: words.keys }).click();
      await expect(page.getByRole('dialog')).toBeVisible();
      expect(await violations(page)).toEqual([]);

      const text = await page.evaluate(() => document.body.innerText);
      if (lang === 'en') expect(text.replace('한국어', '')).not.toMatch(/[가-힣]/);
      else expect(text).not.toMatch(/\b(Fleet map|Utilisation|Healthy?|Temperature|Memory in use)\b/);
    });

test('what breaks accessibility would be noticed here', async ({ page }) => {
  await open(page);
  await page.evaluate(() => {
    const button = document.createElement('button');
    document.querySelector('main')!.append(button);
    const text = document.createElement('p');
    text.textContent = 'hardly to be read';
    text.style.color = '#ddd';
    text.style.background = '#fff';
    document.querySelector('main')!.append(text);
  });
  const found = (await violations(page)).join('\n');
  expect(found).toContain('button-name');
  expect(found).toContain('color-contrast');
});

test('MIG layouts have nothing for axe to find, in both themes', async ({ page }) => {
  for (const theme of ['light', 'dark']) {
    await open(page, `?is=mig&theme=${theme}`);
    await rows(page).first().click();
    await expect(drawer(page).getByRole('heading', { name: 'MIG layout' })).toBeVisible();
    await expect(drawer(page).locator('.chip').first()).toBeVisible();
    expect(await violations(page, 'aside.drawer')).toEqual([]);
  }
});

test('choices are kept over a reload; the URL wins over them', async ({ page }) => {
  await open(page);
  await page.getByLabel('Language').selectOption('ko');
  await page.getByLabel('테마').selectOption('dark');
  await page.getByLabel('시간대').selectOption('utc');
  await page.reload();
  await expect(page.locator('html')).toHaveAttribute('lang', 'ko');
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark');
  await expect(page.getByLabel('시간대')).toHaveValue('utc');
  await page.goto('?lang=en');
  await expect(page.locator('html')).toHaveAttribute('lang', 'en');
});

test('the system theme is followed while it changes', async ({ page }) => {
  await page.emulateMedia({ colorScheme: 'dark' });
  await open(page);
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark');
  await page.emulateMedia({ colorScheme: 'light' });
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'light');
});
