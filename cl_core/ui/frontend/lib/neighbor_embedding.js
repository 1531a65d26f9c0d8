// Neighbor embedding by contrastive losses: from t-SNE's end to UMAP's by one number (Damrich et al. 2022, arXiv 2206.01816).
//
// A pair of images has the score ln(phi), phi = 1 / (1 + squared distance on the map). Positives are the edges of a graph of
// nearest neighbors; noise is drawn uniformly. Equal to a reference in Python (tests/browser/test_spectrum.py).

import { sigmoid, softplus } from "./math.js";

/** @import { Points } from "../types.js" */

/** @typedef {"sampling" | "nce" | "info_nce"} EmbeddingLoss */

export const NEGATIVES = 5; // a positive
const CLIP = 4; // of each coordinate of a gradient, as in UMAP
const TSNE_NORMALIZER = 25; // times the number of points: about the sum of phi over all pairs of a t-SNE map of emoji
const Z_RATE = 1; // of NCE's learned ln Z, divided by the number of edges in a round

/**
 * Random numbers in [0, 1) (mulberry32).
 *
 * @param {number} seed
 */
export function randomNumbers(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/**
 * The logarithm of the normalizer at a place between t-SNE (0) and UMAP (1).
 *
 * @param {number} slider
 * @param {number} count of points
 */
export function logNormalizer(slider, count) {
  const [tsne, umap] = [Math.log(TSNE_NORMALIZER * count), Math.log((count * (count - 1)) / NEGATIVES)];
  return tsne + slider * (umap - tsne);
}

/** The inverse of `logNormalizer`. @param {number} logZ @param {number} count */
export function sliderOf(logZ, count) {
  const [tsne, umap] = [logNormalizer(0, count), logNormalizer(1, count)];
  return (logZ - tsne) / (umap - tsne);
}

/** What is subtracted from the scores, ln(Z m / number of pairs): 0 at UMAP's end. @param {number} logZ @param {number} count */
export function scoreCorrection(logZ, count) {
  return logZ + Math.log(NEGATIVES) - Math.log(count * (count - 1));
}

const clip = (/** @type {number} */ value) => Math.max(-CLIP, Math.min(CLIP, value));

/**
 * A layout that learns.
 */
export class NeighborEmbedding {
  /** @type {number} */ logZ;
  loss = NaN; // mean of the last round, nats a positive
  #random;
  #weights = new Float64Array(NEGATIVES + 1);
  #others = new Int32Array(NEGATIVES);

  /**
   * @param {Points} points the first layout, changed in place
   * @param {Int16Array} edges (E, 2)
   * @param {number} seed
   */
  constructor(points, edges, seed) {
    this.points = points;
    this.edges = edges;
    this.count = points.xs.length;
    this.logZ = logNormalizer(1, this.count);
    this.#random = randomNumbers(seed);
  }

  /**
   * Go once through all edges.
   *
   * @param {EmbeddingLoss} loss NCE learns its normalizer, negative sampling takes `logZ` as it is
   * @param {number} rate of learning
   */
  round(loss, rate) {
    const { edges, count, points } = this;
    const total = edges.length / 2;
    let sum = 0;
    for (let edge = 0; edge < total; edge++) {
      const first = this.#random() < 0.5 ? 0 : 1; // noise is drawn for either end
      const [i, j] = [edges[2 * edge + first], edges[2 * edge + 1 - first]];
      for (let n = 0; n < NEGATIVES; n++) this.#others[n] = Math.floor(this.#random() * count);
      sum += loss === "info_nce" ? this.#softmax(i, j, rate) : this.#sigmoids(i, j, rate, loss === "nce" ? (rate * Z_RATE) / total : 0);
    }
    this.loss = sum / total;
    return points;
  }

  /** ln(phi) of two points. @param {number} i @param {number} j */
  #score(i, j) {
    const { xs, ys } = this.points;
    return -Math.log1p((xs[i] - xs[j]) ** 2 + (ys[i] - ys[j]) ** 2);
  }

  /**
   * Move two points along the gradient of ln(phi).
   *
   * @param {number} i
   * @param {number} j
   * @param {number} step above 0 they come closer
   */
  #move(i, j, step) {
    const { xs, ys } = this.points;
    const [dx, dy] = [xs[i] - xs[j], ys[i] - ys[j]];
    const scale = (2 * step) / (1 + dx * dx + dy * dy);
    return { x: clip(-scale * dx), y: clip(-scale * dy) };
  }

  /** @param {number} i @param {number} j @param {number} strength @param {number} rate */
  #apply(i, j, strength, rate) {
    const { xs, ys } = this.points;
    const { x, y } = this.#move(i, j, strength);
    xs[i] += rate * x;
    ys[i] += rate * y;
    xs[j] -= rate * x;
    ys[j] -= rate * y;
  }

  /** @param {number} i @param {number} j @param {number} rate @param {number} zRate */
  #sigmoids(i, j, rate, zRate) {
    const correction = scoreCorrection(this.logZ, this.count);
    let slope = 0; // of the loss by the correction
    const logit = this.#score(i, j) - correction;
    const missing = sigmoid(-logit);
    let loss = softplus(-logit);
    slope += missing;
    this.#apply(i, j, missing, rate);
    for (const k of this.#others) {
      if (k === i) continue;
      const against = this.#score(i, k) - correction;
      const p = sigmoid(against);
      loss += softplus(against);
      slope -= p;
      this.#apply(i, k, -p, rate);
    }
    this.logZ -= zRate * slope;
    return loss;
  }

  /** @param {number} i @param {number} j @param {number} rate */
  #softmax(i, j, rate) {
    const weights = this.#weights;
    weights[0] = Math.exp(this.#score(i, j));
    let sum = weights[0];
    for (let n = 0; n < NEGATIVES; n++) {
      const k = this.#others[n];
      weights[n + 1] = k === i ? 0 : Math.exp(this.#score(i, k));
      sum += weights[n + 1];
    }
    const loss = Math.log(sum) - Math.log(weights[0]);
    this.#apply(i, j, 1 - weights[0] / sum, rate);
    for (let n = 0; n < NEGATIVES; n++) if (weights[n + 1] > 0) this.#apply(i, this.#others[n], -weights[n + 1] / sum, rate);
    return loss;
  }
}

