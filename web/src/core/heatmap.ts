// SPDX-License-Identifier: MIT
// Where each device's cell lies, and painting it. Few devices: big cells with their value and the node's name above,
// nodes in aligned columns that fill the width. Many: each node a small block, painted pixel by pixel.

export interface HeatmapLayout {
  /** Sides of a cell and of the whole picture in CSS pixels. */
  cellWidth: number;
  cellHeight: number;
  width: number;
  height: number;
  labelled: boolean;
  /** Cell places by order of drawing (not by device position). */
  x: Int32Array;
  y: Int32Array;
  labels: { node: number; x: number; y: number; width: number }[];
}

export interface HeatmapGroups {
  /** Device positions in drawing order, and for each node its first place in it. */
  order: Uint32Array;
  starts: number[];
  nodes: number[];
}

const LABEL_HEIGHT = 18;
const LABELLED_UP_TO = 400;
const LABELLED_COLUMNS = 8;
const LABELLED_GAP = 3;
const LABELLED_BLOCK_GAP = 16;
const CELL_TALLEST = 46;
const CELL_WIDEST = 84;
/** Below this a figure does not fit into a cell. */
const CELL_LABELLED_SMALLEST = 26;
const SMALL_COLUMNS = 4;
const SMALL_BIGGEST = 24;
const SMALL_SMALLEST = 2;

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

interface Block {
  columns: number;
  cellWidth: number;
  cellHeight: number;
  gap: number;
  blockGap: number;
  head: number;
  /** Blocks a line; 0: as many as fit. */
  perLine: number;
}

export function layoutHeatmap(groups: HeatmapGroups, width: number, maxHeight: number): HeatmapLayout {
  if (groups.order.length <= LABELLED_UP_TO) return place(groups, width, labelledBlock(groups, width, maxHeight));
  // No cell can be larger than its share of the area, so the search begins there.
  const share = Math.ceil(Math.sqrt((width * maxHeight) / groups.order.length));
  for (let cell = Math.min(SMALL_BIGGEST, share); cell > SMALL_SMALLEST; cell--) {
    for (const blockGap of new Set([Math.max(1, cell >> 1), 1])) {
      const layout = place(groups, width, smallBlock(cell, blockGap));
      if (layout.height <= maxHeight) return layout;
    }
  }
  return place(groups, width, smallBlock(SMALL_SMALLEST, 1));
}

function smallBlock(cell: number, blockGap: number): Block {
  return { columns: SMALL_COLUMNS, cellWidth: cell, cellHeight: cell, gap: 0, blockGap, head: 0, perLine: 0 };
}

/** The arrangement with the tallest cells that keeps to the height; lines are filled evenly. */
function labelledBlock(groups: HeatmapGroups, width: number, maxHeight: number): Block {
  const sizes = groups.starts.map((from, g) => (groups.starts[g + 1] ?? groups.order.length) - from);
  const biggest = Math.max(1, ...sizes);
  const columns = Math.min(LABELLED_COLUMNS, biggest, Math.max(1, fit(width, CELL_LABELLED_SMALLEST, LABELLED_GAP)));
  const rows = Math.ceil(biggest / columns);
  const least = columns * (CELL_LABELLED_SMALLEST + LABELLED_GAP) - LABELLED_GAP;
  let best: Block | null = null;
  for (let perLine = fit(width, least, LABELLED_BLOCK_GAP); perLine >= 1; perLine--) {
    const lines = Math.ceil(sizes.length / perLine);
    if (Math.ceil(sizes.length / lines) < perLine) continue;
    const blockWidth = Math.floor((width + LABELLED_BLOCK_GAP) / perLine) - LABELLED_BLOCK_GAP;
    const cellWidth = Math.floor((blockWidth + LABELLED_GAP) / columns) - LABELLED_GAP;
    const room = Math.floor((maxHeight + LABELLED_BLOCK_GAP) / lines) - LABELLED_BLOCK_GAP - LABEL_HEIGHT;
    const tall = Math.floor((room + LABELLED_GAP) / rows) - LABELLED_GAP;
    const cellHeight = Math.max(CELL_LABELLED_SMALLEST, Math.min(CELL_TALLEST, tall, cellWidth));
    if (best && cellHeight <= best.cellHeight) continue;
    best = {
      columns,
      cellWidth: Math.min(cellWidth, CELL_WIDEST),
      cellHeight,
      gap: LABELLED_GAP,
      blockGap: LABELLED_BLOCK_GAP,
      head: LABEL_HEIGHT,
      perLine,
    };
  }
  return best!;
}

