// Points colored by the clusters that they belong to, and the centers among them.

import { label } from "./charts.js";
import { CATEGORIES, HIGHLIGHT, LINE } from "./colors.js";
import { formatNumber } from "./formats.js";
import { linear } from "./scales.js";
import { linePath } from "./svg.js";

/** @import { ClusterStep, Points } from "../types.js" */

const FULL = 255;

/** Colors of the clusters, RGB each. */
export const CLUSTER_COLORS = CATEGORIES.map((hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16)));

/**
 * A color for each point: those of the clusters, mixed by how much of the point belongs to each.
 *
 * @param {Uint8Array} responsibilities (N, K), of 255
 * @param {number} clusters K
 * @returns {string[]} "rgb(...)"
 */
export function mixedColors(responsibilities, clusters) {
  return Array.from({ length: responsibilities.length / clusters }, (_, i) => {
    const parts = responsibilities.subarray(i * clusters, (i + 1) * clusters);
    const total = parts.reduce((sum, each) => sum + each, 0) || 1;
    const mixed = [0, 1, 2].map((channel) =>
      Math.round(parts.reduce((sum, each, k) => sum + each * CLUSTER_COLORS[k % CLUSTER_COLORS.length][channel], 0) / total),
    );
    return `rgb(${mixed.join(" ")})`;
  });
}

/**
 * Where the centers stand on the map: the mean of their points' places, weighted by how much of each belongs to them.
 *
 * @param {Points} points
 * @param {Uint8Array} responsibilities (N, K), of 255
 * @param {number} clusters K
 * @returns {Points} NaN for a cluster without points
 */
export function centerPlaces({ xs, ys }, responsibilities, clusters) {
  const [across, down, total] = [new Float32Array(clusters), new Float32Array(clusters), new Float32Array(clusters)];
  for (let i = 0; i < xs.length; i++) {
    for (let k = 0; k < clusters; k++) {
      const weight = responsibilities[i * clusters + k] / FULL;
      across[k] += weight * xs[i];
      down[k] += weight * ys[i];
      total[k] += weight;
    }
  }
  return { xs: across.map((sum, k) => sum / total[k]), ys: down.map((sum, k) => sum / total[k]) };
}

/**
 * The step whose points the centers are the means of: the last one that moved them, or the first one of all.
 *
 * @param {ClusterStep[]} steps
 * @param {number} at
 */
export function centersFrom(steps, at) {
  for (let i = at; i >= 0; i--) if (steps[i].kind === "maximize") return i;
  return 0;
}

export const OBJECTIVE = { width: 300, height: 120, left: 46, right: 8, top: 10, bottom: 20 };

/**
 * The objective over the steps, with a dot for each: filled where the centers moved.
 *
 * @param {ClusterStep[]} steps
 * @param {number} at the step that is shown
 * @param {string} axis
 */
export function objectiveShapes(steps, at, axis) {
  const { width, height, left, right, top, bottom } = OBJECTIVE;
  const values = steps.map(({ objective }) => objective);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const x = linear(0, Math.max(1, steps.length - 1), left, width - right);
  const y = linear(low, high, height - bottom, top);
  const dots = steps.map(({ kind, objective }, i) => {
    const fill = kind === "maximize" ? LINE : "none";
    return `<circle cx="${x(i)}" cy="${y(objective)}" r="${i === at ? 5 : 2.6}" fill="${i === at ? HIGHLIGHT : fill}" stroke="${LINE}"/>`;
  });
  return [
    label(left - 4, y(high) + 4, "end", 10, formatNumber(high)),
    label(left - 4, y(low) + 4, "end", 10, formatNumber(low)),
    `<path d="${linePath(values.map((value, i) => [x(i), y(value)]))}" fill="none" stroke="${LINE}" stroke-width="1.4"/>`,
    ...dots,
    label((left + width) / 2, height - 4, "middle", 10, axis),
  ];
}
