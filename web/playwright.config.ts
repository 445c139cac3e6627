// SPDX-License-Identifier: MIT
// The built page, served by the real program: GM_SERVER names it, else ../build/gpu-monitor. Tests start what they need.
import { defineConfig } from '@playwright/test';
import { CHROMIUM } from './scripts/chromium.mjs';

export default defineConfig({
  testDir: 'e2e',
  outputDir: 'test-results',
  workers: 1,
  forbidOnly: true,
  timeout: 45_000,
  expect: { timeout: 10_000 },
  reporter: process.env.CI ? 'line' : 'list',
  use: {
    browserName: 'chromium',
    launchOptions: CHROMIUM,
    viewport: { width: 1440, height: 900 },
    locale: 'en-GB',
    timezoneId: 'Asia/Seoul',
    actionTimeout: 10_000,
    trace: 'retain-on-failure',
  },
});
