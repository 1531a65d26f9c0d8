// Drawings of an explanation: what each part of an image contributes, and curves of the cosine.

import { label } from "./charts.js";
import { LINE, packColor } from "./colors.js";
import { linear } from "./scales.js";
import { linePath } from "./svg.js";

const VEIL = 225; // alpha over parts that contribute nothing
const SOFTNESS = 0.7; // below 1: small contributions are seen, too

/**
 * A veil over an image: the more a part contributes, the clearer it is; parts that work against are blue.
 *
 * @param {ArrayLike<number>} values contributions
 * @param {number} most the largest absolute contribution
 * @returns {Uint32Array<ArrayBuffer>} 0xAABBGGRR each
 */
export function veilPixels(values, most) {
  const blue = packColor(LINE, 0);
  return Uint32Array.from(values, (value) => {
    const strength = most > 0 ? Math.min(1, Math.abs(value) / most) ** SOFTNESS : 0;
    if (value >= 0) return (0xffffff | (Math.round(VEIL * (1 - strength)) << 24)) >>> 0;
    const mixed = [0, 8, 16].map((shift) => Math.round(255 + strength * (((blue >>> shift) & 255) - 255)) << shift);
    return (mixed[0] | mixed[1] | mixed[2] | (VEIL << 24)) >>> 0;
  });
}

export const WHY_CURVE = { width: 220, height: 110, left: 34, right: 6, top: 8, bottom: 18 };

/**
 * The cosine while patches go or come, by importance and in random order.
 *
 * @param {number[]} ordered at equal steps from none to all patches
 * @param {number[]} random
 * @param {string} axis
 */
export function whyCurveShapes(ordered, random, axis) {
  const { width, height, left, right, top, bottom } = WHY_CURVE;
  const values = [...ordered, ...random];
  const [low, high] = [Math.min(0, ...values), Math.max(...values, 0.01)];
  const x = linear(0, ordered.length - 1, left, width - right);
  const y = linear(low, high, height - bottom, top);
  const path = (/** @type {number[]} */ line, /** @type {string} */ look) =>
    `<path d="${linePath(line.map((value, i) => [x(i), y(value)]))}" fill="none" ${look}/>`;
  const mark = (/** @type {number} */ value) => label(left - 4, y(value) + 4, "end", 10, value.toFixed(2));
  return [
    mark(low),
    mark(high),
    `<line x1="${left}" x2="${width - right}" y1="${y(low)}" y2="${y(low)}" stroke="#888" stroke-opacity=".5"/>`,
    label((left + width) / 2, height - 4, "middle", 10, axis),
    path(random, 'stroke="#888" stroke-width="1.8" stroke-dasharray="4 3"'),
    path(ordered, `stroke="${LINE}" stroke-width="2"`),
  ];
}
