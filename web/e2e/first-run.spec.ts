// SPDX-License-Identifier: MIT
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { expect, testWith, violations } from './page';

// A port that was free a moment ago: a target that refuses, as a wrong address in a first configuration does.
const probe = createServer();
await new Promise<void>((done) => probe.listen(0, '127.0.0.1', done));
const target = `http://127.0.0.1:${(probe.address() as AddressInfo).port}/metrics`;
await new Promise((done) => probe.close(done));

const test = testWith({ config: `scrape:\n  targets:\n    - ${target}\n` });
test.use({ bypassCSP: true });

for (const lang of ['en', 'ko'])
  test(`without a GPU the page says what to do, and which target failed (${lang})`, async ({ page }) => {
    await page.goto(`?lang=${lang}`);
    await expect(page.locator('.first h2')).toHaveText(
      lang === 'ko' ? '아직 알려진 GPU가 없습니다' : 'No GPU is known yet',
    );
    await expect(page.locator('.first')).toContainText('gpu-monitor --profile development --simulate 24');
    await expect(page.locator('.first li')).toContainText(target, { timeout: 20_000 });
    await expect(page.locator('.first li .why')).not.toBeEmpty({ timeout: 20_000 });
    expect(await violations(page)).toEqual([]);
  });
