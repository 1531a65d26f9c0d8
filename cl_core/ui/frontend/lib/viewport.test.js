import assert from "node:assert/strict";
import test from "node:test";

import { MAX_ZOOM, MIN_ZOOM, Viewport } from "./viewport.js";

function viewport() {
  return Object.assign(new Viewport(), { width: 800, height: 400, extent: { across: 1, down: 0.5 } });
}

test("at zoom 1 everything fits into the frame", () => {
  const view = viewport();
  const points = { xs: Float32Array.of(-1, 1, 0), ys: Float32Array.of(-0.5, 0.5, 0) };
  const target = { xs: new Float32Array(3), ys: new Float32Array(3) };
  view.project(points, 2, target);
  assert.ok(target.xs.every((x) => x >= 0 && x <= 1600) && target.ys.every((y) => y >= 0 && y <= 800));
  assert.deepEqual([target.xs[2], target.ys[2]], [800, 400]);
});

test("the place under the pointer stays where it is", () => {
  const view = viewport();
  view.pan(30, -20);
  const before = view.toMap(123, 45);
  for (const factor of [1.7, 0.3, 20, 1e-9, 1e9]) {
    view.zoomAt(factor, 123, 45);
    const after = view.toMap(123, 45);
    assert.ok(Math.abs(after.x - before.x) < 1e-9 && Math.abs(after.y - before.y) < 1e-9);
    assert.ok(view.zoom >= MIN_ZOOM && view.zoom <= MAX_ZOOM);
  }
});

test("projecting and finding the place again are inverse", () => {
  const view = viewport();
  view.zoomAt(3, 100, 100);
  const target = { xs: new Float32Array(1), ys: new Float32Array(1) };
  view.project({ xs: Float32Array.of(0.25), ys: Float32Array.of(-0.125) }, 1, target);
  const place = view.toMap(target.xs[0], target.ys[0]);
  assert.ok(Math.abs(place.x - 0.25) < 1e-6 && Math.abs(place.y + 0.125) < 1e-6);
});

test("a link shows the same part in a frame of another size", () => {
  const view = viewport();
  assert.equal(view.toText(), "");
  view.zoomAt(2, 700, 300);
  const text = view.toText();
  const other = Object.assign(viewport(), { width: 400, height: 200 });
  other.fromText(text);
  assert.equal(other.zoom, 2);
  assert.ok(Math.abs(other.x / other.width - view.x / view.width) < 1e-3);
  other.reset();
  assert.deepEqual([other.zoom, other.x, other.y], [1, 0, 0]);
});

test("a link that makes no sense changes nothing", () => {
  const view = viewport();
  for (const text of ["", "2", "a_b_c", "1000_0_0", "2_Infinity_0", "0.1_0_0"]) {
    view.fromText(text);
    assert.deepEqual([view.zoom, view.x, view.y], [1, 0, 0], text);
  }
});
