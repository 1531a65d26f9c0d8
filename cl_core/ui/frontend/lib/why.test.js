import assert from "node:assert/strict";
import { test } from "node:test";

import { veilPixels, whyCurveShapes } from "./why.js";

test("the veil is thinnest where most is contributed, and blue where the contribution is negative", () => {
  const [most, none, half, against] = veilPixels([2, 0, 1, -2], 2);
  assert.equal(most, 0x00ffffff);
  assert.equal(none, 0xe1ffffff);
  assert.ok(half >>> 24 > 0 && half >>> 24 < none >>> 24);
  assert.equal(against, 0xe1b27200); // the blue of lines, #0072b2
});

test("without contributions the veil is the same everywhere", () => {
  assert.deepEqual([...veilPixels([0, 0], 0)], [0xe1ffffff, 0xe1ffffff]);
});

test("curves begin at the left and share one scale", () => {
  const shapes = whyCurveShapes([1, 0.5, 0], [1, 0.8, 0], "parts");
  assert.match(shapes.join(""), />1\.00<.*>parts</s);
  const starts = shapes.filter((shape) => shape.startsWith("<path")).map((shape) => /d="M?\s*([\d.]+)[ ,]([\d.]+)/.exec(shape)?.slice(1));
  assert.deepEqual(starts[0], starts[1]);
});
