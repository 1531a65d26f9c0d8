import assert from "node:assert/strict";
import test from "node:test";

import { detailOf, finishedScene, moveScene, snapshotScene, snappedScene } from "./scenes.js";

/** @param {ArrayBufferView} values */
const base64 = (values) => Buffer.from(values.buffer).toString("base64");
/** @type {import("../types.js").Sprites} */
const SPRITES = { url: "a", columns: 1, count: 2, ground: "" };

/** @type {import("../types.js").SnapshotsValue} */
const SNAPSHOTS = {
  count: 2,
  epochs: [0, 1, 4],
  sprites: SPRITES,
  names: ["a", "b"],
  groups: base64(Uint16Array.of(0, 1)),
  groupNames: ["x", "y"],
  points: base64(Int16Array.of(0, 0, 32767, 0, 0, 32767, 0, 0, 0, 0, -32767, 0)),
  cells: [0],
  cosines: base64(Int8Array.of(127, 127, 127)),
  loss: [],
  chance: null,
  std: [],
  even: null,
  regions: [],
  note: "",
  canLayOut: false,
};

/** @type {import("../types.js").MapValue} */
const MAP = {
  name: "m",
  label: "l",
  count: 2,
  points: base64(Int16Array.of(32767, 0, 0, -32767)),
  sprites: SPRITES,
  names: "n",
  batch: [],
  regions: [{ point: 1, name: "y" }],
  note: "",
  coloring: "loss",
  snapshots: SNAPSHOTS,
  groups: null,
  groupNames: [],
  score: { values: base64(Float32Array.of(0, 1)), about: "agreement" },
};

test("the finished scene has the points and what colors them", () => {
  const scene = finishedScene(MAP);
  assert.deepEqual([...scene.points.xs], [1, 0]);
  assert.deepEqual([...scene.points.ys], [-0, 1]);
  assert.deepEqual([scene.groups, scene.about, scene.colors.length], [null, "agreement", 2]);
  assert.equal(detailOf(scene, 1), "1.000");
  assert.equal(detailOf({ ...scene, score: Float32Array.of(NaN) }, 0), "–");
  assert.equal(detailOf(snapshotScene(SNAPSHOTS), 1), "y");
});

test("a scene over time moves through its snapshots, whose layouts stay", () => {
  const scene = snapshotScene(SNAPSHOTS);
  assert.equal(scene.layouts.length, 3);
  assert.deepEqual(scene.extent, { across: 1, down: 1 });
  moveScene(scene, 0.5);
  assert.deepEqual([...scene.points.xs], [0, 0.5]);
  assert.deepEqual([...scene.points.ys], [-0.5, 0]);
  moveScene(scene, 2);
  assert.deepEqual([...scene.points.xs], [0, -1]);
  assert.deepEqual([...scene.layouts[0].xs], [0, 1]);
});

test("as images no two points share a cell, and all of them lie within the frame", () => {
  const snapped = snappedScene(snapshotScene(SNAPSHOTS), 400, 200);
  assert.deepEqual(snapped.extent, { across: 2, down: 1 });
  assert.equal(snapped.layouts.length, 3);
  for (const { xs, ys } of snapped.layouts) {
    assert.ok(Math.max(Math.abs(xs[0] - xs[1]), Math.abs(ys[0] - ys[1])) > snapped.side * 0.999);
    for (let i = 0; i < 2; i++) assert.ok(Math.abs(xs[i]) <= 2 && Math.abs(ys[i]) <= 1);
  }
  assert.ok(snapped.source && snapped.moved >= 0 && snapped.side > 0);
});
