import { BLUES, DIVERGING, ORANGES, TO_NEGATIVE, TO_POSITIVE, ramp } from "./colors.js";
import { largestSize } from "./scales.js";

/** @import { Anatomy, Stage, Table } from "../types.js" */

/**
 * The steps from cosines to gradients, each with the value of a cell and its color; null where the loss does not look.
 *
 * @param {Stage} stage
 * @param {Table} table
 * @param {Anatomy} parts
 * @returns {{ value: (cell: number) => number | null; color: (value: number) => number[] }}
 */
export function stageCells(stage, table, parts) {
  const { cosines, positive, negative, columns } = table;
  const compared = (/** @type {number} */ i) => Boolean(positive[i] || negative[i]);
  const largest = (/** @type {ArrayLike<number>} */ values) => {
    return largestSize(Array.from(values).filter((_, i) => compared(i)));
  };
  const diverging = (/** @type {number} */ limit) => (/** @type {number} */ v) => ramp(DIVERGING, (1 + v / limit) / 2);
  const cost = (/** @type {number} */ limit) => (/** @type {number} */ v) => ramp(ORANGES, Math.abs(v) / limit);
  switch (stage) {
    case "cosine":
      return { value: (i) => cosines[i], color: diverging(Math.max(1, largest(cosines))) };
    case "scaled":
      return { value: (i) => parts.scaled[i], color: diverging(largest(parts.scaled)) };
    case "mask":
      return { value: (i) => (compared(i) ? cosines[i] : null), color: diverging(Math.max(1, largest(cosines))) };
    case "probability":
      return {
        value: (i) => (compared(i) ? Math.exp(parts.logProbabilities[i]) : null),
        color: (v) => ramp(BLUES, Math.sqrt(v)),
      };
    case "log":
      return {
        value: (i) => (parts.contribution[i] !== 0 ? parts.contribution[i] : null),
        color: cost(largest(parts.contribution)),
      };
    case "mean":
      return { value: (i) => parts.terms[Math.floor(i / columns)], color: cost(largestSize(parts.terms)) };
    case "gradient": {
      const limit = largest(parts.gradient);
      return {
        value: (i) => (compared(i) ? parts.gradient[i] : null),
        color: (v) => ramp(v < 0 ? TO_POSITIVE : TO_NEGATIVE, Math.sqrt(Math.abs(v) / limit)),
      };
    }
  }
}
