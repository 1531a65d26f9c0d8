import assert from "node:assert/strict";
import test from "node:test";

import { anatomy, comparedCells, costOf } from "./anatomy.js";

/** @import { Form, FormKind, Table } from "../types.js" */

const KINDS = /** @type {FormKind[]} */ ([
  "out", "in", "in-sum", "views", "ratio", "hard", "nce", "sigmoid", "cosine",
]);

/** Four views of two images, two classes, and one anchor without a positive. @returns {Table} */
function table() {
  const cosines = Float64Array.from({ length: 16 }, (_, i) => Math.cos(1.7 * i * i + 0.3));
  const positive = Uint8Array.of(0, 0, 1, 1, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0);
  const negative = Uint8Array.of(0, 1, 0, 0, 1, 0, 1, 0, 0, 0, 0, 1, 1, 1, 1, 0);
  return { rows: 4, columns: 4, cosines, positive, negative };
}

/** @param {FormKind} kind @param {number} temperature @returns {Form} */
const form = (kind, temperature) => ({
  kind,
  temperature,
  log_z: kind === "nce" ? 1.5 : 0,
  log_kq: kind === "nce" ? -0.5 : 0,
  bias: kind === "sigmoid" ? -2 : 0,
  hardness: 0.7,
  prior: 0.05,
});

test("cells of a row that are compared", () => {
  assert.deepEqual(comparedCells(table(), 1), { positives: [7], negatives: [4, 6] });
});

for (const kind of KINDS) {
  test(`${kind}: the gradient is the derivative of the row's term by the cosine`, () => {
    for (const t of [0.05, 0.5, 2]) {
      const base = table();
      const parts = anatomy(base, form(kind, t));
      const step = 1e-6;
      for (let i = 0; i < 16; i++) {
        const row = Math.floor(i / 4);
        if (!comparedCells(base, row).positives.length) continue;
        const terms = [-step, step].map((shift) => {
          const cosines = Float64Array.from(base.cosines, (value, j) => value + (j === i ? shift : 0));
          return anatomy({ ...base, cosines }, form(kind, t)).terms[row];
        });
        const slope = (terms[1] - terms[0]) / (2 * step);
        assert.ok(Math.abs(slope - parts.gradient[i]) < 1e-4 * Math.max(1, Math.abs(slope)), `${kind} ${t} ${i}`);
      }
    }
  });

  test(`${kind}: contributions add up to the loss`, () => {
    const parts = anatomy(table(), form(kind, 0.3));
    const sum = parts.contribution.reduce((total, value) => total + value, 0);
    assert.ok(Math.abs(sum - parts.loss) < 1e-12);
    assert.equal(parts.anchors, 3);
  });
}

test("a row without a negative has the loss of the smaller table, and the negative has cost something", () => {
  const base = table();
  for (const kind of KINDS.filter((each) => each !== "cosine")) {
    const parts = anatomy(base, form(kind, 0.5));
    const without = anatomy(base, form(kind, 0.5)).terms[0] - costOf(base, form(kind, 0.5), 0, 1);
    const smaller = { rows: 1, columns: 2, cosines: base.cosines.slice(2, 4), positive: Uint8Array.of(1, 1), negative: new Uint8Array(2) };
    if (kind === "hard") continue; // an easy negative lowers the weights of the others
    if (kind !== "ratio") assert.ok(Math.abs(without - anatomy(smaller, form(kind, 0.5)).terms[0]) < 1e-12, kind);
    assert.ok(parts.terms[0] > without, kind);
  }
  // Of a softmax the cost is -log(1 - p).
  const parts = anatomy(base, form("out", 0.5));
  const cost = costOf(base, form("out", 0.5), 0, 1);
  assert.ok(Math.abs(cost + Math.log1p(-Math.exp(parts.logProbabilities[1]))) < 1e-12);
});

