// SPDX-License-Identifier: MIT
// Negative controls: mistakes planted on purpose must be refused by the checks that claim to find them. A check that
// goes silent (a type checker that skips templates, a rule that no longer matches) passes everything and says nothing.
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ESLint } from 'eslint';

const web = join(dirname(fileURLToPath(import.meta.url)), '..');
let failures = 0;

function say(ok, what) {
  console.log(`${ok ? 'ok' : 'not ok'} - ${what}`);
  if (!ok) failures++;
}

/** Runs svelte-check over one component in a folder of its own, under the project's own options. */
function typeCheck(source) {
  const folder = join(web, `control-${process.pid}`);
  mkdirSync(folder, { recursive: true });
  try {
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ extends: '../tsconfig.json', include: ['.'] }));
    writeFileSync(join(folder, 'Planted.svelte'), source);
    const check = join(web, 'node_modules', 'svelte-check', 'bin', 'svelte-check');
    const args = [check, '--workspace', folder, '--tsconfig', join(folder, 'tsconfig.json'), '--fail-on-warnings'];
    return spawnSync(process.execPath, args, { encoding: 'utf8', cwd: web });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const component = (script, markup) => `<script lang="ts">\n${script}\n</script>\n${markup}\n`;
const sound = component('const n: number = 1;', '<p>{n.toFixed(1)}</p>');
const wrongScript = component('const n: number = "one";', '<p>{n}</p>');
const wrongMarkup = component('const n: number = 1;', '<p>{n.toUpperCase()}</p>');
const warned = component('const n = 1;', '<img src="./a.png" /><p>{n}</p>');

say(typeCheck(sound).status === 0, 'svelte-check passes a sound component');
const refused = (source, word) => {
  const run = typeCheck(source);
  return run.status !== 0 && (run.stdout + run.stderr).includes(word);
};
say(refused(wrongScript, "not assignable to type 'number'"), 'svelte-check finds a type error in a script');
say(refused(wrongMarkup, 'toUpperCase'), 'svelte-check finds a type error in a template');
say(refused(warned, 'a11y'), 'svelte-check fails on a warning');

const eslint = new ESLint({ cwd: web });
async function lints(file, source, rule) {
  const [result] = await eslint.lintText(source, { filePath: join(web, file) });
  return result.messages.some((m) => m.ruleId === rule && m.severity === 2);
}
const imports = "import { mount } from 'svelte';\nexport const m = mount;\n";
say(await lints('src/core/fleet.ts', imports, 'no-restricted-imports'), 'eslint keeps svelte out of core');
say(!(await lints('src/main.ts', imports, 'no-restricted-imports')), 'eslint lets the page import svelte');
say(
  await lints('src/ui/Kpi.svelte', '<p style="color: red">x</p>\n', 'no-restricted-syntax'),
  'eslint refuses a style attribute',
);
say(await lints('src/ui/Kpi.svelte', '{@html "<b>x</b>"}\n', 'svelte/no-at-html-tags'), 'eslint refuses {@html}');

process.exit(failures > 0 ? 1 : 0);
