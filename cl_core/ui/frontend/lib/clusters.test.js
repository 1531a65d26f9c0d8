import assert from "node:assert/strict";
import test from "node:test";

import { centerPlaces, centersFrom, CLUSTER_COLORS, mixedColors, objectiveShapes } from "./clusters.js";

/** @import { ClusterStep } from "../types.js" */

/** @param {"expect" | "maximize"} kind @param {number} objective @returns {ClusterStep} */
const step = (kind, objective) => ({ kind, objective, responsibilities: "", nearest: "" });

test("a point of one cluster has its color, one between two a mixture", () => {
  const [own, , mixed] = mixedColors(Uint8Array.of(255, 0, 0, 255, 128, 127), 2);
  assert.equal(own, `rgb(${CLUSTER_COLORS[0].join(" ")})`);
  const between = CLUSTER_COLORS[0].map((value, i) => (128 * value + 127 * CLUSTER_COLORS[1][i]) / 255);
  assert.deepEqual(mixed.match(/\d+/g)?.map(Number), between.map(Math.round));
});

test("a center is the weighted mean of its points", () => {
  const points = { xs: Float32Array.of(0, 1, 4), ys: Float32Array.of(0, 2, 4) };
  const { xs, ys } = centerPlaces(points, Uint8Array.of(255, 0, 255, 0, 0, 255), 2);
  assert.deepEqual([...xs, ...ys], [0.5, 4, 1, 4]);
  assert.ok(Number.isNaN(centerPlaces(points, Uint8Array.of(255, 0, 255, 0, 255, 0), 2).xs[1]));
});

test("centers stay until a step moves them", () => {
  const steps = [step("expect", 3), step("maximize", 2), step("expect", 1), step("maximize", 0)];
  assert.deepEqual([0, 1, 2, 3].map((at) => centersFrom(steps, at)), [0, 1, 1, 3]);
});

test("the objective marks the step that is shown", () => {
  const shapes = objectiveShapes([step("expect", 3), step("maximize", 2)], 1, "steps").join("");
  assert.equal(shapes.match(/r="5"/g)?.length, 1);
  assert.ok(!shapes.includes("NaN"));
  assert.ok(!objectiveShapes([step("expect", 3)], 0, "steps").join("").includes("NaN"));
});
