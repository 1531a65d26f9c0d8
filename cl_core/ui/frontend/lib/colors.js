import { decode } from "./decode.js";

/** @import { PointColors } from "../types.js" */

// Okabe and Ito's colors, then others of different lightness: color-blind readers can tell them apart.
export const CATEGORIES = [
  ...["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9"],
  ...["#D55E00", "#8C6BB1", "#A6761D", "#66A61E", "#7F7F7F"],
];
export const POSITIVE = "#009e73";
export const NEGATIVE = "#d55e00";
export const LINE = "#0072b2";
export const HIGHLIGHT = "#e69f00";

// Color scales: stops from the lowest value to the highest.
export const VIRIDIS = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]];
export const DIVERGING = [[179, 88, 6], [241, 163, 64], [247, 247, 247], [103, 169, 207], [5, 48, 97]];
export const BLUES = [[247, 251, 255], [158, 202, 225], [66, 146, 198], [8, 81, 156], [8, 48, 107]];
export const ORANGES = [[255, 245, 235], [253, 190, 133], [253, 141, 60], [217, 72, 1], [127, 39, 4]];
export const TO_POSITIVE = [[247, 247, 247], [0, 158, 115]];
export const TO_NEGATIVE = [[247, 247, 247], [213, 94, 0]];

const GROUP_ALPHA = 225;
const SCORE_ALPHA = 235;
const SCORE_STEPS = 64;
const MISSING = packColor("#999999", 120);
const OUTLIERS = 0.02; // of the scores at either end, which do not stretch the scale

/**
 * The color at `fraction`, clipped to [0, 1], along the stops.
 *
 * @param {number[][]} stops RGB each
 * @param {number} fraction
 */
export function ramp(stops, fraction) {
  const place = Math.min(1, Math.max(0, fraction)) * (stops.length - 1);
  const low = Math.min(stops.length - 2, Math.floor(place));
  return stops[low].map((value, i) => Math.round(value + (place - low) * (stops[low + 1][i] - value)));
}

/**
 * `ramp` at `steps` fractions from 0 to 1.
 *
 * @param {number[][]} stops
 * @param {number} steps
 */
export function rampTable(stops, steps) {
  return Array.from({ length: steps }, (_, i) => ramp(stops, i / (steps - 1)));
}

/**
 * @param {number[]} color RGB
 * @returns {string} "#rrggbb"
 */
export function toHex(color) {
  return `#${color.slice(0, 3).map((value) => Math.round(value).toString(16).padStart(2, "0")).join("")}`;
}

/**
 * "#rrggbb" as a pixel 0xAABBGGRR.
 *
 * @param {string} hex
 * @param {number} [alpha] 0 to 255
 */
export function packColor(hex, alpha = 255) {
  const value = parseInt(hex.slice(1), 16);
  return (((alpha << 24) >>> 0) + ((value & 255) << 16) + (value & 0xff00) + (value >> 16)) >>> 0;
}

/**
 * @param {number} pixel 0xAABBGGRR
 * @returns {string} "#rrggbb"
 */
export function pixelHex(pixel) {
  return toHex([pixel & 255, (pixel >> 8) & 255, (pixel >> 16) & 255]);
}

/**
 * @param {number} pixel 0xAABBGGRR
 * @param {number} alpha 0 to 255
 */
export function withAlpha(pixel, alpha) {
  return ((pixel & 0xffffff) + alpha * 0x1000000) >>> 0;
}

/**
 * @param {number} group
 */
export function groupColor(group) {
  return CATEGORIES[group % CATEGORIES.length];
}

/**
 * A color for each point, by its group or by its score.
 *
 * @param {{ groups: string | null; score?: { values: string; about: string } | null }} source as Python sends it
 * @returns {PointColors}
 */
export function pointColors(source) {
  if (source.groups !== null) {
    const groups = decode(source.groups, Uint16Array);
    return { colors: groupPixels(groups), groups, score: null, low: 0, high: 1 };
  }
  const score = decode(source.score?.values ?? "", Float32Array);
  return { ...scorePixels(score), groups: null, score };
}

/**
 * @param {Uint16Array} groups
 */
export function groupPixels(groups) {
  return Uint32Array.from(groups, (group) => packColor(groupColor(group), GROUP_ALPHA));
}

/**
 * A color for each score; gray where it is not finite.
 *
 * @param {Float32Array} score
 * @returns {{ colors: Uint32Array; low: number; high: number }} low, high: the ends of the scale, quantiles of the scores
 */
export function scorePixels(score) {
  const sorted = score.filter(Number.isFinite).sort();
  const low = sorted[Math.floor(sorted.length * OUTLIERS)] ?? 0;
  const high = sorted[Math.floor(sorted.length * (1 - OUTLIERS))] ?? 1;
  const steps = rampTable(VIRIDIS, SCORE_STEPS).map((color) => packColor(toHex(color), SCORE_ALPHA));
  const colors = Uint32Array.from(score, (value) => {
    if (!Number.isFinite(value)) return MISSING;
    const fraction = Math.min(1, Math.max(0, (value - low) / (high - low || 1)));
    return steps[Math.round(fraction * (SCORE_STEPS - 1))];
  });
  return { colors, low, high };
}