/**
 * What a layout is like: the fraction of each point's neighbors among its nearest on the map, and the logarithm of the sum of phi
 * over all ordered pairs, t-SNE's normalizer.
 *
 * @param {Points} points
 * @param {Int16Array} neighbors (N, K)
 */
export function measureLayout({ xs, ys }, neighbors) {
  const count = xs.length;
  const size = neighbors.length / count;
  const distances = new Float32Array(count);
  let [kept, sum] = [0, 0];
  for (let i = 0; i < count; i++) {
    for (let j = 0; j < count; j++) {
      distances[j] = (xs[i] - xs[j]) ** 2 + (ys[i] - ys[j]) ** 2;
      if (j !== i) sum += 1 / (1 + distances[j]);
    }
    distances[i] = Infinity;
    const limit = kthSmallest(distances, size);
    for (let n = 0; n < size; n++) if (distances[neighbors[i * size + n]] <= limit) kept++;
  }
  return { kept: kept / neighbors.length, logSum: Math.log(sum) };
}

/** @param {Float32Array} values @param {number} k from 1 */
function kthSmallest(values, k) {
  const heap = new Float32Array(k).fill(Infinity); // ascending
  for (const value of values) {
    if (value >= heap[k - 1]) continue;
    let at = k - 1;
    while (at > 0 && heap[at - 1] > value) {
      heap[at] = heap[at - 1];
      at--;
    }
    heap[at] = value;
  }
  return heap[k - 1];
}
