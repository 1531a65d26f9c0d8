import assert from "node:assert/strict";
import test from "node:test";

import { escapeXml, linePath, matrixSvg, svgText } from "./svg.js";

test("names from outside cannot become markup", () => {
  assert.equal(escapeXml('<b a="1">&</b>'), "&lt;b a=&quot;1&quot;&gt;&amp;&lt;/b&gt;");
  assert.match(svgText(10, 20, [], '"><script>'), /aria-label="&quot;&gt;&lt;script&gt;"/);
});

test("a drawing has its size and its shapes", () => {
  const text = svgText(10, 20, ["<a/>", "<b/>"]);
  assert.match(text, /^<svg xmlns="[^"]+" viewBox="0 0 10 20" width="10" height="20"><a\/><b\/><\/svg>$/);
});

test("a path starts with a move", () => {
  assert.equal(linePath([[0, 1], [2.25, 3]]), "M0.0 1.0L2.3 3.0");
  assert.equal(linePath([]), "");
});

test("a matrix has one rectangle a cell and frames positives and false negatives", () => {
  const pixels = Uint8ClampedArray.from([1, 2, 3, 255, 4, 5, 6, 0]);
  const frames = { positive: [0, 1], falseNegative: [1, 0] };
  const text = matrixSvg({ rows: 1, columns: 2, ...frames }, pixels, "<rect/>");
  assert.equal(text.split("<rect").length - 1, 3);
  assert.match(text, /rgb\(1,2,3\)[^>]*stroke="#d55e00"[^]*rgb\(4,5,6\)[^>]*stroke="#009e73"/);
  assert.match(text, /rgb\(4,5,6\)" fill-opacity="0.00"/);
});
