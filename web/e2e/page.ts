// SPDX-License-Identifier: MIT
// What every browser test shares: one server a file, and a page in which any error or policy violation fails the test.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { test as base, expect, type Page } from '@playwright/test';
import { startServer, type RunningServer, type ServerOptions } from '../scripts/server.mjs';

export { expect };

interface Watched {
  /** What went wrong in the page, as seen by the browser. */
  trouble: string[];
  /** Troubles that belong to the test. */
  allow: (pattern: RegExp) => void;
}

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** A test function whose pages talk to a server with these options. */
export function testWith(options: ServerOptions) {
  return base.extend<{ watched: Watched }, { server: RunningServer }>({
    server: [
      // eslint-disable-next-line no-empty-pattern -- Playwright reads a fixture's needs from this pattern
      async ({}, use) => {
        const server = await startServer(options);
        await use(server);
        await server.close();
      },
      { scope: 'worker', timeout: 60_000 },
    ],
    baseURL: async ({ server }, use) => use(server.url),
    watched: [
      async ({ page }, use) => {
        const trouble: string[] = [];
        const allowed: RegExp[] = [];
        page.on('console', (m) => ['error', 'warning'].includes(m.type()) && trouble.push(`${m.type()}: ${m.text()}`));
        page.on('pageerror', (e) => trouble.push(`uncaught: ${e.message}`));
        await page.addInitScript(() =>
          document.addEventListener('securitypolicyviolation', (e) =>
            console.error(`policy: ${e.violatedDirective} ${e.blockedURI} ${e.sourceFile}:${e.lineNumber}`),
          ),
        );
        await use({ trouble, allow: (pattern) => void allowed.push(pattern) });
        expect(trouble.filter((t) => !allowed.some((a) => a.test(t)))).toEqual([]);
      },
      { auto: true },
    ],
  });
}

/** Opens a path under the context path that lists some GPU, and waits until values are on the screen. */
export async function open(page: Page, path = ''): Promise<void> {
  await page.goto(path);
  await expect(page.locator('.kpi').first()).toBeVisible();
  await expect(rows(page).locator('.id a').first()).toHaveText(/\S/);
}

export const rows = (page: Page) => page.getByRole('table').first().locator('[data-row]');
export const drawer = (page: Page) => page.locator('aside.drawer');
export const map = (page: Page) => page.getByRole('application');
export const filter = (page: Page) => page.locator('#gpu-filter');

/** Ids in the order of the list. */
export async function listed(page: Page): Promise<string[]> {
  return rows(page).locator('.id').allInnerTexts();
}

/** Violations of WCAG 2.2 A and AA, and of axe's best practices, in words. Needs a context with `bypassCSP`. */
export async function violations(page: Page, inside?: string): Promise<string[]> {
  await page.evaluate(AXE);
  return page.evaluate(async (selector) => {
    const axe = (window as unknown as { axe: { run: (c: unknown, o: unknown) => Promise<AxeResult> } }).axe;
    interface AxeResult {
      passes: unknown[];
      violations: { id: string; help: string; nodes: { html: string; failureSummary?: string }[] }[];
    }
    const result = await axe.run(selector ?? document, {
      runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
    });
    if (result.passes.length < 10) return ['axe looked at next to nothing'];
    return result.violations.map(
      (v) => `${v.id}: ${v.help} (${v.nodes.length}) ${v.nodes[0]?.html} ${v.nodes[0]?.failureSummary ?? ''}`,
    );
  }, inside ?? null);
}
