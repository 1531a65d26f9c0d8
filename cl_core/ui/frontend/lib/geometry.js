/** @import { Points } from "../types.js" */

/**
 * Whether a place lies within a polygon, by the even-odd rule.
 *
 * @param {number[][]} polygon [x, y] each
 * @param {number} x
 * @param {number} y
 */
export function insidePolygon(polygon, x, y) {
  let inside = false;
  for (let a = 0, b = polygon.length - 1; a < polygon.length; b = a++) {
    const [[xa, ya], [xb, yb]] = [polygon[a], polygon[b]];
    if (ya > y !== yb > y && x < ((xb - xa) * (y - ya)) / (yb - ya) + xa) inside = !inside;
  }
  return inside;
}

/**
 * The point nearest to a place, less than `reach` away, or -1. Few points: a map of many has a `PointGrid`.
 *
 * @param {Points} points
 * @param {number} x
 * @param {number} y
 * @param {number} reach
 */
export function nearestPoint({ xs, ys }, x, y, reach) {
  let [nearest, least] = [-1, reach ** 2];
  for (let i = 0; i < xs.length; i++) {
    const distance = (xs[i] - x) ** 2 + (ys[i] - y) ** 2;
    if (distance < least) [nearest, least] = [i, distance];
  }
  return nearest;
}

/** Of the arrow keys, as steps on a screen. @type {Record<string, [number, number]>} */
export const DIRECTIONS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/**
 * The next point from `start` in a direction, near and not far to the side; `start` where there is none.
 *
 * @param {Points} points
 * @param {number} start
 * @param {number[]} direction [dx, dy], one of them 0 and the other 1 or -1
 * @param {number} step how far the next point is at least
 * @param {(index: number) => boolean} accept
 */
export function nextInDirection({ xs, ys }, start, [dx, dy], step, accept) {
  let [best, found] = [Infinity, start];
  for (let i = 0; i < xs.length; i++) {
    const [x, y] = [xs[i] - xs[start], ys[i] - ys[start]];
    const along = x * dx + y * dy;
    if (along < step || !accept(i)) continue;
    const cost = along + 2.5 * (Math.abs(x * dy) + Math.abs(y * dx));
    if (cost < best) [best, found] = [cost, i];
  }
  return found;
}

/**
 * At most `limit` items of a list, from all parts of it.
 *
 * @template T
 * @param {T[]} list
 * @param {number} limit
 */
export function sample(list, limit) {
  if (list.length <= limit) return list;
  return Array.from({ length: limit }, (_, i) => list[Math.floor((i * list.length) / limit)]);
}

/**
 * Which of the labels can be written so that none covers another; earlier ones win.
 *
 * @param {{ left: number; top: number; width: number }[]} labels
 * @param {number} height of a line
 * @returns {boolean[]}
 */
export function labelsThatFit(labels, height) {
  /** @type {typeof labels} */
  const placed = [];
  return labels.map((label) => {
    const fits = placed.every(
      (other) =>
        other.left > label.left + label.width ||
        label.left > other.left + other.width ||
        Math.abs(other.top - label.top) > height,
    );
    if (fits) placed.push(label);
    return fits;
  });
}
