import assert from "node:assert/strict";
import test from "node:test";

import {
  RUN_CURVE, TEMPERATURE_CURVE, runCurveShapes, runCurveX, runPlacesShapes, temperatureAt, temperatureCurveShapes, temperatureX,
} from "./charts.js";
import { LogScale } from "./scales.js";

const SCALE = new LogScale(0.01, 10);

/** The places of a chart's path. @param {string[]} shapes */
function pathOf(shapes) {
  const path = /<path d="([^"]*)"/.exec(shapes.join(""))?.[1] ?? "";
  return path.split(/[ML]/).filter(Boolean).map((place) => place.split(" ").map(Number));
}

test("a run's curve starts at the left, ends at the right and stays inside", () => {
  const path = pathOf(runCurveShapes([[0, 3], [5, 1], [10, 2]], 10, null));
  assert.deepEqual([path[0][0], path[2][0]], [RUN_CURVE.left, RUN_CURVE.width - RUN_CURVE.right]);
  assert.ok(path.every(([, y]) => y >= RUN_CURVE.top && y <= RUN_CURVE.height - RUN_CURVE.bottom));
  assert.equal(path[0][1], RUN_CURVE.top, "the highest value");
  assert.equal(runCurveX(10, 10), path[2][0]);
  assert.equal(runCurveShapes([[0, 3]], 1, 2).join("").split("dasharray").length, 2, "one dotted level");
});

test("places across and temperatures are inverse", () => {
  for (const t of [0.01, 0.07, 1, 10]) assert.ok(Math.abs(temperatureAt(SCALE, temperatureX(SCALE, t)) - t) < 1e-9);
  assert.equal(temperatureAt(SCALE, 0), 0.01, "left of the axis");
});

test("a curve over temperatures stays inside, also where it is negative or logarithmic", () => {
  const temperatures = SCALE.steps(3);
  for (const axis of [{}, { logarithmic: true }, { level: { value: 9, name: "chance" } }]) {
    const values = "logarithmic" in axis ? [100, 10, 1, 0] : [4, 2, -1, 0];
    const path = pathOf(temperatureCurveShapes(SCALE, temperatures, values, axis));
    assert.equal(path.length, 4);
    for (const [x, y] of path) {
      assert.ok(x >= TEMPERATURE_CURVE.left && x <= TEMPERATURE_CURVE.width - TEMPERATURE_CURVE.right);
      assert.ok(y >= TEMPERATURE_CURVE.top && y <= TEMPERATURE_CURVE.height - TEMPERATURE_CURVE.bottom);
    }
  }
});

test("fractions are drawn from 0 to 1", () => {
  const path = pathOf(temperatureCurveShapes(SCALE, SCALE.steps(1), [0, 0.5], { isFraction: true }));
  const { height, top, bottom } = TEMPERATURE_CURVE;
  assert.deepEqual(path.map(([, y]) => y), [height - bottom, (height - bottom + top) / 2]);
});

test("the band of overflow is there only where there is one", () => {
  const shapes = (/** @type {number} */ overflow) => temperatureCurveShapes(SCALE, SCALE.steps(1), [1, 2], { overflow }).join("");
  assert.match(shapes(0.09), /cl-overflow/);
  assert.doesNotMatch(shapes(0.001), /cl-overflow/);
});

test("the page's run is large and has its name, names from outside are no markup", () => {
  const strings = { uniformity: "u", tolerance: "t", uniformity_axis: "U", tolerance_axis: "T" };
  const place = (/** @type {string} */ label, /** @type {boolean} */ here) =>
    ({ name: label, label, here, uniformity: -2, tolerance: 0.5 });
  const text = runPlacesShapes([place("<other>", false), place("own", true)], strings).join("");
  assert.match(text, /font-weight="700">own</);
  assert.doesNotMatch(text, /<other>/);
  assert.ok(!text.includes(">&lt;other&gt;</text>"), "it would cover the other name");
  assert.match(text, /<title>&lt;other&gt;: u -2.00, t 0.50</);
});

test("the axes of the runs have numbers", () => {
  const strings = { uniformity: "u", tolerance: "t", uniformity_axis: "U", tolerance_axis: "T" };
  const at = (/** @type {number} */ uniformity, /** @type {number} */ tolerance) =>
    ({ name: "", label: "", here: false, uniformity, tolerance });
  const shapes = runPlacesShapes([at(-3.7, 0.31), at(-0.1, 0.97)], strings).join("");
  const numbers = [...shapes.matchAll(/font-size="10.5"[^>]*>([^<]+)</g)].map((found) => found[1]);
  assert.deepEqual(numbers, ["−3", "−2", "−1", "0", "0.4", "0.6", "0.8", "1"]);
});
