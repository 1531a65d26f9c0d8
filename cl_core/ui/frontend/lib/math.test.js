import assert from "node:assert/strict";
import test from "node:test";

import { logSumExp, mean, sigmoid, softplus } from "./math.js";

/** @param {number} actual @param {number} expected */
function close(actual, expected) {
  assert.ok(Math.abs(actual - expected) < 1e-12, `${actual} is not ${expected}`);
}

test("near zero they are their definitions", () => {
  for (const x of [-3, -0.5, 0, 0.5, 3]) {
    close(softplus(x), Math.log(1 + Math.exp(x)));
    close(sigmoid(x), 1 / (1 + Math.exp(-x)));
  }
  close(logSumExp([0, 1, 2]), Math.log(1 + Math.E + Math.E ** 2));
});

test("large values do not overflow", () => {
  assert.deepEqual([softplus(1000), softplus(-1000)], [1000, 0]);
  assert.deepEqual([sigmoid(1000), sigmoid(-1000)], [1, 0]);
  close(logSumExp([1000, 1000]), 1000 + Math.LN2);
});

test("the mean of an array and of a typed array", () => {
  assert.equal(mean([1, 2, 6]), 3);
  assert.equal(mean(new Float32Array([1, 2, 6])), 3);
});