test("softmax rows add up to 1, also at temperatures whose exponentials overflow", () => {
  for (const kind of /** @type {FormKind[]} */ (["out", "in", "in-sum"])) {
    for (const t of [0.0001, 0.1, 10]) {
      const parts = anatomy(table(), form(kind, t));
      for (const row of [0, 1, 2]) {
        const { positives, negatives } = comparedCells(table(), row);
        const sum = [...positives, ...negatives].reduce((total, i) => total + Math.exp(parts.logProbabilities[i]), 0);
        assert.ok(Math.abs(sum - 1) < 1e-12);
      }
      assert.ok(Number.isFinite(parts.loss));
    }
  }
});

test("one positive: mean outside and inside the logarithm are the same loss", () => {
  const one = { ...table(), rows: 1, positive: Uint8Array.of(0, 0, 1, 0), negative: Uint8Array.of(1, 1, 0, 1) };
  const losses = /** @type {FormKind[]} */ (["out", "in", "in-sum", "views"]).map((kind) => anatomy(one, form(kind, 0.2)).loss);
  for (const loss of losses) assert.ok(Math.abs(loss - losses[0]) < 1e-12);
});

test("a table without anchors has the loss 0", () => {
  const none = { ...table(), positive: new Uint8Array(16) };
  for (const kind of KINDS.filter((each) => each !== "nce" && each !== "sigmoid")) assert.equal(anatomy(none, form(kind, 1)).loss, 0);
});

test("hard negatives without weights are NT-Xent", () => {
  const one = { ...table(), rows: 1, positive: Uint8Array.of(0, 0, 1, 0), negative: Uint8Array.of(1, 1, 0, 1) };
  const plain = { kind: /** @type {FormKind} */ ("hard"), temperature: 0.2, log_z: 0, log_kq: 0, hardness: 0, prior: 0 };
  const [hard, soft] = [anatomy(one, plain), anatomy(one, form("out", 0.2))];
  for (const part of /** @type {const} */ (["contribution", "gradient"])) {
    hard[part].forEach((value, i) => assert.ok(Math.abs(value - soft[part][i]) < 1e-12, `${part} ${i}`));
  }
});

test("weights of the positives have the mean 1, and agreeing pairs pull less", () => {
  const base = { ...table(), positive: Uint8Array.of(0, 0, 1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 1, 0, 0) };
  const weighted = anatomy(base, { ...form("ratio", 1), sigma: 0.5 });
  const pulls = [2, 7, 8, 13].map((i) => -weighted.gradient[i]);
  assert.ok(Math.abs(pulls.reduce((sum, value) => sum + value, 0) / 4 - 1) < 1e-12);
  const closest = [2, 7, 8, 13].reduce((a, b) => (base.cosines[a] > base.cosines[b] ? a : b));
  assert.equal(-weighted.gradient[closest], Math.min(...pulls));
});

test("what Python gives of dimensions is added up to the loss", () => {
  const given = { contribution: Float32Array.of(0.25, 0.5, 0.125, 0), gradient: Float32Array.of(-1, 0.5, 0, 0) };
  const positive = Uint8Array.of(1, 0, 0, 1);
  const square = { rows: 2, columns: 2, cosines: Float64Array.of(0.5, 1, 0, 1), positive, negative: Uint8Array.of(0, 1, 1, 0), given };
  const parts = anatomy(square, { kind: "correlation", temperature: 1, log_z: 0, log_kq: 0, weight: 0.5 });
  assert.deepEqual([...parts.terms, parts.loss], [0.75, 0.125, 0.875]);
});

test("the cost of a negative keeps the weights of all positives", () => {
  const base = { ...table(), positive: Uint8Array.of(0, 0, 1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 1, 0, 0) };
  const weighted = { ...form("ratio", 1), sigma: 0.5 };
  const parts = anatomy(base, weighted);
  const without = parts.terms[1] - costOf(base, weighted, 1, 0);
  const share = Math.exp(parts.logProbabilities[4]);
  assert.ok(Math.abs(parts.terms[1] - without + Math.log1p(-share)) < 1e-12);
});
