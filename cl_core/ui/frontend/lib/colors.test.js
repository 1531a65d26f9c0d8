import assert from "node:assert/strict";
import test from "node:test";

import {
  BLUES, CATEGORIES, DIVERGING, VIRIDIS, groupPixels, packColor, pixelHex, pointColors, ramp, rampTable, scorePixels, toHex,
  withAlpha,
} from "./colors.js";

/** @param {ArrayBufferView} values */
const base64 = (values) => Buffer.from(values.buffer).toString("base64");

test("a ramp starts and ends at its stops and is clipped", () => {
  for (const stops of [DIVERGING, BLUES, VIRIDIS]) {
    assert.deepEqual(ramp(stops, 0), stops[0]);
    assert.deepEqual(ramp(stops, 1), stops.at(-1));
    assert.deepEqual(ramp(stops, -3), stops[0]);
    assert.deepEqual(ramp(stops, 7), stops.at(-1));
    assert.deepEqual(ramp(stops, 0.5), stops[2]);
  }
  assert.deepEqual(ramp([[0, 0, 0], [10, 20, 30]], 0.5), [5, 10, 15]);
  assert.deepEqual(rampTable(BLUES, 256)[255], BLUES.at(-1));
});

test("viridis gets lighter all the way", () => {
  const lightness = rampTable(VIRIDIS, 32).map(([red, green, blue]) => 0.2126 * red + 0.7152 * green + 0.0722 * blue);
  for (let i = 1; i < lightness.length; i++) assert.ok(lightness[i] > lightness[i - 1]);
});

test("pixels and hex codes are the same colors", () => {
  for (const hex of ["#0072b2", "#ffffff", "#000000", "#010203"]) {
    assert.equal(pixelHex(packColor(hex, 17)), hex);
    assert.equal(packColor(hex, 17) >>> 24, 17);
    assert.equal(withAlpha(packColor(hex), 46), packColor(hex, 46));
  }
  assert.equal(packColor("#112233"), 0xff332211);
  assert.equal(toHex([1, 2, 255]), "#0102ff");
});

test("groups take their colors in turn", () => {
  const pixels = groupPixels(Uint16Array.of(0, 1, CATEGORIES.length));
  assert.equal(pixelHex(pixels[0]), CATEGORIES[0].toLowerCase());
  assert.equal(pixels[2], pixels[0]);
  assert.notEqual(pixels[1], pixels[0]);
});

test("scores rise from dark to light, outliers do not stretch the scale, missing ones are gray", () => {
  const score = Float32Array.from({ length: 100 }, (_, i) => i);
  score[99] = 1e9;
  score[50] = NaN;
  const { colors, low, high } = scorePixels(score);
  assert.ok(low < 3 && high < 1e9);
  assert.equal(pixelHex(colors[0]), toHex(VIRIDIS[0]));
  assert.equal(pixelHex(colors[99]), toHex(/** @type {number[]} */ (VIRIDIS.at(-1))));
  assert.equal(pixelHex(colors[50]), "#999999");
  assert.equal(scorePixels(new Float32Array(0)).colors.length, 0);
  assert.equal(scorePixels(Float32Array.of(2, 2)).colors[0], scorePixels(Float32Array.of(2, 2)).colors[1]);
});

test("points are colored by group where there are groups, else by score", () => {
  const byGroup = pointColors({ groups: base64(Uint16Array.of(3, 300)), score: null });
  assert.deepEqual(byGroup.groups, Uint16Array.of(3, 300));
  assert.equal(byGroup.score, null);
  const byScore = pointColors({ groups: null, score: { values: base64(Float32Array.of(0, 1)), about: "" } });
  assert.equal(byScore.groups, null);
  assert.equal(byScore.colors.length, 2);
});
