// SPDX-License-Identifier: MIT
// Sizes of a build against the dashboard's budgets: what the first page loads, and each part loaded later.
// Usage: budget.mjs DIST. Prints one `figure NAME VALUE UNIT` a line; exit 1 when a budget is exceeded.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

const KIB = 1024;
const BUDGET = { initialJs: 80 * KIB, initialCss: 16 * KIB, lazyJs: 25 * KIB };

const dist = process.argv[2] ?? 'dist';
const html = readFileSync(join(dist, 'index.html'), 'utf8');
const first = new Set([...html.matchAll(/(?:src|href)="\.\/(assets\/[^"]+)"/g)].map((m) => m[1]));
const gz = (file) => gzipSync(readFileSync(join(dist, file)), { level: 9 }).length;
const kib = (bytes) => (bytes / KIB).toFixed(1);

const files = readdirSync(join(dist, 'assets')).map((name) => `assets/${name}`);
const sum = (list) => list.reduce((total, file) => total + gz(file), 0);
const ending = (end) => files.filter((file) => file.endsWith(end));

const rows = [
  { name: 'web.initial_js_gz', bytes: sum(ending('.js').filter((f) => first.has(f))), limit: BUDGET.initialJs },
  { name: 'web.initial_css_gz', bytes: sum(ending('.css').filter((f) => first.has(f))), limit: BUDGET.initialCss },
  ...ending('.js')
    .filter((f) => !first.has(f))
    .map((f) => ({
      name: `web.lazy_js_gz.${f.replace(/^assets\//, '').replace(/-[\w-]{8}\.js$/, '')}`,
      bytes: gz(f),
      limit: BUDGET.lazyJs,
    })),
];
if (first.size === 0 || rows[0].bytes === 0) {
  console.error(`budget: ${dist}/index.html loads no script: not a build of this page`);
  process.exit(1);
}
let over = 0;
for (const { name, bytes, limit } of rows) {
  console.log(`figure ${name} ${kib(bytes)} KiB`);
  if (bytes <= limit) continue;
  over++;
  console.error(`budget: ${name} is ${kib(bytes)} KiB, the budget is ${kib(limit)} KiB`);
}
process.exit(over > 0 ? 1 : 0);
