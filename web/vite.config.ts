// SPDX-License-Identifier: MIT
/// <reference types="vitest/config" />
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';

// `./` in a build: the server fills <base href> in, so one build serves every context path.
export default defineConfig(({ command, mode }) => ({
  plugins: [svelte()],
  base: command === 'serve' && mode !== 'test' ? '/k8s-monitor/' : './',
  resolve: mode === 'test' ? { conditions: ['browser'] } : {},
  build: {
    target: ['chrome123', 'firefox121', 'safari17.5'],
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    // The chart library changes seldom: in a file of its own it stays in the browser's cache over our versions.
    rolldownOptions: { output: { codeSplitting: { groups: [{ name: 'uplot', test: /node_modules\/uplot/ }] } } },
  },
  server: {
    proxy: {
      '/k8s-monitor/api': process.env.GM_DEV_SERVER ?? 'http://127.0.0.1:8080',
    },
  },
  test: {
    environment: 'jsdom',
    include: ['tests/**/*.test.ts'],
    setupFiles: ['tests/setup.ts'],
  },
}));
