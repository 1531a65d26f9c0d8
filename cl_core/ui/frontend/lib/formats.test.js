import assert from "node:assert/strict";
import test from "node:test";

import { candidatesAtChance, fill, formatExponential, formatNumber, formatPercent, parseEmphasis, parseScripts } from "./formats.js";

test("placeholders are filled, unknown ones stay", () => {
  assert.equal(fill("{a} of {b}, {c}", { a: 1, b: "two" }), "1 of two, {c}");
  assert.equal(fill("no values", {}), "no values");
  assert.equal(fill("{a}, {b}, {c}", { a: 1911, b: 0.12345, c: "2026" }), "1,911, 0.12345, 2026");
});

test("numbers have at most four digits", () => {
  const expected = [
    [0, "0"],
    [0.12345, "0.123"],
    [-3.14159, "−3.142"],
    [12.345, "12.3"],
    [456.7, "457"],
    [123456, "1.2e5"],
    [0.00012, "1.2e−4"],
    [Infinity, "∞"],
    [-Infinity, "−∞"],
    [NaN, "–"],
  ];
  for (const [value, text] of expected) assert.equal(formatNumber(Number(value)), text);
});

test("percent and exponentials", () => {
  assert.equal(formatPercent(0.1234), "12.3 %");
  assert.equal(formatExponential(100), "10^43.4");
  assert.equal(formatExponential(1), "2.718");
});

test("emphasis is parsed paragraph by paragraph", () => {
  assert.deepEqual(parseEmphasis("plain **bold** and *soft*\n\n2 * 3"), [
    [
      { tag: "", text: "plain " },
      { tag: "strong", text: "bold" },
      { tag: "", text: " and " },
      { tag: "em", text: "soft" },
    ],
    [{ tag: "", text: "2 * 3" }],
  ]);
});

test("sub- and superscripts are parsed", () => {
  assert.deepEqual(parseScripts("e^{x}+s_{ij}"), [
    { tag: "", text: "e" },
    { tag: "sup", text: "x" },
    { tag: "", text: "+s" },
    { tag: "sub", text: "ij" },
  ]);
});

test("the chance level names its candidates where there are equally likely ones", () => {
  assert.equal(candidatesAtChance(Math.log(63)), 63);
  assert.equal(candidatesAtChance(Math.fround(Math.log(1055))), 1055);
  assert.equal(candidatesAtChance(5.5), null);
  assert.equal(candidatesAtChance(0), null);
});
