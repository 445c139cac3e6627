// SPDX-License-Identifier: MIT

/** Whether a single-key shortcut may fire: not while typing, composing Hangul, or with a modifier held. */
export function isPlainKey(event: KeyboardEvent): boolean {
  if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return false;
  const target = event.target as HTMLElement | null;
  if (!target || typeof target.closest !== 'function') return true;
  return target.closest('input, textarea, select, [contenteditable], [role="application"]') === null;
}
