import assert from "node:assert/strict";
import test from "node:test";

import { LogScale, largestSize, linear, roundTicks } from "./scales.js";

test("a logarithmic axis goes both ways", () => {
  const scale = new LogScale(0.01, 10);
  assert.equal(scale.fraction(0.01), 0);
  assert.equal(scale.fraction(10), 1);
  assert.ok(Math.abs(scale.fraction(0.1) - 1 / 3) < 1e-12);
  for (const value of [0.01, 0.07, 0.5, 9]) assert.ok(Math.abs(scale.value(scale.fraction(value)) - value) < 1e-12);
  assert.equal(scale.value(-1), 0.01);
  assert.ok(Math.abs(scale.value(2) - 10) < 1e-12);
  assert.equal(scale.steps(48).length, 49);
  assert.ok(scale.has(0.01) && scale.has(10) && !scale.has(0) && !scale.has(NaN) && !scale.has(11));
});

test("a linear map keeps its ends, an empty range is no division by zero", () => {
  const map = linear(2, 4, 10, 0);
  assert.deepEqual([2, 3, 4].map(map), [10, 5, 0]);
  assert.equal(linear(1, 1, 0, 5)(1), 0);
});

test("the largest size ignores signs and is never 0", () => {
  assert.equal(largestSize([1, -7, 3]), 7);
  assert.equal(largestSize([]), 1e-12);
});

test("marks of an axis are round, within it, and of one spacing", () => {
  assert.deepEqual(roundTicks(-3.83, -0.02), [-3, -2, -1]);
  assert.deepEqual(roundTicks(0.113, 0.512), [0.2, 0.3, 0.4, 0.5]);
  assert.deepEqual(roundTicks(0.4011, 0.4029), [0.4015, 0.402, 0.4025]);
  assert.deepEqual(roundTicks(0, 50), [0, 10, 20, 30, 40, 50]);
});
