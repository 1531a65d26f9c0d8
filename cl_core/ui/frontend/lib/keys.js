// Keys by their age and drift, and the history of the drift.

import { label } from "./charts.js";
import { HIGHLIGHT, LINE } from "./colors.js";
import { decode } from "./decode.js";
import { linear } from "./scales.js";
import { linePath } from "./svg.js";

/** @import { KeysAt, KeysValue, Points } from "../types.js" */

export const MIN_COSINE = -0.6; // cosine at the bottom, where drift is shown
const GOLDEN = 0.618034; // spreads keys of one age evenly
const COLUMN = 0.86; // of the width of an age

/**
 * @param {KeysValue} value
 * @returns {KeysAt}
 */
export function readKeys({ instances, ages, cosines }) {
  return { instances: decode(instances, Int16Array), ages: decode(ages, Int16Array), cosines: decode(cosines, Float32Array) };
}

/**
 * Where a drawing of keys has its axes: ages across, cosines up.
 *
 * @param {number} most the largest age
 * @param {number} width CSS pixels
 * @param {number} height
 * @param {number} [lowest] cosine at the bottom
 */
export function keyAxes(most, width, height, lowest = MIN_COSINE) {
  const [left, right, top, bottom] = [30, width - 6, 14, height - 20];
  const [x, y] = [linear(0, Math.max(1, most) + 1, left, right), linear(lowest, 1, bottom, top)];
  return { left, right, top, bottom, lowest, x, y };
}

/**
 * The middles of the keys: within the column of its age each has a place of its own.
 *
 * @param {ArrayLike<number>} ages
 * @param {ArrayLike<number>} cosines
 * @param {ReturnType<typeof keyAxes>} axes
 * @returns {Points}
 */
export function keyPoints(ages, cosines, { x, y, lowest }) {
  const xs = Float32Array.from(ages, (age, i) => x(age + ((i * GOLDEN) % 1) * COLUMN));
  const ys = Float32Array.from(cosines, (cosine) => y(Math.max(lowest, cosine)));
  return { xs, ys };
}

/**
 * For each key after a step the index of the same key before it, or -1 for a new one.
 *
 * @param {{ places: ArrayLike<number>; ages: ArrayLike<number> }} before
 * @param {{ places: ArrayLike<number>; ages: ArrayLike<number> }} after
 */
export function matchKeys(before, after) {
  const found = new Map(Array.from(before.places, (place, i) => [place, i]));
  return Int32Array.from(after.places, (place, i) => {
    const index = found.get(place) ?? -1;
    return index >= 0 && after.ages[i] === before.ages[index] + 1 ? index : -1;
  });
}

/**
 * The indices of the largest weights of one anchor, the largest first.
 *
 * @param {Float32Array} weights (A, K)
 * @param {number} anchor
 * @param {number} keys K
 * @param {number} count
 */
export function heaviest(weights, anchor, keys, count) {
  const own = weights.subarray(anchor * keys, (anchor + 1) * keys);
  return [...own.keys()].sort((a, b) => own[b] - own[a] || a - b).slice(0, count);
}

export const KEY_HISTORY = { width: 240, height: 74, left: 30, right: 6, top: 6, bottom: 16 };

/**
 * The mean cosine over training, within the band that holds eight of ten keys.
 *
 * @param {{ step: number; consistency: number; low: number; high: number }[]} snapshots
 * @param {number} now index of the snapshot that is shown
 * @param {string} axis
 */
export function keyHistoryShapes(snapshots, now, axis) {
  const { width, height, left, right, top, bottom } = KEY_HISTORY;
  const x = linear(0, snapshots[snapshots.length - 1].step, left, width - right);
  const y = linear(MIN_COSINE, 1, height - bottom, top);
  const at = (/** @type {number} */ cosine) => y(Math.max(MIN_COSINE, cosine));
  const upper = snapshots.map(({ step, high }) => [x(step), at(high)]);
  const lower = snapshots.map(({ step, low }) => [x(step), at(low)]).reverse();
  return [
    ...[0, 1].map((value) => label(left - 4, y(value) + 4, "end", 10, String(value))),
    `<line x1="${left}" x2="${width - right}" y1="${y(0)}" y2="${y(0)}" stroke="#888" stroke-opacity=".4"/>`,
    `<path d="${linePath([...upper, ...lower])}Z" fill="${LINE}" fill-opacity=".18"/>`,
    `<path d="${linePath(snapshots.map(({ step, consistency }) => [x(step), at(consistency)]))}" fill="none" stroke="${LINE}" stroke-width="1.8"/>`,
    `<line x1="${x(snapshots[now].step)}" x2="${x(snapshots[now].step)}" y1="${top}" y2="${height - bottom}" stroke="${HIGHLIGHT}" stroke-width="2"/>`,
    label((left + width) / 2, height - 4, "middle", 10, axis),
  ];
}
