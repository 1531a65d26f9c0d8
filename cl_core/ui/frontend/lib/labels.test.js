import assert from "node:assert/strict";
import { test } from "node:test";

import { fittingLabels } from "./labels.js";

const label = (/** @type {number} */ x, /** @type {number} */ y, text = "a") => ({ x, y, text, width: 40, height: 16 });

test("of labels that cover each other the first stays", () => {
  const found = fittingLabels([label(100, 50, "first"), label(120, 55, "second"), label(100, 70, "third")], 300, 200, 9);
  assert.deepEqual(found.map((each) => each.text), ["first", "third"]);
});

test("labels at the edge are moved inwards, those outside are left out", () => {
  const found = fittingLabels([label(2, 100), label(-5, 20), label(298, 199)], 300, 200, 9);
  assert.deepEqual(found.map((each) => [each.x, each.y]), [[24, 100], [276, 190]]);
});

test("at most so many labels are drawn", () => {
  assert.equal(fittingLabels([label(50, 50), label(150, 50), label(250, 50)], 300, 200, 2).length, 2);
});
