// SPDX-License-Identifier: MIT
import { flushSync, mount, unmount, type Component } from 'svelte';
import { afterEach } from 'vitest';

const mounted: Record<string, unknown>[] = [];

/** Puts a component into the document; taken out after the test. */
export function show<P extends Record<string, unknown>>(component: Component<P>, props: P): HTMLElement {
  const target = document.createElement('div');
  document.body.append(target);
  mounted.push(mount(component, { target, props }));
  flushSync();
  return target;
}

afterEach(async () => {
  for (const m of mounted.splice(0)) await unmount(m);
  document.body.replaceChildren();
});

/** Lets promises, timers of 0 ms and frames pass, until the condition holds. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  for (let k = 0; k < 400; k++) {
    flushSync();
    if (condition()) return;
    await new Promise((done) => setTimeout(done, 5));
  }
  throw new Error(`still not: ${what}\n${document.body.textContent}`);
}

export function textOf(node: Element | null): string {
  return (node?.textContent ?? '').replace(/\s+/g, ' ').trim();
}

export function press(target: Element, key: string, init: KeyboardEventInit = {}): void {
  target.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true, ...init }));
  flushSync();
}

export function click(target: Element | null | undefined): void {
  if (!target) throw new Error('nothing to click');
  target.dispatchEvent(new MouseEvent('click', { bubbles: true, cancelable: true }));
  flushSync();
}
