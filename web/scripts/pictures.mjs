// SPDX-License-Identifier: MIT
// Takes the pictures of the documentation from a running demo. Usage: pictures.mjs URL FOLDER
// e.g. `pictures.mjs http://127.0.0.1:8080/k8s-monitor/ ../docs/images`
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from '@playwright/test';
import { CHROMIUM } from './chromium.mjs';

const [url, folder] = process.argv.slice(2);
if (!url || !folder) {
  console.error('usage: pictures.mjs URL FOLDER');
  process.exit(2);
}
const base = url.endsWith('/') ? url : `${url}/`;

/** `gpu`: open the drawer of a GPU with a MIG layout, as that shows most. */
const PICTURES = [
  { file: 'dashboard-main.png', lang: 'en', theme: 'light' },
  { file: 'dashboard-main-ko-dark.png', lang: 'ko', theme: 'dark' },
  { file: 'dashboard-gpu.png', lang: 'en', theme: 'light', gpu: true, height: 1420 },
];

mkdirSync(folder, { recursive: true });
const browser = await chromium.launch(CHROMIUM);
try {
  for (const picture of PICTURES) {
    const page = await browser.newPage({
      viewport: { width: 1440, height: picture.height ?? 960 },
      locale: picture.lang === 'ko' ? 'ko-KR' : 'en-GB',
      timezoneId: 'Asia/Seoul',
    });
    const look = `lang=${picture.lang}&theme=${picture.theme}`;
    await page.goto(`${base}?${picture.gpu ? 'is=mig&' : ''}${look}`);
    await page.waitForSelector('[data-row] a');
    if (picture.gpu) {
      const id = await page.locator('[data-row] a').first().innerText();
      await page.goto(`${base}gpus/${encodeURIComponent(id)}?from=now-15m&${look}`);
      await page.waitForSelector('.drawer .uplot canvas');
    }
    await page.mouse.move(0, 0);
    await page.evaluate(() => document.fonts.ready);
    // A second of life: values have moved at least once and nothing is fading in.
    await page.waitForTimeout(1500);
    await page.screenshot({ path: join(folder, picture.file) });
    console.log(join(folder, picture.file));
    await page.close();
  }
} finally {
  await browser.close();
}
