// SPDX-License-Identifier: MIT
// Which rows of a long list stand on the screen.

export interface RowWindow {
  first: number;
  /** Rows drawn; a constant for a given height, so that slots are reused. */
  slots: number;
}

const OVERSCAN = 3;

export function rowWindow(scrollTop: number, viewHeight: number, rowHeight: number, count: number): RowWindow {
  const slots = Math.min(count, Math.ceil(viewHeight / rowHeight) + 2 * OVERSCAN);
  const first = Math.max(0, Math.min(count - slots, Math.floor(scrollTop / rowHeight) - OVERSCAN));
  return { first, slots };
}

/** Scroll position that shows a row with the least movement. */
export function scrollToRow(row: number, scrollTop: number, viewHeight: number, rowHeight: number): number {
  const top = row * rowHeight;
  if (top < scrollTop) return top;
  if (top + rowHeight > scrollTop + viewHeight) return top + rowHeight - viewHeight;
  return scrollTop;
}
