// SPDX-License-Identifier: MIT
import js from '@eslint/js';
import svelte from 'eslint-plugin-svelte';
import ts from 'typescript-eslint';
import svelteConfig from './svelte.config.js';

const browserGlobals = Object.fromEntries(
  [
    'AbortController AbortSignal CanvasRenderingContext2D Event HTMLElement HTMLCanvasElement HTMLInputElement',
    'ImageData Intl KeyboardEvent MouseEvent PointerEvent ResizeObserver Response SVGElement TextDecoder URL',
    'URLSearchParams Window atob clearInterval clearTimeout console document fetch history localStorage location',
    'matchMedia navigator performance queueMicrotask requestAnimationFrame cancelAnimationFrame sessionStorage',
    'setInterval setTimeout window',
  ]
    .join(' ')
    .split(' ')
    .map((name) => [name, 'readonly']),
);

export default ts.config(
  { ignores: ['dist/', 'node_modules/', 'test-results/', 'src/api/schema.d.ts'] },
  js.configs.recommended,
  ...ts.configs.strict,
  ...svelte.configs.recommended,
  {
    languageOptions: { globals: browserGlobals },
    rules: {
      eqeqeq: 'error',
      'no-console': 'error',
      'max-lines': ['error', 500],
      '@typescript-eslint/no-non-null-assertion': 'off',
      'no-restricted-syntax': [
        'error',
        {
          selector: "SvelteAttribute[key.name='style']",
          message: 'The content security policy forbids style attributes: use a class or style:property.',
        },
      ],
    },
  },
  {
    files: ['**/*.svelte', '**/*.svelte.ts'],
    languageOptions: { parserOptions: { parser: ts.parser, svelteConfig } },
    rules: { 'svelte/no-at-html-tags': 'error', 'svelte/no-navigation-without-resolve': 'off' },
  },
  {
    // The hard part stays free of the framework: changing it would cost the components only.
    files: ['src/core/**'],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              group: ['svelte', 'svelte/*', '*.svelte', '*.svelte.ts', '*.svelte.js'],
              message: 'core has no framework.',
            },
            {
              group: ['**/state/**', '**/ui/**', '**/viz/**', '**/screens/**', '**/api/client*'],
              message: 'core imports core only.',
            },
          ],
        },
      ],
    },
  },
  {
    files: ['scripts/**', '*.config.*', 'tests/**', '../tests/web/**'],
    languageOptions: { globals: { process: 'readonly', Buffer: 'readonly', console: 'readonly', URL: 'readonly' } },
    rules: { 'no-console': 'off' },
  },
);
