import assert from "node:assert/strict";
import { test } from "node:test";

import { over, stamp } from "./stamps.js";

const RED = 0xff0000ff;
const BLUE = 0xffff0000;

test("images are drawn around their points, cut at the border, in the order of the points", () => {
  // Two images of 2 x 2 pixels in a row: all red, and blue with a hole.
  const sheet = { columns: 2, side: 2, pixels: Uint32Array.of(RED, RED, BLUE, 0, RED, RED, BLUE, BLUE) };
  const pixels = new Uint32Array(4 * 3).fill(7);
  stamp(pixels, 4, 3, { xs: Float32Array.of(1, 2), ys: Float32Array.of(1, 1) }, Uint32Array.of(RED, RED), sheet);
  const [R, B] = [RED, BLUE];
  assert.deepEqual([...pixels], [R, B, 0, 0, R, B, B, 0, 0, 0, 0, 0]);
  stamp(pixels, 4, 3, { xs: Float32Array.of(4, -9), ys: Float32Array.of(3, 1) }, Uint32Array.of(RED, RED), sheet);
  assert.deepEqual([...pixels], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, R]);
});

test("an image is as opaque as its color is, and is left out at 0", () => {
  const sheet = { columns: 1, side: 1, pixels: Uint32Array.of(RED) };
  const pixels = new Uint32Array(1);
  const point = { xs: Float32Array.of(0.5), ys: Float32Array.of(0.5) };
  stamp(pixels, 1, 1, point, Uint32Array.of(0x80000000), sheet);
  assert.equal(pixels[0], 0x800000ff);
  stamp(pixels, 1, 1, point, Uint32Array.of(0xffffff), sheet);
  assert.equal(pixels[0], 0);
});

test("a color over another is their mixture by alpha", () => {
  assert.equal(over(0xff123456, 0xff654321), 0xff123456);
  assert.equal(over(0x00123456, 0xff654321), 0xff654321);
  // Half of opaque red over opaque blue: 128/255 red, 127/255 blue.
  assert.equal(over(0x800000ff, 0xffff0000), 0xff7f0080);
  // Half over half: alpha 0.75, two thirds of it the front's.
  assert.equal(over(0x800000ff, 0x80ff0000), 0xc05500aa);
});
