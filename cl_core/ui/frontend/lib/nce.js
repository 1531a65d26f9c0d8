// NCE, negative sampling and InfoNCE on the same scores; equal to `cl_core.losses` (tests/browser/test_nce.py).

import { label } from "./charts.js";
import { HIGHLIGHT, LINE, NEGATIVE, POSITIVE } from "./colors.js";
import { formatNumber } from "./formats.js";
import { logSumExp, mean, sigmoid, softplus } from "./math.js";
import { linear } from "./scales.js";
import { linePath } from "./svg.js";

/** @typedef {{ probabilities: number[]; loss: number; gradient: number[] }} Parts of one anchor, the positive first */

/**
 * One question a candidate, "positive or noise?": binary cross-entropy of score - correction.
 *
 * @param {number[]} scores the positive's first
 * @param {number} correction log(k q) and the normalizer; 0 is negative sampling
 * @returns {Parts} gradient: by each score
 */
export function nceParts(scores, correction) {
  const logits = scores.map((score) => score - correction);
  const probabilities = logits.map(sigmoid);
  const loss = logits.reduce((sum, logit, i) => sum + softplus(i ? logit : -logit), 0);
  return { probabilities, loss, gradient: probabilities.map((p, i) => (i ? p : p - 1)) };
}

/**
 * One question for all candidates, "which is the positive?": cross-entropy of the softmax.
 *
 * @param {number[]} scores the positive's first, divided by the temperature
 * @returns {Parts} gradient: by each score
 */
export function infoNceParts(scores) {
  const total = logSumExp(scores);
  const probabilities = scores.map((score) => Math.exp(score - total));
  return { probabilities, loss: total - scores[0], gradient: probabilities.map((p, i) => (i ? p : p - 1)) };
}

/**
 * What NCE subtracts from the scores: log k, and the log of the mean of exp(score) over the noise of all anchors, which
 * normalizes the model (as `log_partition` does).
 *
 * @param {number[][]} anchors the scores of each, the positive's first
 */
export function nceCorrection(anchors) {
  const noise = anchors.flatMap((scores) => scores.slice(1));
  return logSumExp(noise) - Math.log(noise.length) + Math.log(anchors[0].length - 1);
}

/** The best loss of a constant logit with k noise samples, in nats. @param {number} k */
export const nceChance = (k) => (k + 1) * Math.log(k + 1) - k * Math.log(k);

/** The loss of equal scores with k negatives, in nats. @param {number} k */
export const infoNceChance = (k) => Math.log(k + 1);

/**
 * The cosines of each anchor with its positive and its first `count` negatives.
 *
 * @param {{ cosines: Float32Array; order: Int16Array; views: number }} batch cosines (V, V); order (V, V - 1): for each anchor the
 *     positive, then the negatives in random order
 * @param {number} count
 */
export function anchorsOf({ cosines, order, views }, count) {
  return Array.from({ length: views }, (_, row) =>
    Array.from({ length: count + 1 }, (__, i) => cosines[row * views + order[row * (views - 1) + i]]),
  );
}

/**
 * Mean losses of a batch.
 *
 * @param {Parameters<typeof anchorsOf>[0]} batch
 * @param {number} count of negatives
 * @param {number} own temperature: NCE's scores are the cosines divided by it
 * @param {number} temperature of InfoNCE
 * @param {boolean} corrected
 */
export function batchLosses(batch, count, own, temperature, corrected) {
  const anchors = anchorsOf(batch, count);
  const scores = anchors.map((each) => each.map((cosine) => cosine / own));
  const correction = corrected ? nceCorrection(scores) : 0;
  return {
    correction,
    nce: mean(scores.map((each) => nceParts(each, correction).loss)),
    infoNce: mean(anchors.map((each) => infoNceParts(each.map((cosine) => cosine / temperature)).loss)),
  };
}

export const NCE_BARS = { width: 280, height: 96, top: 14, bottom: 4 };

/**
 * The probability of each candidate: the positive green, negatives orange.
 *
 * @param {number[]} probabilities
 * @param {string} note below the highest bar
 */
export function probabilityShapes(probabilities, note) {
  const { width, height, top, bottom } = NCE_BARS;
  const y = linear(0, 1, height - bottom, top);
  const step = width / probabilities.length;
  const bars = probabilities.map((p, i) => {
    const color = i ? NEGATIVE : POSITIVE;
    const wide = Math.max(1, step - 1.5);
    return `<rect x="${i * step}" y="${y(p)}" width="${wide}" height="${Math.max(0.5, y(0) - y(p))}" fill="${color}"/>`;
  });
  const line = `<line x1="0" x2="${width}" y1="${y(1)}" y2="${y(1)}" stroke="#888" stroke-opacity=".5" stroke-dasharray="2 3"/>`;
  return [line, ...bars, label(width, 10, "end", 10, note)];
}

export const NCE_CURVE = { width: 280, height: 110, left: 36, right: 8, top: 8, bottom: 18 };

/**
 * Lines over a logarithmic axis, with the present place marked.
 *
 * @param {number[]} places above 0
 * @param {{ values: number[]; dash?: boolean; color?: string }[]} lines
 * @param {number} now
 * @param {string} axis
 */
export function nceCurveShapes(places, lines, now, axis) {
  const { width, height, left, right, top, bottom } = NCE_CURVE;
  const all = lines.flatMap(({ values }) => values).filter(Number.isFinite);
  const [low, high] = [Math.min(0, ...all), Math.max(...all, 0.1)];
  const x = linear(Math.log(places[0]), Math.log(places[places.length - 1]), left, width - right);
  const y = linear(low, high, height - bottom, top);
  const paths = lines.map(({ values, dash, color = LINE }) => {
    const points = values.map((value, i) => [x(Math.log(places[i])), y(value)]);
    return `<path d="${linePath(points)}" fill="none" stroke="${color}" stroke-width="1.8"${dash ? ' stroke-dasharray="3 3"' : ""}/>`;
  });
  const here = x(Math.log(now));
  return [
    label(left - 4, y(high) + 6, "end", 10, formatNumber(high)),
    label(left - 4, y(low), "end", 10, formatNumber(low)),
    `<line x1="${left}" x2="${width - right}" y1="${y(low)}" y2="${y(low)}" stroke="#888" stroke-opacity=".5"/>`,
    ...paths,
    `<line x1="${here}" x2="${here}" y1="${top}" y2="${height - bottom}" stroke="${HIGHLIGHT}" stroke-width="2"/>`,
    label(left, height - 4, "start", 10, formatNumber(places[0])),
    label((left + width) / 2, height - 4, "middle", 10, axis),
    label(width - right, height - 4, "end", 10, formatNumber(places[places.length - 1])),
  ];
}
