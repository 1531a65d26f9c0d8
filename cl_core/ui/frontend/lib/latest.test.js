import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";

import { drawLatest } from "./latest.js";
import { Scope } from "./scope.js";

/** A drawing whose preparation ends when the test lets it. */
function slowDrawing() {
  const shown = { value: "", drawings: 0 };
  /** @type {Record<string, () => void>} */
  const ready = {};
  const draw = drawLatest(new Scope(), (/** @type {string} */ value) => value, async (part, value) => {
    shown.drawings += 1;
    await new Promise((resolve) => (ready[value] = () => resolve(null)));
    if (!part.ended) shown.value = value;
  });
  const finish = async (/** @type {string} */ value) => {
    ready[value]();
    await wait(0);
  };
  return { shown, draw, finish };
}

test("a value that is drawn already is kept", async () => {
  const { shown, draw, finish } = slowDrawing();
  assert.ok(draw("a"));
  await finish("a");
  assert.ok(!draw("a"));
  assert.deepEqual(shown, { value: "a", drawings: 1 });
});

test("what comes back before the next value is ready stays", async () => {
  const { shown, draw, finish } = slowDrawing();
  draw("a");
  await finish("a");
  draw("b");
  draw("a");
  await finish("b");
  await finish("a");
  assert.equal(shown.value, "a");
  assert.ok(!draw("a"));
});

test("a superseded value does not count as drawn", async () => {
  const { shown, draw, finish } = slowDrawing();
  draw("a");
  draw("b");
  await finish("b");
  await finish("a");
  assert.equal(shown.value, "b");
  assert.ok(draw("a"), "it has to be drawn");
});

test("what failed is drawn again", async () => {
  let tries = 0;
  const draw = drawLatest(new Scope(), String, async () => {
    tries += 1;
    throw new Error("no sheet");
  });
  draw("a");
  await wait(0);
  draw("a");
  assert.equal(tries, 2);
});
