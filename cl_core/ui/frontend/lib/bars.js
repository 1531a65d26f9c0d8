import { comparedCells } from "./anatomy.js";
import { largestSize } from "./scales.js";

/** @import { Anatomy, Table } from "../types.js" */

const MIN_BAR = 15;
const MAX_BAR = 40;
const [TITLE, FOOT] = [16, 12]; // for the labels

const [PROBABILITY, IMAGE, GRADIENT, GAP] = [110, 22, 90, 6];

/** Heights and places down of the parts, CSS pixels. */
export const BARS = {
  probability: PROBABILITY,
  image: IMAGE,
  gradient: GRADIENT,
  gap: GAP,
  base: TITLE + PROBABILITY,
  gradientTop: TITLE + PROBABILITY + IMAGE + GAP,
  height: TITLE + PROBABILITY + IMAGE + GRADIENT + 2 * GAP + FOOT,
};

/**
 * A row's compared columns, the most similar first, as many as fit.
 *
 * @param {Table} table
 * @param {number} row
 * @param {number} width there is
 * @returns {{ columns: number[]; width: number }} width: of a bar with its margin
 */
export function orderBars(table, row, width) {
  const { positives, negatives } = comparedCells(table, row);
  const cells = [...positives, ...negatives].sort((a, b) => table.cosines[b] - table.cosines[a] || a - b);
  const count = Math.max(1, Math.min(cells.length, Math.floor(width / MIN_BAR)));
  const shown = cells.slice(0, count);
  // A positive far down the list takes the last place: it must be seen.
  const last = cells.findLast((i) => table.positive[i]);
  if (last !== undefined && !shown.includes(last)) shown[count - 1] = last;
  return { columns: shown.map((i) => i - row * table.columns), width: Math.min(MAX_BAR, width / count) };
}

/**
 * The bars of a row, the largest ones as long as there is room.
 *
 * @param {Table} table
 * @param {Anatomy} parts
 * @param {number} row
 * @param {{ columns: number[]; width: number }} order
 * @param {{ positive: string; negative: string; push: string }} colors
 * @returns bars: x and both bars of each column; probability, gradient: the largest of the shown ones
 */
export function rowBars(table, parts, row, { columns, width }, { positive, negative, push }) {
  const cell = (/** @type {number} */ column) => row * table.columns + column;
  const probabilityOf = (/** @type {number} */ column) => Math.exp(parts.logProbabilities[cell(column)]);
  const probability = largestSize(columns.map(probabilityOf));
  const gradient = largestSize(columns.map((column) => parts.gradient[cell(column)]));
  const bars = columns.map((column, n) => {
    const height = (BARS.probability * probabilityOf(column)) / probability;
    const force = parts.gradient[cell(column)];
    return {
      column,
      x: n * width,
      up: { y: BARS.base - height, height, color: table.positive[cell(column)] ? positive : negative },
      down: { y: BARS.gradientTop, height: (BARS.gradient * Math.abs(force)) / gradient, color: force < 0 ? positive : push },
    };
  });
  return { bars, probability, gradient };
}
