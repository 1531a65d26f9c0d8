import assert from "node:assert/strict";
import test from "node:test";

import { PointGrid } from "./grid.js";

/** Random numbers in [0, 1) from a seed (mulberry32). @param {number} seed */
function random(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/**
 * @param {Float32Array} xs
 * @param {Float32Array} ys
 * @param {number} x
 * @param {number} y
 * @param {number} reach
 * @param {(i: number) => boolean} accept
 */
function bruteForce(xs, ys, x, y, reach, accept) {
  let [best, found] = [reach * reach, -1];
  for (let i = 0; i < xs.length; i++) {
    const distance = (xs[i] - x) ** 2 + (ys[i] - y) ** 2;
    if (distance < best && accept(i)) [best, found] = [distance, i];
  }
  return found;
}

/** Points in a plane. @type {Record<string, (count: number, next: () => number) => [Float32Array, Float32Array]>} */
const CLOUDS = {
  uniform: (count, next) => [Float32Array.from({ length: count }, next), Float32Array.from({ length: count }, next)],
  clustered: (count, next) => {
    const centers = Array.from({ length: 20 }, () => [next(), next()]);
    const normal = () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
    const [xs, ys] = [new Float32Array(count), new Float32Array(count)];
    for (let i = 0; i < count; i++) {
      const [x, y] = centers[Math.floor(next() * centers.length)];
      [xs[i], ys[i]] = [x + 0.02 * normal(), y + 0.02 * normal()];
    }
    return [xs, ys];
  },
  // Many points at one place: coordinates are sent as whole numbers.
  rounded: (count, next) => [
    Float32Array.from({ length: count }, () => Math.round(next() * 20) / 20),
    Float32Array.from({ length: count }, () => Math.round(next() * 20) / 20),
  ],
  line: (count, next) => [Float32Array.from({ length: count }, next), new Float32Array(count)],
};

for (const [name, cloud] of Object.entries(CLOUDS)) {
  test(`the nearest of ${name} points is that of a search through all`, () => {
    const next = random(7);
    for (const count of [1, 2, 10, 1000]) {
      const [xs, ys] = cloud(count, next);
      const grid = new PointGrid(xs, ys);
      for (let query = 0; query < 300; query++) {
        const [x, y] = [next() * 1.6 - 0.3, next() * 1.6 - 0.3]; // outside the cloud, too
        for (const reach of [0.01, 0.2, Infinity]) {
          for (const accept of [() => true, (/** @type {number} */ i) => i % 3 === 0, () => false]) {
            assert.equal(grid.nearest(x, y, reach, accept), bruteForce(xs, ys, x, y, reach, accept));
          }
        }
      }
      for (let i = 0; i < count; i++) {
        assert.equal(grid.nearest(xs[i], ys[i], 0.1), bruteForce(xs, ys, xs[i], ys[i], 0.1, () => true));
      }
    }
  });
}

test("no points, one point, points at one place", () => {
  assert.equal(new PointGrid(new Float32Array(0), new Float32Array(0)).nearest(0, 0, Infinity), -1);
  const same = new PointGrid(new Float32Array(5).fill(2), new Float32Array(5).fill(3));
  assert.equal(same.nearest(2.5, 3, 1), 0);
  assert.equal(same.nearest(2.5, 3, 0.4), -1);
  assert.equal(same.nearest(2.5, 3, 1, (i) => i > 1), 2);
});

for (const name of ["uniform", "clustered"]) {
  test(`a query among 1,000,000 ${name} points takes less than a millisecond`, (context) => {
    const next = random(11);
    const [xs, ys] = CLOUDS[name](1_000_000, next);
    let began = performance.now();
    const grid = new PointGrid(xs, ys);
    const built = performance.now() - began;
    const queries = Array.from({ length: 2000 }, () => [next(), next()]);
    for (const [x, y] of queries.slice(0, 200)) grid.nearest(x, y, 0.03); // let the compiler see it first
    began = performance.now();
    for (const [x, y] of queries) grid.nearest(x, y, 0.03);
    const each = (performance.now() - began) / queries.length;
    context.diagnostic(`${name}: built in ${built.toFixed(0)} ms, ${(1000 * each).toFixed(1)} µs a query`);
    assert.ok(each < 1, `${each} ms`);
  });
}
