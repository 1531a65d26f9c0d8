import assert from "node:assert/strict";
import test from "node:test";

import { mapRows, mapSvg } from "./map_export.js";

const POINTS = { xs: Float32Array.of(0.5, -0.5), ys: Float32Array.of(-1, 1) };
const nameOf = (/** @type {number} */ i) => ["<a>", "b"][i];

test("a drawing has the accepted points with their colors and names", () => {
  const page = { width: 10, height: 10, background: "<rect/>" };
  const text = mapSvg(POINTS, Uint32Array.of(0xff0000ff, 0xff00ff00), page, (i) => i === 0, nameOf);
  assert.equal(text.split("<circle").length, 2);
  assert.match(text, /fill="#ff0000"><title>&lt;a&gt;</);
});

test("a table has one row a point, the second axis pointing up", () => {
  const colors = Uint32Array.of(0, 0);
  const AS_POINTS = { regions: [], side: 0, source: null, moved: 0 };
  const scene = { points: POINTS, layouts: [], extent: { across: 1, down: 1 }, colors, low: 0, high: 1, about: "", ...AS_POINTS };
  const byGroup = mapRows({ ...scene, groups: Uint16Array.of(1, 0), score: null, groupNames: ["x", "y"] }, nameOf, new Set([1]));
  assert.deepEqual(byGroup[0], ["id", "name", "x", "y", "group", "score", "selected"]);
  assert.deepEqual(byGroup[1], [0, "<a>", 0.5, 1, "y", "", 0]);
  assert.deepEqual(byGroup[2], [1, "b", -0.5, -1, "x", "", 1]);
  const byScore = mapRows({ ...scene, groups: null, score: Float32Array.of(2, 3), groupNames: [] }, nameOf, new Set());
  assert.deepEqual(byScore[2].slice(4), ["", 3, 0]);
});
