import assert from "node:assert/strict";
import test from "node:test";

import { cardContent, plainArray, themedLayout, traceRows } from "./figures.js";

const THEME = { ink: "black", faint: "gray", line: "silver", fill: "white", font: "sans-serif" };

test("packed and plain numbers are the same", () => {
  const bdata = Buffer.from(Float64Array.of(1.5, -2).buffer).toString("base64");
  assert.deepEqual(plainArray({ bdata, dtype: "f8" }), [1.5, -2]);
  assert.deepEqual(plainArray([1, "a"]), [1, "a"]);
  assert.deepEqual(plainArray(undefined), []);
});

test("every line's points are rows of the table", () => {
  const rows = traceRows([{ name: "loss", x: [0, 1], y: [3, 2] }, { y: [5] }, { name: "z", x: ["a"], y: [[1, 2]] }]);
  assert.deepEqual(rows, [["line", "x", "y"], ["loss", 0, 3], ["loss", 1, 2], ["line 2", 0, 5], ["z", "a", "1 2"]]);
});

test("the page's colors reach every axis, and a figure's own settings win", () => {
  const layout = themedLayout({ height: 300, xaxis: { gridcolor: "red" }, yaxis2: {}, title: "t" }, THEME);
  assert.deepEqual(layout.xaxis, { gridcolor: "red", zerolinecolor: "silver", linecolor: "silver" });
  assert.deepEqual(layout.yaxis2, { gridcolor: "silver", zerolinecolor: "silver", linecolor: "silver" });
  assert.equal(layout.title, "t");
  assert.equal(layout.font.color, "black");
});

test("only word maps have a card", () => {
  const value = { figures: [], label: "", card: "words", names: ["dog", "cat"], lines: ["puppy", "kitten"] };
  assert.deepEqual(cardContent(value, { customdata: 1, x: 0, y: 0 }), { title: "cat", lines: ["kitten"] });
  assert.equal(cardContent({ ...value, card: "" }, { customdata: 1, x: 0, y: 0 }), null);
  assert.equal(cardContent(value, { x: 0, y: 0 }), null);
});
