import assert from "node:assert/strict";
import test from "node:test";

import { anatomy } from "./anatomy.js";
import { cellRows, countInRow, firstPositive, paintCells, partOf, readPanel } from "./panels.js";

/** @param {ArrayBufferView} values */
const base64 = (values) => Buffer.from(values.buffer).toString("base64");
const ROLES = ["view.self", "view.positive", "view.positive_class", "view.negative", "view.none"];

/** @type {import("../types.js").PanelValue} */
const VALUE = {
  name: "trained",
  rows: 2,
  rowNames: ["a", "b"],
  columns: ["a", "b", "c"].map((caption, i) => ({ sprite: i - 1, caption, key: `view ${i}` })),
  cosines: base64(Float32Array.of(1, 0.5, -0.5, 0.5, 1, 0.25)),
  roles: base64(Uint8Array.of(0, 3, 1, 2, 0, 4)),
  form: { kind: "out", temperature: 0.1, log_z: 0, log_kq: 0 },
  chance: null,
};

test("codes become positives and negatives", () => {
  const panel = readPanel(VALUE, ROLES, true);
  assert.deepEqual([...panel.table.positive], [0, 0, 1, 1, 0, 0]);
  assert.deepEqual([...panel.table.negative], [0, 1, 0, 0, 0, 0]);
  assert.deepEqual([panel.table.rows, panel.table.columns, panel.largest], [2, 3, 0.5]);
  assert.deepEqual(panel.rowSprites, [0, 1]);
  assert.deepEqual(panel.columnSprites, [-1, 0, 1]);
  assert.deepEqual(readPanel(VALUE, ROLES, false).rowSprites, []);
  assert.equal(firstPositive(panel, 0), 2);
  assert.equal(firstPositive(panel, 1), 0);
  assert.deepEqual([countInRow(panel.table, "positive", 0), countInRow(panel.table, "negative", 0), countInRow(panel.table, "negative", 1)], [1, 1, 0]);
});

test("the part of a role follows the dot", () => {
  assert.deepEqual(ROLES.map(partOf), ["self", "positive", "positive_class", "negative", "none"]);
});

test("cells without a color are a pale gray", () => {
  const pixels = new Uint8ClampedArray(8);
  paintCells(pixels, (i) => (i ? [1, 2, 3] : null));
  assert.deepEqual([...pixels], [128, 128, 128, 46, 1, 2, 3, 255]);
});

test("the table of a matrix has every number of every cell", () => {
  const panel = readPanel(VALUE, ROLES, true);
  const parts = anatomy(panel.table, panel.form);
  const [head, ...rows] = cellRows(panel, parts);
  assert.equal(rows.length, 6);
  assert.ok(rows.every((row) => row.length === head.length));
  assert.deepEqual(rows[2], ["a", "c", -0.5, parts.scaled[2], Math.exp(parts.logProbabilities[2]), ...[2].flatMap((i) => [
    parts.contribution[i], parts.gradient[i],
  ]), 1, 1]);
  assert.deepEqual(rows[0].slice(7), [0, 0]);
});