/** How many pieces of `size` with `gap` between them go into `width`; at least one. */
function fit(width: number, size: number, gap: number): number {
  return Math.max(1, Math.floor((width + gap) / (size + gap)));
}

function place(groups: HeatmapGroups, width: number, block: Block): HeatmapLayout {
  const { cellWidth, cellHeight, gap, blockGap, head } = block;
  const count = groups.order.length;
  const x = new Int32Array(count);
  const y = new Int32Array(count);
  const labels: HeatmapLayout['labels'] = [];
  const fullWidth = block.columns * (cellWidth + gap) - gap;
  let cx = 0;
  let cy = 0;
  let lineHeight = 0;
  let used = 0;
  let inLine = 0;
  for (let g = 0; g < groups.starts.length; g++) {
    const from = groups.starts[g]!;
    const to = groups.starts[g + 1] ?? count;
    const columns = Math.min(block.columns, to - from);
    const rows = Math.ceil((to - from) / columns);
    // Nodes of unequal size stand in equal columns where they have names; unnamed, each takes what it needs.
    const blockWidth = block.perLine > 0 ? fullWidth : columns * (cellWidth + gap) - gap;
    if (inLine > 0 && (block.perLine > 0 ? inLine >= block.perLine : cx + blockWidth > width)) {
      cx = 0;
      cy += lineHeight + blockGap;
      lineHeight = 0;
      inLine = 0;
    }
    if (head > 0) labels.push({ node: groups.nodes[g]!, x: cx, y: cy, width: blockWidth });
    for (let k = from; k < to; k++) {
      x[k] = cx + ((k - from) % columns) * (cellWidth + gap);
      y[k] = cy + head + Math.floor((k - from) / columns) * (cellHeight + gap);
    }
    lineHeight = Math.max(lineHeight, head + rows * (cellHeight + gap) - gap);
    used = Math.max(used, cx + blockWidth);
    cx += blockWidth + blockGap;
    inLine++;
  }
  return { cellWidth, cellHeight, width: used, height: cy + lineHeight, labelled: head > 0, x, y, labels };
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
  // A seam of one pixel between the GPUs of a node, where it would not take most of the cell.
  const side = Math.round(layout.cellWidth * scale);
  const seam = side >= 6 ? 1 : 0;
  const fill = side - seam;
  for (let k = 0; k < order.length; k++) {
    const color = lut[values[order[k]!]!]!;
    const x0 = Math.round(layout.x[k]! * scale);
    let at = Math.round(layout.y[k]! * scale) * stride + x0;
    // Runs are a few pixels long: a call of fill for each would cost more than the pixels.
    for (let row = 0; row < fill; row++, at += stride) for (let p = at; p < at + fill; p++) pixels[p] = color;
  }
}

/** Place (in drawing order) of the cell under a point, -1 between cells. */
export function cellAt(layout: HeatmapLayout, px: number, py: number): number {
  const { x, y, cellWidth, cellHeight } = layout;
  // Rows of blocks are sorted by y only roughly, so this looks at all; 20,000 comparisons take well under 0.1 ms.
  for (let k = 0; k < x.length; k++) {
    if (px >= x[k]! && px < x[k]! + cellWidth && py >= y[k]! && py < y[k]! + cellHeight) return k;
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
