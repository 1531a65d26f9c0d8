import assert from "node:assert/strict";
import { test } from "node:test";

import { boxOf, cellSide, fitted, snapToGrid } from "./snap.js";

/** @param {number} count @param {number} seed */
function cloud(count, seed) {
  let state = seed;
  const next = () => (state = (state * 16807) % 2147483647) / 2147483647;
  const normal = () => Math.sqrt(-2 * Math.log(next())) * Math.cos(2 * Math.PI * next());
  const [xs, ys] = [new Float32Array(count), new Float32Array(count)];
  for (let i = 0; i < count; i++) [xs[i], ys[i]] = [normal() + (i % 3) * 2, normal() + (i % 2) * 3];
  return { xs, ys };
}

const costOf = (/** @type {import("../types.js").Points} */ a, /** @type {import("../types.js").Points} */ b) =>
  a.xs.reduce((sum, x, i) => sum + (x - b.xs[i]) ** 2 + (a.ys[i] - b.ys[i]) ** 2, 0);

test("no two images share a cell, however close their points are", () => {
  for (const points of [cloud(800, 3), { xs: new Float32Array(50), ys: new Float32Array(50) }]) {
    const cell = 0.2;
    const found = snapToGrid(points, cell);
    const cells = new Set(Array.from(found.xs, (x, i) => `${Math.round(x / cell - 0.5)} ${Math.round(found.ys[i] / cell - 0.5)}`));
    assert.equal(cells.size, points.xs.length);
  }
});

test("points that lie alone stay within their cell", () => {
  const points = { xs: Float32Array.from([0, 1, 2.4]), ys: Float32Array.from([0, 5, -3.3]) };
  const found = snapToGrid(points, 0.5);
  for (let i = 0; i < 3; i++) {
    assert.ok(Math.abs(found.xs[i] - points.xs[i]) <= 0.25 + 1e-6);
    assert.ok(Math.abs(found.ys[i] - points.ys[i]) <= 0.25 + 1e-6);
  }
});

test("no pair of images nearby would both together be nearer in each other's cell", () => {
  const points = cloud(400, 7);
  const found = snapToGrid(points, 0.25);
  for (let i = 0; i < 400; i++) {
    for (let j = 0; j < i; j++) {
      if (Math.max(Math.abs(found.xs[i] - found.xs[j]), Math.abs(found.ys[i] - found.ys[j])) > 0.51) continue;
      const swapped = { xs: found.xs.slice(), ys: found.ys.slice() };
      [swapped.xs[i], swapped.xs[j]] = [found.xs[j], found.xs[i]];
      [swapped.ys[i], swapped.ys[j]] = [found.ys[j], found.ys[i]];
      assert.ok(costOf(swapped, points) >= costOf(found, points) - 1e-4);
    }
  }
});

test("cells cover a part of the area that leaves room", () => {
  const side = cellSide(1000, 500, 2000);
  assert.ok(side ** 2 * 2000 < 0.6 * 1000 * 500 && side ** 2 * 2000 > 0.3 * 1000 * 500);
  assert.ok(Number.isFinite(cellSide(100, 100, 0)));
});

test("fitted layouts lie within the frame, with room for the images", () => {
  const layouts = [cloud(100, 5), cloud(100, 6)];
  const { layouts: moved, factor } = fitted(layouts, 0.3, 800, 400);
  const { left, right, top, bottom } = boxOf(moved);
  const half = (0.3 * factor) / 2;
  assert.ok(left - half > -1e-3 && right + half < 800.001 && top - half > -1e-3 && bottom + half < 400.001);
  assert.ok(Math.abs((left + right) / 2 - 400) < 1e-2 && Math.abs((top + bottom) / 2 - 200) < 1e-2);
});
