import assert from "node:assert/strict";
import test from "node:test";

import { insidePolygon, labelsThatFit, nearestPoint, nextInDirection, sample } from "./geometry.js";

test("inside and outside of a polygon with a notch", () => {
  const polygon = [[0, 0], [4, 0], [4, 4], [2, 1], [0, 4]];
  assert.ok(insidePolygon(polygon, 0.5, 2));
  assert.ok(insidePolygon(polygon, 2, 0.5));
  assert.ok(!insidePolygon(polygon, 2, 3), "in the notch");
  assert.ok(!insidePolygon(polygon, 5, 1));
  assert.ok(!insidePolygon([], 0, 0));
});

test("only a point within reach is near", () => {
  const points = { xs: Float32Array.of(0, 10, NaN), ys: Float32Array.of(0, 0, 0) };
  assert.equal(nearestPoint(points, 9, 1, 5), 1);
  assert.equal(nearestPoint(points, 5, 30, 5), -1);
});

test("the next point lies ahead, and near before straight", () => {
  const points = { xs: Float32Array.of(0, 10, 30, -5), ys: Float32Array.of(0, 8, 0, 0) };
  const all = () => true;
  assert.equal(nextInDirection(points, 0, [1, 0], 1, all), 1);
  assert.equal(nextInDirection(points, 0, [-1, 0], 1, all), 3);
  assert.equal(nextInDirection(points, 0, [1, 0], 1, (i) => i !== 1), 2);
  assert.equal(nextInDirection(points, 0, [0, -1], 1, all), 0, "nothing that way");
});

test("a sample is taken from all parts of a list", () => {
  assert.deepEqual(sample([1, 2, 3], 5), [1, 2, 3]);
  const few = sample(Array.from({ length: 100 }, (_, i) => i), 4);
  assert.deepEqual(few, [0, 25, 50, 75]);
});

test("labels that would cover an earlier one are left out", () => {
  const label = (/** @type {number} */ left, /** @type {number} */ top) => ({ left, top, width: 10 });
  assert.deepEqual(labelsThatFit([label(0, 0), label(5, 5), label(5, 30), label(20, 0)], 13), [true, false, true, true]);
});
