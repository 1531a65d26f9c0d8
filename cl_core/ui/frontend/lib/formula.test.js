import assert from "node:assert/strict";
import test from "node:test";

import { anatomy } from "./anatomy.js";
import { formatNumber } from "./formats.js";
import { rowFormula, symbols } from "./formula.js";

/** @import { Form, FormKind, FormulaNode, Table } from "../types.js" */

const STRINGS = {
  no_positive: "no positive", rest: "{count} more: {sum}", mean_of: "mean of {count}", stop_gradient: "no gradient", cosine: "cosine",
};
/** One anchor with two positives and eight negatives, and one without a positive. @type {Table} */
const TABLE = {
  rows: 2,
  columns: 10,
  cosines: Float32Array.from({ length: 20 }, (_, i) => Math.cos(i)),
  positive: Uint8Array.from({ length: 20 }, (_, i) => Number(i === 2 || i === 5)),
  negative: Uint8Array.from({ length: 20 }, (_, i) => Number(i !== 2 && i !== 5)),
};

/** @param {FormKind} kind @param {number} column @param {number} [row] */
function formula(kind, column, row = 0) {
  /** @type {Form} */
  const form = { kind, temperature: 0.5, log_z: 1, log_kq: 0.5 };
  return rowFormula({ table: TABLE, parts: anatomy(TABLE, form), form, row, column, limit: 4, strings: STRINGS });
}

/** All nodes, those of fractions too. @param {FormulaNode[]} nodes @returns {FormulaNode[]} */
const flat = (nodes) => nodes.flatMap((node) => (node.kind === "fraction" ? flat([...node.top, ...node.bottom]) : [node]));

test("every loss ends with the row's term", () => {
  for (const kind of /** @type {FormKind[]} */ (["out", "in", "in-sum", "views", "ratio", "hard", "nce", "sigmoid", "cosine"])) {
    /** @type {Form} */
    const form = { kind, temperature: 0.5, log_z: 1, log_kq: 0.5 };
    const last = formula(kind, 2).at(-1);
    assert.deepEqual(last, { kind: "result", text: formatNumber(anatomy(TABLE, form).terms[0]) });
  }
});

test("a sum has the largest terms, the chosen one, and the rest as one number", () => {
  for (const column of [0, 3, 9]) {
    const fraction = formula("in-sum", column).find((node) => node.kind === "fraction");
    assert.ok(fraction?.kind === "fraction");
    const terms = fraction.bottom.filter((node) => node.kind === "term");
    assert.equal(terms.length, 4);
    assert.ok(terms.some((node) => node.kind === "term" && node.column === column));
    assert.ok(fraction.bottom.some((node) => node.kind === "rest" && node.text.startsWith("6 more")));
  }
});

test("terms know whether they are positive", () => {
  for (const node of flat(formula("out", 5))) if (node.kind === "term") assert.equal(node.positive, [2, 5].includes(node.column));
});

test("a chosen positive stands above the line", () => {
  const fraction = formula("out", 5).find((node) => node.kind === "fraction");
  assert.ok(fraction?.kind === "fraction" && fraction.top[0].kind === "term" && fraction.top[0].column === 5);
});

test("several positives end with their mean", () => {
  assert.ok(formula("out", 2).some((node) => node.kind === "note" && node.text === "mean of 2"));
});

test("a row without positives says so", () => {
  assert.deepEqual(formula("out", 0, 1), [{ kind: "note", text: "no positive" }]);
});

test("SimSiam stops the gradient, NCE classifies each candidate", () => {
  assert.ok(formula("cosine", 2).some((node) => node.kind === "stop"));
  assert.ok(formula("nce", 2).some((node) => node.kind === "term" && node.text.startsWith("σ(−(")));
});

test("symbols are simpler for one positive", () => {
  /** @type {Form} */
  const form = { kind: "out", temperature: 1, log_z: 0, log_kq: 0 };
  assert.doesNotMatch(symbols(form, 1), /\|P\|/);
  assert.match(symbols(form, 2), /\|P\|/);
});

test("a weighted positive stands before the logarithm, dimensions are squares", () => {
  const one = { ...TABLE, rows: 1, columns: 3, cosines: Float32Array.of(0.5, 0.1, 0.2), positive: Uint8Array.of(1, 0, 0), negative: Uint8Array.of(0, 1, 1) };
  /** @type {Form} */
  const weighted = { kind: "ratio", temperature: 0.5, log_z: 0, log_kq: 0, sigma: 0.5 };
  const given = { row: 0, column: 0, limit: 4, strings: STRINGS };
  const nodes = rowFormula({ ...given, table: one, parts: anatomy(one, weighted), form: weighted });
  assert.ok(nodes.some((node) => node.kind === "number" && Number(node.text) === 1), "the only positive has the weight 1");
  assert.match(symbols(weighted, 1), /w s/);
  /** @type {Form} */
  const square = { kind: "correlation", temperature: 1, log_z: 0, log_kq: 0, weight: 0.1 };
  const parts = { contribution: Float32Array.of(0.25, 0.001, 0.004), gradient: new Float32Array(3) };
  const table = { ...one, given: parts };
  const written = rowFormula({ ...given, table, parts: anatomy(table, square), form: square });
  assert.deepEqual(written.filter((node) => node.kind === "term").map((node) => node.text), ["(1 − 0.500)²", "0.1 · 0.200²", "0.1 · 0.100²"]);
});
