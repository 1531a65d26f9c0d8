import assert from "node:assert/strict";
import test from "node:test";

import { csvCell, csvText, fileName } from "./csv.js";

test("cells are quoted only where needed", () => {
  assert.equal(csvCell("plain"), "plain");
  assert.equal(csvCell('a "b", c'), '"a ""b"", c"');
  assert.equal(csvCell(null), "");
  assert.equal(csvCell(-1.5), "-1.5");
});

test("formulas from outside become text", () => {
  for (const start of ["=", "+", "-", "@", "\t"]) assert.equal(csvCell(`${start}1+1`), `'${start}1+1`);
});

test("rows end with a line break and begin with the byte order mark", () => {
  assert.equal(csvText([["x", "y"], [1, 2]]), "\ufeffx,y\n1,2\n");
});

test("file names keep letters of every alphabet", () => {
  assert.equal(fileName("map/../emoji: 训练 1"), "map-..-emoji-训练-1");
});
