import assert from "node:assert/strict";
import test from "node:test";

import { around, cosinesAt, epochAt, formatEpoch } from "./timeline.js";

test("a position lies between two snapshots", () => {
  assert.deepEqual(around(1.25, 4), { low: 1, high: 2, fraction: 0.25 });
  assert.deepEqual(around(3, 4), { low: 3, high: 3, fraction: 0 });
  assert.deepEqual(around(-1, 4), { low: 0, high: 1, fraction: 0 });
  assert.deepEqual(around(9, 4), { low: 3, high: 3, fraction: 0 });
});

test("epochs are interpolated", () => {
  const epochs = [0, 1, 10, 300];
  assert.equal(epochAt(epochs, 0), 0);
  assert.equal(epochAt(epochs, 1.5), 5.5);
  assert.equal(epochAt(epochs, 3), 300);
  assert.equal(formatEpoch(5.5), "5.5");
  assert.equal(formatEpoch(299.6), "300");
});

test("matrices are interpolated cell by cell", () => {
  const cosines = Int8Array.of(127, 0, 0, 127, -127, 127, 127, -127);
  assert.deepEqual([...cosinesAt(cosines, 2, 0)], [1, 0, 0, 1]);
  assert.deepEqual([...cosinesAt(cosines, 2, 1)], [-1, 1, 1, -1]);
  assert.deepEqual([...cosinesAt(cosines, 2, 0.5)], [0, 0.5, 0.5, 0]);
});
