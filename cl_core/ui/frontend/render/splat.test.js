import assert from "node:assert/strict";
import test from "node:test";

import { discOffsets, splat } from "./splat.js";

test("a disc is symmetric and as wide as its radius says", () => {
  for (const radius of [1, 2, 5, 7]) {
    const offsets = [...discOffsets(radius, 1000)];
    assert.ok(offsets.every((offset) => offsets.includes(-offset)));
    assert.ok(offsets.includes(radius) && !offsets.includes(radius + 1));
  }
});

test("points are drawn where they are, hidden ones and those at the border are not", () => {
  const [width, height] = [20, 10];
  const pixels = new Uint32Array(width * height).fill(7);
  const points = { xs: Float32Array.of(5.7, 12, 0, 15), ys: Float32Array.of(5.2, 5, 5, 9) };
  splat(pixels, width, height, points, Uint32Array.of(0xff0000ff, 0, 0xff00ff00, 0xffff0000), 1);
  assert.equal(pixels[5 * width + 5], 0xff0000ff);
  assert.equal(pixels.filter(Boolean).length, discOffsets(1, width).length);
});

test("later points cover earlier ones", () => {
  const pixels = new Uint32Array(100);
  const points = { xs: Float32Array.of(5, 5), ys: Float32Array.of(5, 5) };
  splat(pixels, 10, 10, points, Uint32Array.of(1, 2), 1);
  assert.equal(pixels[55], 2);
});
