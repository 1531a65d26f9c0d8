import assert from "node:assert/strict";
import test from "node:test";

import { logSumExp } from "./math.js";
import {
  anchorsOf,
  batchLosses,
  infoNceChance,
  infoNceParts,
  nceChance,
  nceCorrection,
  nceCurveShapes,
  nceParts,
  probabilityShapes,
} from "./nce.js";

/** @param {number} a @param {number} b */
const near = (a, b) => assert.ok(Math.abs(a - b) < 1e-9, `${a} is not ${b}`);

test("the softmax sums to one, sigmoids need not", () => {
  near(infoNceParts([2, 1, 0]).probabilities.reduce((a, b) => a + b), 1);
  assert.ok(nceParts([2, 1, 0], 0).probabilities.reduce((a, b) => a + b) > 1.5);
});

test("gradients are the differences of the losses", () => {
  const scores = [0.3, -1, 2.2];
  for (const parts of [(/** @type {number[]} */ s) => nceParts(s, 0.7), infoNceParts]) {
    const { gradient, loss } = parts(scores);
    scores.forEach((_, i) => {
      const moved = scores.map((score, j) => score + (i === j ? 1e-6 : 0));
      assert.ok(Math.abs((parts(moved).loss - loss) / 1e-6 - gradient[i]) < 1e-4);
    });
  }
});

test("equal scores give the chance levels", () => {
  const equal = Array(9).fill(1.5);
  near(infoNceParts(equal).loss, infoNceChance(8));
  near(nceParts(equal, nceCorrection([equal])).loss, nceChance(8));
});

test("with its own normalizer NCE's positive has InfoNCE's probability", () => {
  const scores = [1, 0.5, -2];
  near(nceParts(scores, logSumExp(scores.slice(1))).probabilities[0], infoNceParts(scores).probabilities[0]);
});

test("large scores do not overflow", () => {
  assert.ok(Number.isFinite(infoNceParts([100, -100, 90]).loss));
  assert.ok(Number.isFinite(nceParts([-1000, 1000], 0).loss));
});

test("an anchor has its positive and so many negatives", () => {
  const batch = { cosines: Float32Array.of(1, 0.5, 0, 0.5, 1, 0.25, 0, 0.25, 1), order: Int16Array.of(1, 2, 0, 2, 0, 1), views: 3 };
  assert.deepEqual(anchorsOf(batch, 1), [[0.5, 0], [0.5, 0.25], [0, 0.25]]);
  const { nce, infoNce, correction } = batchLosses(batch, 1, 1, 1, false);
  assert.equal(correction, 0);
  near(infoNce, (Math.log1p(Math.exp(-0.5)) + Math.log1p(Math.exp(-0.25)) + Math.log1p(Math.exp(0.25))) / 3);
  assert.ok(nce > infoNce);
});

test("drawings have a bar a candidate and mark the present place", () => {
  assert.equal(probabilityShapes([0.5, 0.2, 0.1], "x").filter((shape) => shape.startsWith("<rect")).length, 3);
  const shapes = nceCurveShapes([1, 2, 4], [{ values: [1, 2, 3] }, { values: [NaN, 1, 1], dash: true }], 2, "k").join("");
  assert.match(shapes, /stroke-dasharray/);
});
