// SPDX-License-Identifier: MIT
import { describe, expect, it } from 'vitest';
import { cellAt, groupByNode, layoutHeatmap, moveCell, paintCells, type HeatmapLayout } from '../../src/core/heatmap';

/** Nodes of these sizes, devices in order. */
function groups(sizes: readonly number[]) {
  const node = sizes.flatMap((n, g) => new Array<number>(n).fill(g));
  return groupByNode(Uint32Array.from(node.keys()), Uint32Array.from(node));
}
const even = (nodes: number, each: number) => groups(new Array<number>(nodes).fill(each));

function overlaps(l: HeatmapLayout): number {
  const seen = new Set<string>();
  let found = 0;
  for (let k = 0; k < l.x.length; k++)
    for (let dx = 0; dx < l.cellWidth; dx++)
      for (let dy = 0; dy < l.cellHeight; dy++) {
        const key = `${l.x[k]! + dx},${l.y[k]! + dy}`;
        if (seen.has(key)) found++;
        seen.add(key);
      }
  return found;
}

describe('groups', () => {
  it('begin at the first device of each node', () => {
    const g = groups([4, 1, 3]);
    expect(g.starts).toEqual([0, 4, 5]);
    expect(g.nodes).toEqual([0, 1, 2]);
  });
});

describe('layout', () => {
  it.each([
    [[4, 4, 4, 4, 4, 4], 1016],
    [[8, 8, 4, 1], 900],
    [[1], 600],
    [[16], 500],
    [[8], 300],
    [[4, 4], 120],
    [new Array<number>(50).fill(8), 1016],
  ])('%j nodes on %d px stay inside and apart', (sizes, width) => {
    const l = layoutHeatmap(groups(sizes), width, 420);
    expect(l.labelled).toBe(true);
    expect(l.labels).toHaveLength(sizes.length);
    expect(overlaps(l)).toBe(0);
    for (let k = 0; k < l.x.length; k++) {
      expect(l.x[k]! + l.cellWidth).toBeLessThanOrEqual(width);
      expect(l.y[k]! + l.cellHeight).toBeLessThanOrEqual(l.height);
    }
    expect(l.width).toBeLessThanOrEqual(width);
    expect(l.cellHeight).toBeGreaterThanOrEqual(26);
  });

  it('fills lines evenly: six nodes stand as three and three, across the width', () => {
    const l = layoutHeatmap(even(6, 4), 1016, 420);
    const lines = [...new Set(l.labels.map((label) => label.y))];
    expect(lines.map((y) => l.labels.filter((label) => label.y === y).length)).toEqual([3, 3]);
    expect(l.width).toBeGreaterThan(1016 * 0.95);
  });

  it('puts nodes of unequal size into equal columns', () => {
    const l = layoutHeatmap(groups([8, 4, 8, 1, 8]), 1016, 420);
    const columns = new Set(l.labels.map((label) => label.x));
    for (const label of l.labels) expect(columns.has(label.x)).toBe(true);
    expect(columns.size).toBeLessThan(5);
  });

  it('keeps to the height with 20,000 GPUs and uses most of it', () => {
    const l = layoutHeatmap(even(2500, 8), 1016, 405);
    expect(l.labelled).toBe(false);
    expect(l.height).toBeLessThanOrEqual(405);
    expect(l.height).toBeGreaterThan(405 * 0.6);
    expect(l.width).toBeLessThanOrEqual(1016);
    expect(overlaps(l)).toBe(0);
  });

  it('holds an empty fleet and a very large one', () => {
    expect(layoutHeatmap(even(0, 0), 800, 400)).toMatchObject({ width: 0, height: 0 });
    const huge = layoutHeatmap(even(12500, 8), 800, 400);
    expect(huge.cellWidth).toBe(2);
    expect(huge.x).toHaveLength(100000);
  });
});

describe('painting', () => {
  it('puts each value where its cell is, and nothing between cells', () => {
    const g = even(3, 2);
    const l = layoutHeatmap(g, 60, 5000);
    const small = { ...l, cellWidth: 4, cellHeight: 4, x: Int32Array.of(0, 4, 10, 14, 20, 24), y: new Int32Array(6) };
    const values = Uint8Array.of(1, 2, 3, 4, 5, 255);
    const lut = Uint32Array.from({ length: 256 }, (_, v) => v + 1000);
    const pixels = new Uint32Array(60 * 8);
    paintCells(pixels, 60, 1, small, g.order, values, lut);
    expect(pixels[0]).toBe(1001);
    expect(pixels[4 + 60]).toBe(1002);
    expect(pixels[24 + 3 * 60]).toBe(1255);
    expect(pixels[8]).toBe(0);
    expect(pixels[4 * 60]).toBe(0);
    expect(pixels.filter((p) => p !== 0)).toHaveLength(6 * 16);
  });

  it('scales to device pixels with a seam between large cells', () => {
    const l = {
      ...layoutHeatmap(even(1, 1), 60, 60),
      cellWidth: 4,
      cellHeight: 4,
      x: Int32Array.of(1),
      y: Int32Array.of(1),
    };
    const pixels = new Uint32Array(20 * 20);
    paintCells(pixels, 20, 2, l, Uint32Array.of(0), Uint8Array.of(9), new Uint32Array(256).fill(7));
    expect(pixels[2 * 20 + 2]).toBe(7);
    expect(pixels.filter((p) => p === 7)).toHaveLength(49);
  });
});

describe('pointing and keys', () => {
  const l = layoutHeatmap(even(6, 4), 1016, 420);

  it('finds every cell at its middle and none between', () => {
    for (let k = 0; k < l.x.length; k++)
      expect(cellAt(l, l.x[k]! + l.cellWidth / 2, l.y[k]! + l.cellHeight / 2)).toBe(k);
    expect(cellAt(l, l.x[0]! + l.cellWidth + 1, l.y[0]! + 1)).toBe(-1);
    expect(cellAt(l, -1, -1)).toBe(-1);
  });

  it('moves to the neighbour and stays at the edge', () => {
    expect(moveCell(l, 0, 'ArrowRight')).toBe(1);
    expect(moveCell(l, 3, 'ArrowRight')).toBe(4);
    expect(moveCell(l, 11, 'ArrowRight')).toBe(11);
    expect(moveCell(l, 0, 'ArrowLeft')).toBe(0);
    expect(moveCell(l, 1, 'ArrowDown')).toBe(13);
    expect(moveCell(l, 13, 'ArrowUp')).toBe(1);
    expect(moveCell(l, 5, 'Home')).toBe(0);
    expect(moveCell(l, 5, 'End')).toBe(23);
    expect(moveCell(l, 5, 'PageDown')).toBe(23);
    expect(moveCell(l, 5, 'PageUp')).toBe(0);
  });

  it('reaches every cell of a large fleet by arrows alone', () => {
    const big = layoutHeatmap(even(60, 8), 400, 300);
    const reached = new Set([0]);
    const queue = [0];
    for (let at = queue.pop(); at !== undefined; at = queue.pop())
      for (const key of ['ArrowLeft', 'ArrowRight', 'ArrowUp', 'ArrowDown']) {
        const next = moveCell(big, at, key);
        if (!reached.has(next)) queue.push(next);
        reached.add(next);
      }
    expect(reached.size).toBe(480);
  });

  it('does nothing in an empty map', () => {
    expect(moveCell(layoutHeatmap(even(0, 0), 100, 100), 0, 'ArrowRight')).toBe(-1);
  });
});
