import assert from "node:assert/strict";
import test from "node:test";

import { heaviest, keyAxes, keyHistoryShapes, keyPoints, MIN_COSINE, matchKeys, readKeys } from "./keys.js";

const base64 = (/** @type {ArrayBufferView} */ values) => Buffer.from(values.buffer).toString("base64");

test("keys are read in their types", () => {
  const value = { instances: base64(Int16Array.of(3, -1)), ages: base64(Int16Array.of(1, 2)), cosines: base64(Float32Array.of(0.5, -1)) };
  const { instances, ages, cosines } = readKeys(value);
  assert.deepEqual([[...instances], [...ages], [...cosines]], [[3, -1], [1, 2], [0.5, -1]]);
});

test("a key stands in the column of its age, and higher the less it has drifted", () => {
  const axes = keyAxes(16, 300, 200);
  const ages = [0, 0, 5, 16];
  const { xs, ys } = keyPoints(ages, [1, 0.5, 0, -3], axes);
  ages.forEach((age, i) => assert.ok(xs[i] >= axes.x(age) - 1e-3 && xs[i] < axes.x(age + 1)));
  assert.ok(xs[3] <= axes.right && xs[0] !== xs[1]);
  assert.ok(ys[0] < ys[1] && ys[1] < ys[2]);
  assert.equal(ys[0], axes.top);
  assert.equal(ys[3], axes.y(MIN_COSINE)); // what is below the axis stands on it
});

test("a key is the same after a step if it is one update older at its place", () => {
  const before = { places: [4, 7, 9], ages: [1, 1, 2] };
  assert.deepEqual([...matchKeys(before, { places: [2, 4, 7, 9], ages: [1, 2, 1, 3] })], [-1, 0, -1, 2]);
});

test("the keys with the largest weights come first, ties in order", () => {
  const weights = Float32Array.of(0, 0, 0, 0.1, 0.5, 0.1);
  assert.deepEqual(heaviest(weights, 1, 3, 2), [1, 0]);
  assert.deepEqual(heaviest(weights, 0, 3, 9), [0, 1, 2]);
});

test("the history marks the snapshot that is shown", () => {
  const snapshots = [10, 40].map((step) => ({ step, consistency: 0.5, low: -1, high: 0.9 }));
  const shapes = keyHistoryShapes(snapshots, 1, "steps").join("");
  assert.match(shapes, /x1="234" x2="234"/);
  assert.ok(!shapes.includes("NaN"));
});
