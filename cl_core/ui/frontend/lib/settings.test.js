import assert from "node:assert/strict";
import { test } from "node:test";

import { boundsOf } from "./settings.js";

/** @import { Setting } from "../types.js" */

/** @type {Setting} */
const NUMBER = { name: "x", kind: "number", default: "0.2", low: 0, high: 100, above: true, below: false, choices: [], hint: "" };
const named = (/** @type {string} */ value) => `default ${value}`;

test("bounds say whether their ends count", () => {
  assert.equal(boundsOf(NUMBER, named), "0 < x ≤ 100 · default 0.2");
  assert.equal(boundsOf({ ...NUMBER, above: false, below: true }, named), "0 ≤ x < 100 · default 0.2");
  assert.equal(boundsOf({ ...NUMBER, kind: "whole", low: 1, high: 100000, above: false }, named), "1 – 100,000 · default 0.2");
});

test("what has no bounds has its default", () => {
  assert.equal(boundsOf({ ...NUMBER, kind: "choice", low: null, high: null, default: "cosine" }, named), "default cosine");
  assert.equal(boundsOf({ ...NUMBER, kind: "flag", low: null, high: null, default: "true" }, named), "");
});
