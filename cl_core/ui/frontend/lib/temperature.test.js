import assert from "node:assert/strict";
import test from "node:test";

import { anatomy } from "./anatomy.js";
import { HALF_LIMIT, largestSimilarity, overview, overviewAt, positiveProbability, precisionFor, rowForces } from "./temperature.js";

/** @import { Form, Table } from "../types.js" */

/** Two anchors with one positive and three negatives each. @returns {Table} */
function table() {
  return {
    rows: 2,
    columns: 5,
    cosines: Float32Array.of(1, 0.8, 0.5, 0.1, -0.2, 0.8, 1, 0.3, 0.3, 0.3),
    positive: Uint8Array.of(0, 1, 0, 0, 0, 1, 0, 0, 0, 0),
    negative: Uint8Array.of(0, 0, 1, 1, 1, 0, 0, 1, 1, 1),
  };
}

/** @type {Form} */
const FORM = { kind: "out", temperature: 0.1, log_z: 0, log_kq: 0 };

test("weights of the negatives add up to 1, the hardest is the most similar one", () => {
  const parts = anatomy(table(), FORM);
  const forces = rowForces(table(), parts, 0);
  assert.ok(Math.abs(forces.weights.reduce((sum, weight) => sum + weight, 0) - 1) < 1e-12);
  assert.equal(forces.hardest, 2);
  assert.equal(forces.hardestContribution, forces.weights[2]);
  assert.ok(forces.effective > 1 && forces.effective < 3);
  assert.ok(Math.abs(forces.pull - (1 - positiveProbability(table(), parts, 0)) / 0.1) < 1e-9, "pull = (1 - p) / t");
});

test("equal negatives all count, at a high temperature even unequal ones do", () => {
  assert.ok(Math.abs(rowForces(table(), anatomy(table(), FORM), 1).effective - 3) < 1e-9);
  const warm = rowForces(table(), anatomy(table(), { ...FORM, temperature: 100 }), 0);
  assert.ok(Math.abs(warm.effective - 3) < 1e-3);
  const cold = rowForces(table(), anatomy(table(), { ...FORM, temperature: 0.01 }), 0);
  assert.ok(Math.abs(cold.effective - 1) < 1e-3);
});

test("the overview is the mean over anchors with a positive", () => {
  const parts = anatomy(table(), FORM);
  const means = overview(table(), parts);
  const rows = [0, 1].map((row) => rowForces(table(), parts, row));
  assert.ok(Math.abs(means.effective - (rows[0].effective + rows[1].effective) / 2) < 1e-12);
  assert.ok(Math.abs(means.pull - (rows[0].pull + rows[1].pull) / 2) < 1e-12);
  assert.equal(means.loss, parts.loss);
  const alone = { ...table(), positive: Uint8Array.of(0, 1, 0, 0, 0, 0, 0, 0, 0, 0) };
  const first = anatomy(alone, FORM);
  assert.equal(overview(alone, first).pull, rowForces(alone, first, 0).pull);
  assert.deepEqual(overviewAt(table(), FORM, FORM.temperature), means);
});

test("a row without negatives has no hardest one", () => {
  const none = { ...table(), negative: new Uint8Array(10) };
  const forces = rowForces(none, anatomy(none, FORM), 0);
  assert.deepEqual([forces.hardest, forces.hardestContribution, forces.effective], [-1, 0, 1]);
});

test("only compared cells count for the largest similarity", () => {
  assert.equal(largestSimilarity(table()), Math.fround(0.8));
});

test("precision of the largest exponential", () => {
  assert.equal(precisionFor(Math.log(65504)), "half");
  assert.equal(precisionFor(Math.log(65504) + 1e-9), "single");
  assert.equal(precisionFor(88.73), "neither");
  assert.equal(precisionFor(1 / HALF_LIMIT), "half");
});
