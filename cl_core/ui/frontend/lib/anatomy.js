// The losses taken apart for sliders that must not wait. Tests compare every number with `cl_core/losses/anatomy.py`.

import { softplus } from "./math.js";

/** @import { Anatomy, Form, FormKind, Table } from "../types.js" */

/** @typedef {{ t: number; form: Form; weights: Float64Array | null }} Scales weights of positives, null where all are 1 */
/** @typedef {(parts: Anatomy, positives: number[], negatives: number[], scales: Scales) => void} RowParts */

/**
 * What each cell of a similarity matrix contributes to a loss; `Anatomy` in Python has the same parts.
 *
 * @param {Table} table
 * @param {Form} form
 * @returns {Anatomy}
 */
export function anatomy(table, form) {
  const { rows, columns, cosines } = table;
  const size = rows * columns;
  /** @type {Anatomy} */
  const parts = {
    scaled: new Float64Array(size),
    logProbabilities: new Float64Array(size).fill(-Infinity),
    contribution: new Float64Array(size),
    gradient: new Float64Array(size),
    terms: new Float64Array(rows),
    anchors: 0,
    loss: 0,
  };
  const t = hasTemperature(form) ? form.temperature : 1;
  const shift = (form.bias ?? 0) - (form.log_z ?? 0) - (form.log_kq ?? 0);
  for (let i = 0; i < size; i++) parts.scaled[i] = cosines[i] / t + shift;
  if (table.given) {
    parts.contribution.set(table.given.contribution);
    parts.gradient.set(table.given.gradient);
    parts.logProbabilities.fill(0);
  }
  const scales = { t, form, weights: form.sigma ? (table.weights ?? positiveWeights(table, form.sigma)) : null };
  for (let row = 0; row < rows; row++) {
    const { positives, negatives } = comparedCells(table, row);
    if (positives.length) parts.anchors += 1;
    ROW_PARTS[form.kind](parts, positives, negatives, scales);
    for (const i of [...positives, ...negatives]) parts.terms[row] += parts.contribution[i];
  }
  const count = ofDimensions(form) ? 1 : Math.max(1, parts.anchors); // a loss of dimensions is the sum over them
  for (let i = 0; i < size; i++) parts.contribution[i] /= count;
  parts.loss = parts.terms.reduce((sum, term) => sum + term, 0) / count;
  return parts;
}

/** Whether the similarities of a loss are divided by a temperature. @param {Form} form */
export function hasTemperature({ kind }) {
  return kind !== "cosine" && !ofDimensions({ kind });
}

/** Whether a loss asks of every pair of views, independently of the others, whether it is a positive. @param {Pick<Form, "kind">} form */
export function asksEachPair({ kind }) {
  return kind === "nce" || kind === "sigmoid";
}

/** Whether a loss compares dimensions rather than views. @param {Pick<Form, "kind">} form */
export function ofDimensions({ kind }) {
  return kind === "correlation" || kind === "covariance";
}

/**
 * Weights of the positives by their cosines: 2 - e^(s/sigma) divided by its mean over all positives; 1 elsewhere.
 *
 * @param {Table} table
 * @param {number} sigma
 */
function positiveWeights({ cosines, positive }, sigma) {
  const weights = new Float64Array(cosines.length).fill(1);
  const cells = Array.from(weights.keys()).filter((i) => positive[i]);
  const powers = cells.map((i) => Math.exp(cosines[i] / sigma));
  const mean = powers.reduce((sum, value) => sum + value, 0) / cells.length;
  cells.forEach((i, n) => (weights[i] = 2 - powers[n] / mean));
  return weights;
}

/**
 * The cells of a row that a loss looks at, as positions in the table.
 *
 * @param {Table} table
 * @param {number} row
 */
export function comparedCells({ columns, positive, negative }, row) {
  /** @type {number[]} */
  const positives = [];
  /** @type {number[]} */
  const negatives = [];
  for (let i = row * columns; i < (row + 1) * columns; i++) {
    if (positive[i]) positives.push(i);
    else if (negative[i]) negatives.push(i);
  }
  return { positives, negatives };
}

