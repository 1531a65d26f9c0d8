import assert from "node:assert/strict";
import { test } from "node:test";

import { Strokes, drawStrokes } from "./strokes.js";

test("strokes grow, and the last one can be taken back", () => {
  const strokes = new Strokes();
  assert.ok(strokes.empty);
  strokes.extend(0.5, 0.5); // before the first: ignored
  strokes.begin("#ff0000", 0.05, 0.1, 0.2);
  strokes.extend(0.3, 0.4);
  strokes.begin("#000000", 0.1, 0.5, 0.5);
  assert.equal(strokes.list.length, 2);
  strokes.undo();
  assert.deepEqual(strokes.list, [{ color: "#ff0000", width: 0.05, points: [[0.1, 0.2], [0.3, 0.4]] }]);
  strokes.clear();
  assert.ok(strokes.empty);
});

test("a drawing is white with lines in pixels of its square", () => {
  /** @type {unknown[][]} */
  const calls = [];
  const pen = new Proxy({}, {
    get: (_, name) => (/** @type {unknown[]} */ ...given) => calls.push([name, ...given]),
    set: (_, name, value) => calls.push([name, value]) > 0,
  });
  drawStrokes(/** @type {any} */ (pen), [{ color: "#123456", width: 0.1, points: [[0.5, 0.25]] }], 200);
  assert.deepEqual(calls.slice(0, 2), [["fillStyle", "#ffffff"], ["fillRect", 0, 0, 200, 200]]);
  assert.ok(calls.some((call) => call[0] === "lineWidth" && call[1] === 20));
  assert.deepEqual(calls.filter((call) => call[0] === "lineTo")[0], ["lineTo", 100, 50]);
});
