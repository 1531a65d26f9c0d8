import assert from "node:assert/strict";
import test from "node:test";

import { anatomy } from "./anatomy.js";
import { BARS, orderBars, rowBars } from "./bars.js";

/** @import { Table } from "../types.js" */

/** One anchor, itself left out; the positive is the least similar. @type {Table} */
const TABLE = {
  rows: 1,
  columns: 6,
  cosines: Float32Array.of(1, 0.2, 0.9, -0.5, 0.4, 0.9),
  positive: Uint8Array.of(0, 0, 0, 1, 0, 0),
  negative: Uint8Array.of(0, 1, 1, 0, 1, 1),
};
const COLORS = { positive: "green", negative: "blue", push: "orange" };

test("the most similar come first, equal ones in their order", () => {
  assert.deepEqual(orderBars(TABLE, 0, 600).columns, [2, 5, 4, 1, 3]);
});

test("where there is little room the positive is shown all the same", () => {
  assert.deepEqual(orderBars(TABLE, 0, 50), { columns: [2, 5, 3], width: 50 / 3 });
  assert.deepEqual(orderBars(TABLE, 0, 1).columns, [3]);
});

test("bars are as long as their numbers and stay within their heights", () => {
  const parts = anatomy(TABLE, { kind: "out", temperature: 0.2, log_z: 0, log_kq: 0 });
  const order = orderBars(TABLE, 0, 600);
  const { bars, probability, gradient } = rowBars(TABLE, parts, 0, order, COLORS);
  assert.equal(bars[0].up.height, BARS.probability);
  assert.equal(Math.max(...bars.map((bar) => bar.down.height)), BARS.gradient);
  for (const bar of bars) {
    const i = bar.column;
    assert.ok(Math.abs(bar.up.height / BARS.probability - Math.exp(parts.logProbabilities[i]) / probability) < 1e-12);
    assert.ok(Math.abs(bar.down.height / BARS.gradient - Math.abs(parts.gradient[i]) / gradient) < 1e-12);
    assert.equal(bar.up.y + bar.up.height, BARS.base);
    assert.ok(bar.down.y + bar.down.height <= BARS.height);
  }
  assert.deepEqual([bars[4].up.color, bars[4].down.color], ["green", "green"]);
  assert.deepEqual([bars[0].up.color, bars[0].down.color], ["blue", "orange"]);
});

test("a row without candidates has no bars", () => {
  const none = { ...TABLE, positive: new Uint8Array(6), negative: new Uint8Array(6) };
  assert.deepEqual(orderBars(none, 0, 600).columns, []);
});
