import assert from "node:assert/strict";
import test from "node:test";

import { logNormalizer, measureLayout, NEGATIVES, NeighborEmbedding, randomNumbers, scoreCorrection, sliderOf } from "./neighbor_embedding.js";

/** Two cliques of five points, the points of one beside those of the other. */
function cliques() {
  const random = randomNumbers(3);
  const xs = Float32Array.from({ length: 10 }, () => random() - 0.5);
  const ys = Float32Array.from({ length: 10 }, () => random() - 0.5);
  const edges = [];
  for (let i = 0; i < 10; i++) for (let j = 0; j < 10; j++) if (i !== j && i % 2 === j % 2) edges.push(i, j);
  return { points: { xs, ys }, edges: Int16Array.from(edges) };
}

/** Mean distance within cliques over that between them. @param {{ xs: Float32Array; ys: Float32Array }} points */
function separation({ xs, ys }) {
  const sums = { same: [0, 0], other: [0, 0] };
  for (let i = 0; i < 10; i++) {
    for (let j = 0; j < i; j++) {
      const sum = i % 2 === j % 2 ? sums.same : sums.other;
      sum[0] += Math.hypot(xs[i] - xs[j], ys[i] - ys[j]);
      sum[1]++;
    }
  }
  return sums.same[0] / sums.same[1] / (sums.other[0] / sums.other[1]);
}

test("random numbers lie in [0, 1) and follow from the seed", () => {
  const [a, b] = [randomNumbers(1), randomNumbers(1)];
  const drawn = Array.from({ length: 1000 }, a);
  assert.deepEqual(drawn.slice(0, 5), Array.from({ length: 5 }, b));
  assert.ok(drawn.every((value) => value >= 0 && value < 1));
  assert.ok(Math.abs(drawn.reduce((x, y) => x + y) / 1000 - 0.5) < 0.05);
});

test("the slider's ends: nothing is subtracted at UMAP's, the inverse is one", () => {
  assert.ok(Math.abs(scoreCorrection(logNormalizer(1, 500), 500)) < 1e-9);
  assert.ok(scoreCorrection(logNormalizer(0, 5000), 5000) < -1);
  assert.ok(Math.abs(sliderOf(logNormalizer(0.3, 500), 500) - 0.3) < 1e-9);
});

for (const loss of /** @type {const} */ (["sampling", "nce", "info_nce"])) {
  test(`${loss} separates two cliques`, () => {
    const { points, edges } = cliques();
    const embedding = new NeighborEmbedding(points, edges, 1);
    const before = separation(points);
    for (let round = 0; round < 200; round++) embedding.round(loss, 0.2 * (1 - round / 200));
    assert.ok(separation(points) < Math.min(0.6, before), `${separation(points)}`);
    assert.ok(Number.isFinite(embedding.loss));
  });
}

test("a smaller normalizer pushes apart", () => {
  const spread = (/** @type {number} */ slider) => {
    const { points, edges } = cliques();
    const embedding = new NeighborEmbedding(points, edges, 1);
    embedding.logZ = scoreCorrection(0, 10) * -1 - 3 + 3 * slider; // corrections of -3 and 0
    for (let round = 0; round < 100; round++) embedding.round("sampling", 0.2);
    return Math.max(...points.xs) - Math.min(...points.xs) + Math.max(...points.ys) - Math.min(...points.ys);
  };
  assert.ok(spread(0) > 1.3 * spread(1));
  assert.equal(NEGATIVES, 5);
});

test("a layout is measured by its neighbors and by the sum over pairs", () => {
  const points = { xs: Float32Array.of(0, 1, 5, 6), ys: Float32Array.of(0, 0, 0, 0) };
  const { kept, logSum } = measureLayout(points, Int16Array.of(1, 0, 3, 0));
  assert.equal(kept, 0.75);
  const pairs = [1, 25, 36, 16, 25, 1].map((squared) => 1 / (1 + squared));
  assert.ok(Math.abs(logSum - Math.log(2 * pairs.reduce((a, b) => a + b))) < 1e-6);
});