/**
 * What a negative costs: a row's loss minus its loss without this candidate.
 *
 * @param {Table} table
 * @param {Form} form
 * @param {number} row
 * @param {number} column
 */
export function costOf(table, form, row, column) {
  const { columns, cosines, positive, negative } = table;
  const [start, end] = [row * columns, (row + 1) * columns];
  const own = { rows: 1, columns, cosines: cosines.subarray(start, end), positive: positive.subarray(start, end) };
  const weights = form.sigma ? positiveWeights(table, form.sigma).subarray(start, end) : undefined; // of all rows
  const candidates = negative.slice(start, end);
  const term = anatomy({ ...own, negative: candidates, weights }, form).terms[0];
  const others = candidates.slice();
  others[column] = 0;
  return term - anatomy({ ...own, negative: others, weights }, form).terms[0];
}

/**
 * log of the sum of exp over some cells, without overflow.
 *
 * @param {Float64Array} values
 * @param {number[]} cells
 */
function logSumExp(values, cells) {
  let top = -Infinity;
  for (const i of cells) top = Math.max(top, values[i]);
  if (top === -Infinity) return top;
  let sum = 0;
  for (const i of cells) sum += Math.exp(values[i] - top);
  return top + Math.log(sum);
}

/**
 * @param {number} a
 * @param {number} b
 */
function logAddExp(a, b) {
  const top = Math.max(a, b);
  return top === -Infinity ? top : top + Math.log(Math.exp(a - top) + Math.exp(b - top));
}

/** @param {number} x */
function logSigmoid(x) {
  return -softplus(-x);
}

/**
 * Each fills one row's probabilities and gradient, and its contributions not yet divided by the number of anchors.
 *
 * @type {Record<FormKind, RowParts>}
 */
const ROW_PARTS = {
  out(parts, positives, negatives, { t }) {
    const count = positives.length;
    softmaxRow(parts, positives, negatives, t, (i) => [-parts.logProbabilities[i] / count, 1 / count]);
  },
  in(parts, positives, negatives, { t }) {
    insideLogRow(parts, positives, negatives, t, Math.log(positives.length));
  },
  "in-sum"(parts, positives, negatives, { t }) {
    insideLogRow(parts, positives, negatives, t, 0);
  },
  // Every positive has a denominator of its own: itself and the negatives.
  views(parts, positives, negatives, { t }) {
    const { scaled } = parts;
    const rest = logSumExp(scaled, negatives);
    const count = positives.length;
    const denominators = positives.map((i) => logAddExp(scaled[i], rest));
    const mean = denominators.reduce((sum, value) => sum + value, 0) / count;
    positives.forEach((i, n) => {
      parts.logProbabilities[i] = scaled[i] - denominators[n];
      parts.contribution[i] = (denominators[n] - scaled[i]) / count;
      parts.gradient[i] = (Math.exp(scaled[i] - denominators[n]) - 1) / count / t;
    });
    for (const i of negatives) {
      parts.logProbabilities[i] = scaled[i] - mean;
      parts.gradient[i] = denominators.reduce((sum, value) => sum + Math.exp(scaled[i] - value), 0) / count / t;
    }
  },
  // The positive is not part of the denominator.
  ratio(parts, positives, negatives, { t, weights }) {
    const bottom = logSumExp(parts.scaled, negatives);
    for (const i of [...positives, ...negatives]) parts.logProbabilities[i] = parts.scaled[i] - bottom;
    for (const i of positives) {
      const weight = weights?.[i] ?? 1;
      parts.contribution[i] = bottom - weight * parts.scaled[i];
      parts.gradient[i] = -weight / t;
    }
    for (const i of negatives) parts.gradient[i] = (positives.length * Math.exp(parts.logProbabilities[i])) / t;
  },
  hard: hardRow,
  nce: questionsRow,
  sigmoid: questionsRow,
  correlation: () => {}, // given
  covariance: () => {},
  cosine(parts, positives) {
    for (const i of positives) {
      parts.logProbabilities[i] = 0;
      parts.contribution[i] = -parts.scaled[i];
      parts.gradient[i] = -1;
    }
  },
};

