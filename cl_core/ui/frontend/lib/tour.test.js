import assert from "node:assert/strict";
import { test } from "node:test";

import { lastStep, rememberStep, stepAddress } from "./tour.js";

test("the address of a step sets its controls", () => {
  /** @type {{ link: Record<string, string> }[]} */
  const steps = [{ link: { tab: "loss", count: "8" } }, { link: { tab: "views", image: "dog face" } }];
  assert.equal(stepAddress(steps, 1), "?tab=loss&count=8&tour=1");
  assert.equal(stepAddress(steps, 2), "?tab=views&image=dog+face&tour=2");
  assert.equal(stepAddress([steps[1]], 1, 7), "?tab=views&image=dog+face&tour=7");
});

test("without a storage the tour begins with its first step", () => {
  rememberStep(4);
  assert.equal(lastStep(), 1);
});
