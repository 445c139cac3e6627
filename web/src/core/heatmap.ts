// SPDX-License-Identifier: MIT
// Where each device's cell lies, and painting it. Few devices: big cells with their value and the node's name above.
// Many: each node a small block, painted pixel by pixel.

export interface HeatmapLayout {
  /** Side of a cell and of the whole picture in CSS pixels. */
  cell: number;
  width: number;
  height: number;
  labelled: boolean;
  /** Cell places by order of drawing (not by device position). */
  x: Int32Array;
  y: Int32Array;
  labels: { node: number; x: number; y: number; width: number }[];
  columnsPerNode: number;
}

export interface HeatmapGroups {
  /** Device positions in drawing order, and for each node its first place in it. */
  order: Uint32Array;
  starts: number[];
  nodes: number[];
}

const LABEL_HEIGHT = 18;
const LABELLED_UP_TO = 400;
const CELL_BIGGEST = 46;
const CELL_LABELLED_SMALLEST = 26;
const CELL_SMALLEST = 2;

export function groupByNode(order: Uint32Array, nodeOf: Uint32Array): HeatmapGroups {
  const starts: number[] = [];
  const nodes: number[] = [];
  let last = -1;
  for (let k = 0; k < order.length; k++) {
    const node = nodeOf[order[k]!]!;
    if (node !== last) {
      starts.push(k);
      nodes.push(node);
      last = node;
    }
  }
  return { order, starts, nodes };
}

export function layoutHeatmap(groups: HeatmapGroups, width: number, maxHeight: number): HeatmapLayout {
  const count = groups.order.length;
  if (count <= LABELLED_UP_TO) {
    for (let cell = CELL_BIGGEST; cell >= CELL_LABELLED_SMALLEST; cell -= 2) {
      const layout = place(groups, width, cell, true);
      if (layout.height <= maxHeight || cell === CELL_LABELLED_SMALLEST) return layout;
    }
  }
  let low = CELL_SMALLEST;
  let high = 24;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (place(groups, width, middle, false).height <= maxHeight) low = middle;
    else high = middle - 1;
  }
  return place(groups, width, low, false);
}

function place(groups: HeatmapGroups, width: number, cell: number, labelled: boolean): HeatmapLayout {
  const count = groups.order.length;
  const x = new Int32Array(count);
  const y = new Int32Array(count);
  const labels: HeatmapLayout['labels'] = [];
  const gap = labelled ? 3 : 0;
  const blockGap = labelled ? 16 : Math.max(1, cell >> 1);
  const head = labelled ? LABEL_HEIGHT : 0;
  const fullColumns = labelled ? 8 : 4;
  const step = cell + gap;
  let cx = 0;
  let cy = 0;
  let rowHeight = 0;
  let used = 0;
  for (let g = 0; g < groups.starts.length; g++) {
    const from = groups.starts[g]!;
    const to = groups.starts[g + 1] ?? count;
    const columns = Math.max(1, Math.min(fullColumns, to - from, Math.floor((width + gap) / step)));
    const rows = Math.ceil((to - from) / columns);
    const blockWidth = columns * step - gap;
    if (cx > 0 && cx + blockWidth > width) {
      cx = 0;
      cy += rowHeight + blockGap;
      rowHeight = 0;
    }
    if (labelled) labels.push({ node: groups.nodes[g]!, x: cx, y: cy, width: blockWidth });
    for (let k = from; k < to; k++) {
      x[k] = cx + ((k - from) % columns) * step;
      y[k] = cy + head + Math.floor((k - from) / columns) * step;
    }
    rowHeight = Math.max(rowHeight, head + rows * step - gap);
    used = Math.max(used, cx + blockWidth);
    cx += blockWidth + blockGap;
  }
  return { cell, width: used, height: cy + rowHeight, labelled, x, y, labels, columnsPerNode: fullColumns };
}

/** Fills every cell of a picture of `stride` device pixels a row; `scale` is device pixels a CSS pixel. */
export function paintCells(
  pixels: Uint32Array,
  stride: number,
  scale: number,
  layout: HeatmapLayout,
  order: Uint32Array,
  values: Uint8Array,
  lut: Uint32Array,
): void {
  // Small cells keep a seam of one pixel, or neighbours of one colour would run together.
  const side = Math.round(layout.cell * scale);
  const seam = side >= 4 ? 1 : 0;
  const fill = side - seam;
  for (let k = 0; k < order.length; k++) {
    const color = lut[values[order[k]!]!]!;
    const x0 = Math.round(layout.x[k]! * scale);
    let at = Math.round(layout.y[k]! * scale) * stride + x0;
    for (let row = 0; row < fill; row++, at += stride) pixels.fill(color, at, at + fill);
  }
}

/** Place (in drawing order) of the cell under a point, -1 between cells. */
export function cellAt(layout: HeatmapLayout, px: number, py: number): number {
  const { x, y, cell } = layout;
  // Rows of blocks are sorted by y only roughly, so this looks at all; 20,000 comparisons take well under 0.1 ms.
  for (let k = 0; k < x.length; k++) {
    if (px >= x[k]! && px < x[k]! + cell && py >= y[k]! && py < y[k]! + cell) return k;
  }
  return -1;
}

/** The cell a key leads to: the nearest one in that direction, or the same cell at an edge. */
export function moveCell(layout: HeatmapLayout, from: number, key: string): number {
  const last = layout.x.length - 1;
  if (last < 0) return -1;
  if (key === 'Home') return 0;
  if (key === 'End') return last;
  if (key === 'PageDown') return Math.min(last, from + 64);
  if (key === 'PageUp') return Math.max(0, from - 64);
  const horizontal = key === 'ArrowLeft' || key === 'ArrowRight';
  const sign = key === 'ArrowRight' || key === 'ArrowDown' ? 1 : -1;
  const fx = layout.x[from]!;
  const fy = layout.y[from]!;
  let best = from;
  let bestCost = Infinity;
  for (let k = 0; k <= last; k++) {
    const dx = layout.x[k]! - fx;
    const dy = layout.y[k]! - fy;
    const along = (horizontal ? dx : dy) * sign;
    const across = Math.abs(horizontal ? dy : dx);
    if (along <= 0) continue;
    if (horizontal && across > 0) continue;
    const cost = along + across * 8;
    if (cost < bestCost) {
      bestCost = cost;
      best = k;
    }
  }
  return best;
}
