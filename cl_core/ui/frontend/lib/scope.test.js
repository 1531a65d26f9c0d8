import assert from "node:assert/strict";
import test from "node:test";

import { Scope } from "./scope.js";

test("listeners end with the scope", () => {
  const [scope, target] = [new Scope(), new EventTarget()];
  let heard = 0;
  scope.listen(target, "click", () => (heard += 1));
  target.dispatchEvent(new Event("click"));
  scope.end();
  target.dispatchEvent(new Event("click"));
  assert.equal(heard, 1);
  assert.ok(scope.ended && scope.signal.aborted);
});

test("cleanups run once, and at once after the end", () => {
  const scope = new Scope();
  /** @type {string[]} */
  const calls = [];
  scope.onEnd(() => calls.push("a"));
  const forget = scope.onEnd(() => calls.push("b"));
  forget();
  scope.end();
  scope.end();
  scope.onEnd(() => calls.push("c"));
  assert.deepEqual(calls, ["a", "c"]);
});

test("a part ends with its scope, or before it", () => {
  const [scope, target] = [new Scope(), new EventTarget()];
  let heard = 0;
  const [first, second] = [scope.child(), scope.child()];
  for (const part of [first, second]) part.listen(target, "click", () => (heard += 1));
  first.end();
  target.dispatchEvent(new Event("click"));
  assert.equal(heard, 1);
  scope.end();
  assert.ok(second.ended);
  target.dispatchEvent(new Event("click"));
  assert.equal(heard, 1);
});

test("a slot holds one part at a time", () => {
  const scope = new Scope();
  const next = scope.slot();
  const [first, second] = [next(), next()];
  assert.ok(first.ended && !second.ended);
  scope.end();
  assert.ok(second.ended);
});

test("frames are drawn once, and not after the end", (context) => {
  /** @type {Map<number, () => void>} */
  const waiting = new Map();
  let last = 0;
  // Node has no frames.
  globalThis.requestAnimationFrame = (callback) => (waiting.set((last += 1), () => callback(0)), last);
  globalThis.cancelAnimationFrame = (handle) => void waiting.delete(handle);
  context.after(() => {
    Reflect.deleteProperty(globalThis, "requestAnimationFrame");
    Reflect.deleteProperty(globalThis, "cancelAnimationFrame");
  });
  const runFrames = () => {
    const due = [...waiting.values()];
    waiting.clear();
    for (const callback of due) callback();
  };
  const scope = new Scope();
  let drawn = 0;
  const drawSoon = scope.frame(() => (drawn += 1));
  drawSoon();
  drawSoon();
  runFrames();
  assert.equal(drawn, 1);
  drawSoon();
  scope.end();
  assert.equal(waiting.size, 0);
  drawSoon();
  runFrames();
  assert.equal(drawn, 1);
});

test("delayed work is done once, and not after the end", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const scope = new Scope();
  let done = 0;
  const work = scope.later(100, () => (done += 1));
  work();
  context.mock.timers.tick(60);
  work();
  context.mock.timers.tick(60);
  assert.equal(done, 0, "the delay began again");
  context.mock.timers.tick(40);
  assert.equal(done, 1);
  work();
  scope.end();
  work();
  context.mock.timers.tick(1000);
  assert.equal(done, 1);
});
