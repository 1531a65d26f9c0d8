import assert from "node:assert/strict";
import test from "node:test";

import { anatomy } from "./anatomy.js";
import { BLUES, DIVERGING, ORANGES, TO_NEGATIVE, TO_POSITIVE } from "./colors.js";
import { stageCells } from "./stages.js";

/** @import { Form, Stage, Table } from "../types.js" */

/** @type {Table} */
const TABLE = {
  rows: 2,
  columns: 3,
  cosines: Float32Array.of(1, 0.5, -0.25, 0.5, 1, 0.125),
  positive: Uint8Array.of(0, 1, 0, 1, 0, 0),
  negative: Uint8Array.of(0, 0, 1, 0, 0, 1),
};
/** @type {Form} */
const FORM = { kind: "out", temperature: 0.5, log_z: 0, log_kq: 0 };
const PARTS = anatomy(TABLE, FORM);

/** @param {Stage} stage */
const values = (stage) => Array.from({ length: 6 }, (_, i) => stageCells(stage, TABLE, PARTS).value(i));

test("every stage shows its numbers", () => {
  assert.deepEqual(values("cosine"), [...TABLE.cosines]);
  assert.deepEqual(values("scaled"), [...PARTS.scaled]);
  assert.deepEqual(values("mask"), [null, 0.5, -0.25, 0.5, null, 0.125]);
  assert.equal(values("probability")[1], Math.exp(PARTS.logProbabilities[1]));
  assert.deepEqual(values("log"), [null, PARTS.contribution[1], null, PARTS.contribution[3], null, null]);
  assert.deepEqual(values("mean"), [0, 0, 0, 1, 1, 1].map((row) => PARTS.terms[row]));
  assert.equal(values("gradient")[2], PARTS.gradient[2]);
  assert.equal(values("gradient")[0], null);
});

test("colors run to the ends of their scales", () => {
  assert.deepEqual(stageCells("cosine", TABLE, PARTS).color(1), DIVERGING.at(-1));
  assert.deepEqual(stageCells("cosine", TABLE, PARTS).color(0), DIVERGING[2]);
  assert.deepEqual(stageCells("probability", TABLE, PARTS).color(1), BLUES.at(-1));
  const gradient = stageCells("gradient", TABLE, PARTS).color;
  const [lowest, highest] = [Math.min(...PARTS.gradient), Math.max(...PARTS.gradient)];
  assert.deepEqual(gradient(lowest), TO_POSITIVE[1]);
  assert.deepEqual(gradient(highest), Math.abs(highest) < Math.abs(lowest) ? gradient(highest) : TO_NEGATIVE[1]);
  assert.deepEqual(stageCells("mean", TABLE, PARTS).color(Math.max(...PARTS.terms)), ORANGES.at(-1));
});
