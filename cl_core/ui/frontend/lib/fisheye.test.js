import assert from "node:assert/strict";
import { test } from "node:test";

import { fisheye } from "./fisheye.js";

test("the middle stays and grows most, the rim stays as it is", () => {
  assert.deepEqual(fisheye(0, 2), { distance: 0, scale: 3 });
  assert.deepEqual(fisheye(1, 2), { distance: 1, scale: 1 });
  assert.deepEqual(fisheye(1.5, 2), { distance: 1.5, scale: 1 });
});

test("the order of distances stays, and the size is the slope of the distance", () => {
  let before = -1;
  for (let distance = 0; distance < 1; distance += 0.01) {
    const { distance: moved, scale } = fisheye(distance, 2);
    assert.ok(moved > before && moved <= 1);
    const slope = (fisheye(distance + 1e-6, 2).distance - moved) / 1e-6;
    if (distance < 0.99) assert.ok(Math.abs(slope - scale) < 1e-3);
    before = moved;
  }
});
