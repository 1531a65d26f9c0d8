import assert from "node:assert/strict";
import test from "node:test";

import { extentOf, interpolate, pointRadius, readPoints, smoothstep } from "./points.js";

test("coordinates run from -1 to 1 and down", () => {
  const values = Int16Array.of(0, 0, 32767, 32767, -32767, 0);
  const { xs, ys } = readPoints(values, 1, 2);
  assert.deepEqual([...xs], [1, -1]);
  assert.deepEqual([...ys], [-1, -0]);
});

test("the extent is that of the farthest point", () => {
  const layout = { xs: Float32Array.of(0.25, -0.75), ys: Float32Array.of(0.5, 0) };
  assert.deepEqual(extentOf([layout, layout]), { across: 0.75, down: 0.5 });
  assert.ok(extentOf([]).across > 0);
});

test("interpolation starts at one layout and ends at the other", () => {
  const from = { xs: Float32Array.of(0, 1), ys: Float32Array.of(0, 0) };
  const to = { xs: Float32Array.of(4, 3), ys: Float32Array.of(-2, 0) };
  const target = { xs: new Float32Array(2), ys: new Float32Array(2) };
  for (const [fraction, xs, ys] of [[0, [0, 1], [0, 0]], [1, [4, 3], [-2, 0]], [0.5, [2, 2], [-1, 0]]]) {
    interpolate(from, to, Number(fraction), target);
    assert.deepEqual([...target.xs], xs);
    assert.deepEqual([...target.ys], ys);
  }
  assert.equal(smoothstep(0), 0);
  assert.equal(smoothstep(0.5), 0.5);
  assert.equal(smoothstep(1), 1);
});

test("points grow with the zoom, not without limit, and are smaller where there are more", () => {
  assert.ok(pointRadius(1000, 4, 1) > pointRadius(1000, 1, 1));
  assert.equal(pointRadius(1000, 60, 1), pointRadius(1000, 50, 1));
  assert.ok(pointRadius(100_000, 1, 2) < pointRadius(1000, 1, 2));
  assert.ok(pointRadius(1e6, 0.5, 1) >= 1);
});
