/** @import { Points } from "../types.js" */

const FULL_SCALE = 32767; // Python sends coordinates as 16-bit integers

/**
 * Points from -1 to 1, the second axis pointing down as on a screen.
 *
 * @param {Int16Array} values (N, 2), row by row
 * @param {number} start the first point
 * @param {number} count
 * @returns {Points}
 */
export function readPoints(values, start, count) {
  const [xs, ys] = [new Float32Array(count), new Float32Array(count)];
  for (let i = 0; i < count; i++) {
    xs[i] = values[2 * (start + i)] / FULL_SCALE;
    ys[i] = -values[2 * (start + i) + 1] / FULL_SCALE;
  }
  return { xs, ys };
}

/**
 * How far points reach from the middle, across and down; above 0.
 *
 * @param {Points[]} layouts
 */
export function extentOf(layouts) {
  let [across, down] = [1e-6, 1e-6];
  for (const { xs, ys } of layouts) {
    for (let i = 0; i < xs.length; i++) {
      across = Math.max(across, Math.abs(xs[i]));
      down = Math.max(down, Math.abs(ys[i]));
    }
  }
  return { across, down };
}

/**
 * Write the points between two layouts into `target`.
 *
 * @param {Points} from
 * @param {Points} to
 * @param {number} fraction 0 gives `from`, 1 gives `to`
 * @param {Points} target
 */
export function interpolate(from, to, fraction, target) {
  for (let i = 0; i < target.xs.length; i++) {
    target.xs[i] = from.xs[i] + fraction * (to.xs[i] - from.xs[i]);
    target.ys[i] = from.ys[i] + fraction * (to.ys[i] - from.ys[i]);
  }
}

/**
 * A slow start and a slow end: 0 at 0, 1 at 1, flat at both.
 *
 * @param {number} fraction
 */
export function smoothstep(fraction) {
  return fraction * fraction * (3 - 2 * fraction);
}

/**
 * The radius of a drawn point, in device pixels: many points are small, and zooming in enlarges them.
 *
 * @param {number} count of points on the map
 * @param {number} zoom
 * @param {number} scale device pixels per CSS pixel
 */
export function pointRadius(count, zoom, scale) {
  const base = count > 20000 ? 1.2 : count > 5000 ? 2.2 : 2.8;
  return Math.max(1, Math.round(scale * Math.min(7, base * Math.sqrt(zoom))));
}
