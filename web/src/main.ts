// SPDX-License-Identifier: MIT
import { mount } from 'svelte';
import App from './App.svelte';
import { live } from './state/live.svelte';
import './styles/tokens.css';
import './styles/base.css';

// A chunk that is gone means the server was updated under an open page: load the new page, once.
addEventListener('vite:preloadError', (event) => {
  const last = Number(sessionStorage.getItem('gm.reloaded') ?? 0);
  if (Date.now() - last < 60_000) return;
  event.preventDefault();
  sessionStorage.setItem('gm.reloaded', String(Date.now()));
  location.reload();
});

mount(App, { target: document.getElementById('app')! });
live.start();
