// What the temperature does to the negatives. Tests compare every number with `cl_core/losses/temperature.py`.

import { anatomy } from "./anatomy.js";

/** @import { Anatomy, Form, Table, Overview } from "../types.js" */

const HALF_MAX = 65504;
const SINGLE_MAX = 3.4028234663852886e38;

/** The temperature below which e^(1/t) overflows half precision, for a largest similarity of 1. */
export const HALF_LIMIT = 1 / Math.log(HALF_MAX);

/**
 * The forces on one row.
 *
 * @param {Table} table
 * @param {Anatomy} parts
 * @param {number} row
 * @returns weights: each negative's part of the push, 0 elsewhere; effective: exp of the weights' entropy; hardest: the
 *     column with the largest weight, or -1; hardestContribution: that weight; pull: size of the gradient of the positives
 */
export function rowForces({ columns, positive, negative }, parts, row) {
  const start = row * columns;
  const weights = new Float64Array(columns);
  let [sum, pull] = [0, 0];
  for (let j = 0; j < columns; j++) {
    if (negative[start + j]) sum += weights[j] = Math.abs(parts.gradient[start + j]);
    else if (positive[start + j]) pull -= parts.gradient[start + j];
  }
  let [entropy, hardest] = [0, -1];
  for (let j = 0; j < columns; j++) {
    if (!negative[start + j]) continue;
    if (sum > 0) weights[j] /= sum;
    if (weights[j] > 0) entropy -= weights[j] * Math.log(weights[j]);
    if (hardest < 0 || weights[j] > weights[hardest]) hardest = j;
  }
  return { weights, effective: Math.exp(entropy), hardest, hardestContribution: hardest < 0 ? 0 : weights[hardest], pull };
}

/**
 * The probability of a row's positives together.
 *
 * @param {Table} table
 * @param {Anatomy} parts
 * @param {number} row
 */
export function positiveProbability({ columns, positive }, parts, row) {
  let sum = 0;
  for (let i = row * columns; i < (row + 1) * columns; i++) if (positive[i]) sum += Math.exp(parts.logProbabilities[i]);
  return sum;
}

/**
 * Means over the anchors that have a positive.
 *
 * @param {Table} table
 * @param {Anatomy} parts
 * @returns {Overview}
 */
export function overview(table, parts) {
  const means = { loss: parts.loss, probability: 0, effective: 0, hardest: 0, pull: 0 };
  for (let row = 0; row < table.rows; row++) {
    const start = row * table.columns;
    if (!table.positive.subarray(start, start + table.columns).some(Boolean)) continue;
    const forces = rowForces(table, parts, row);
    means.probability += positiveProbability(table, parts, row) / parts.anchors;
    means.effective += forces.effective / parts.anchors;
    means.hardest += forces.hardestContribution / parts.anchors;
    means.pull += forces.pull / parts.anchors;
  }
  return means;
}

/**
 * `overview` at another temperature.
 *
 * @param {Table} table
 * @param {Form} form
 * @param {number} temperature
 */
export function overviewAt(table, form, temperature) {
  return overview(table, anatomy(table, { ...form, temperature }));
}

/**
 * The largest similarity that the loss looks at, at least 0.
 *
 * @param {Table} table
 */
export function largestSimilarity({ cosines, positive, negative }) {
  let largest = 0;
  for (let i = 0; i < cosines.length; i++) if (positive[i] || negative[i]) largest = Math.max(largest, cosines[i]);
  return largest;
}

/**
 * The smallest floating-point format that holds e^exponent.
 *
 * @param {number} exponent
 * @returns {"half" | "single" | "neither"}
 */
export function precisionFor(exponent) {
  if (exponent <= Math.log(HALF_MAX)) return "half";
  return exponent <= Math.log(SINGLE_MAX) ? "single" : "neither";
}