/**
 * A row whose pairs are each asked whether they are a positive.
 *
 * @type {RowParts}
 */
function questionsRow(parts, positives, negatives, { t }) {
  for (const i of positives) {
    parts.logProbabilities[i] = logSigmoid(parts.scaled[i]);
    parts.gradient[i] = -Math.exp(logSigmoid(-parts.scaled[i])) / t;
  }
  for (const i of negatives) {
    parts.logProbabilities[i] = logSigmoid(-parts.scaled[i]);
    parts.gradient[i] = Math.exp(logSigmoid(parts.scaled[i])) / t;
  }
  for (const i of [...positives, ...negatives]) parts.contribution[i] = -parts.logProbabilities[i];
}

/**
 * A row whose negatives are reweighted: each positive against itself and an estimate of the sum over the negatives.
 *
 * @type {RowParts}
 */
function hardRow(parts, positives, negatives, { t, form }) {
  const { scaled } = parts;
  const count = positives.length;
  const { hardness: beta = 0, prior = 0 } = form;
  const logCount = Math.log(negatives.length);
  const stretched = (/** @type {number} */ factor) => Float64Array.from(scaled, (value) => factor * value);
  const [weighted, weights] = [stretched(1 + beta), stretched(beta)];
  const [top, bottom] = [logSumExp(weighted, negatives), logSumExp(weights, negatives)];
  const mean = negatives.length ? top - bottom + logCount : -Infinity; // log of the reweighted sum
  for (const i of negatives) parts.logProbabilities[i] = 0;
  for (const i of positives) {
    const false_ = prior * Math.exp(scaled[i] + logCount - mean); // fraction of the sum that are false negatives
    const open = mean + Math.log1p(-Math.min(false_, 1)) - Math.log1p(-prior);
    const floor = logCount - 1 / t;
    const atFloor = open < floor;
    const estimate = atFloor ? floor : open;
    const denominator = logAddExp(scaled[i], estimate);
    const share = Math.exp(estimate - denominator);
    const grows = atFloor ? 0 : share / (1 - false_); // derivative of the term by `mean`
    parts.logProbabilities[i] = scaled[i] - denominator;
    parts.contribution[i] = (denominator - scaled[i]) / count;
    parts.gradient[i] = -(share + grows * false_) / count / t;
    for (const j of negatives) {
      const [more, less] = [Math.exp(weighted[j] - top), Math.exp(weights[j] - bottom)];
      parts.gradient[j] += (grows * ((1 + beta) * more - beta * less)) / count / t;
      parts.logProbabilities[j] += (weighted[j] - top + estimate - denominator) / count;
    }
  }
}

/**
 * A row whose probabilities are a softmax over positives and negatives.
 *
 * @param {Anatomy} parts
 * @param {number[]} positives
 * @param {number[]} negatives
 * @param {number} t
 * @param {(cell: number) => [number, number]} ofPositive its part of the row's loss, and its part of the row's pull
 */
function softmaxRow(parts, positives, negatives, t, ofPositive) {
  const compared = [...positives, ...negatives];
  const bottom = logSumExp(parts.scaled, compared);
  for (const i of compared) parts.logProbabilities[i] = parts.scaled[i] - bottom;
  if (!positives.length) return;
  for (const i of compared) parts.gradient[i] = Math.exp(parts.logProbabilities[i]) / t;
  for (const i of positives) {
    const [contribution, pull] = ofPositive(i);
    parts.contribution[i] = contribution;
    parts.gradient[i] -= pull / t;
  }
}

/**
 * A row whose positives are added up inside the logarithm.
 *
 * @param {Anatomy} parts
 * @param {number[]} positives
 * @param {number[]} negatives
 * @param {number} t
 * @param {number} logCount log of the number by which the sum is divided
 */
function insideLogRow(parts, positives, negatives, t, logCount) {
  /** @type {number | null} */
  let top = null;
  softmaxRow(parts, positives, negatives, t, (i) => {
    top ??= logSumExp(parts.logProbabilities, positives);
    const part = Math.exp(parts.logProbabilities[i] - top);
    return [(logCount - top) * part, part];
  });
}
