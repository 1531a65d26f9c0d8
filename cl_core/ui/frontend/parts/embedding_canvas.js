import { mean } from "../lib/math.js";
import { sizeCanvas } from "../render/canvas.js";
import { build, prefersStillness } from "../render/dom.js";

/** @import { Scope } from "../lib/scope.js" */
/** @import { Sheet } from "../render/sheet.js" */
/** @import { Points } from "../types.js" */

const IMAGE = 15; // CSS pixels
const MARGIN = 14;
const INNER = 0.985; // of the points decide the scale: a stray one does not shrink the map
const SMOOTH = 0.15; // of the change of scale in a frame

/** Images at their places on a map that moves; the scale follows. */
export class EmbeddingCanvas {
  node = build("div", "cl-embedding");
  #canvas = document.createElement("canvas");
  #sheet;
  /** @type {Points | null} */ #points = null;
  /** @type {{ x: number; y: number; half: number } | null} */ #view = null;
  #drawSoon;

  /** @param {Scope} scope @param {Sheet} sheet */
  constructor(scope, sheet) {
    this.#sheet = sheet;
    this.#canvas.setAttribute("role", "img");
    if (sheet.ground) this.node.dataset.ground = sheet.ground;
    this.node.append(this.#canvas);
    this.#drawSoon = scope.frame(() => this.#draw());
    scope.onResize(this.node, this.#drawSoon);
  }

  /** @param {string} label */
  describe(label) {
    this.#canvas.setAttribute("aria-label", label);
  }

  /** @param {Points} points any unit */
  show(points) {
    this.#points = points;
    this.#drawSoon();
  }

  /** @param {Points} points */
  #follow({ xs, ys }) {
    const [x, y] = [xs, ys].map(mean);
    const reach = Float32Array.from(xs, (value, i) => Math.max(Math.abs(value - x), Math.abs(ys[i] - y))).sort();
    const half = reach[Math.floor(INNER * (reach.length - 1))] || 1;
    const before = this.#view ?? { x, y, half };
    const part = prefersStillness() ? 1 : SMOOTH; // few drawings: each has its own scale
    const mix = (/** @type {number} */ from, /** @type {number} */ to) => from + part * (to - from);
    this.#view = { x: mix(before.x, x), y: mix(before.y, y), half: mix(before.half, half) };
    return this.#view;
  }

  #draw() {
    const { clientWidth: width, clientHeight: height } = this.node;
    const points = this.#points;
    if (!points || !width || !height) return;
    const { pen } = sizeCanvas(this.#canvas, width, height);
    pen.clearRect(0, 0, width, height);
    const { x, y, half } = this.#follow(points);
    const scale = (Math.min(width, height) / 2 - MARGIN) / half;
    for (let i = 0; i < points.xs.length; i++) {
      const [across, down] = [width / 2 + (points.xs[i] - x) * scale, height / 2 - (points.ys[i] - y) * scale];
      this.#sheet.draw(pen, i, across - IMAGE / 2, down - IMAGE / 2, IMAGE);
    }
  }
}
