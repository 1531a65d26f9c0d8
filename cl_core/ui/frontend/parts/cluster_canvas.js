import { CLUSTER_COLORS } from "../lib/clusters.js";
import { nearestPoint } from "../lib/geometry.js";
import { extentOf } from "../lib/points.js";
import { sizeCanvas } from "../render/canvas.js";
import { build } from "../render/dom.js";

/** @import { Scope } from "../lib/scope.js" */
/** @import { Sheet } from "../render/sheet.js" */
/** @import { Points } from "../types.js" */

const DOT = 3; // radius, CSS pixels
const CENTER = 30; // side of the image at a center
const MARGIN = 20;
const REACH = 10;

/**
 * Points on a map in given colors, and centers with an image each.
 *
 * @typedef {{ colors: string[]; centers: Points; nearest: Int16Array }} ClusterScene
 */
export class ClusterCanvas {
  node = build("div", "cl-cluster-map");
  #canvas = document.createElement("canvas");
  #points;
  #extent;
  #sheet;
  /** @type {ClusterScene | null} */ #scene = null;
  #drawSoon;
  #places; // where the points are drawn, CSS pixels

  /** @param {Scope} scope @param {Points} points -1 to 1 @param {Sheet} sheet @param {(index: number) => void} onPoint */
  constructor(scope, points, sheet, onPoint) {
    this.#points = points;
    this.#places = { xs: new Float32Array(points.xs.length), ys: new Float32Array(points.xs.length).fill(NaN) }; // not drawn yet
    this.#sheet = sheet;
    this.#extent = extentOf([points]);
    this.#canvas.setAttribute("role", "img");
    this.node.append(this.#canvas);
    this.#drawSoon = scope.frame(() => this.#draw());
    scope.onResize(this.node, this.#drawSoon);
    const point = (/** @type {Event} */ event) => {
      const { offsetX, offsetY } = /** @type {PointerEvent} */ (event);
      onPoint(nearestPoint(this.#places, offsetX, offsetY, REACH));
    };
    scope.listen(this.#canvas, "pointermove", point);
    scope.listen(this.#canvas, "pointerdown", point);
  }

  /** @param {ClusterScene} scene @param {string} label */
  show(scene, label) {
    this.#scene = scene;
    this.#canvas.setAttribute("aria-label", label);
    this.#drawSoon();
  }

  #draw() {
    const { clientWidth: width, clientHeight: height } = this.node;
    const scene = this.#scene;
    if (!scene || !width || !height) return;
    const { pen } = sizeCanvas(this.#canvas, width, height);
    pen.clearRect(0, 0, width, height);
    const { xs, ys } = this.#points;
    const { across, down } = this.#extent;
    const [right, below] = [width / 2 - MARGIN, height / 2 - MARGIN];
    const place = (/** @type {number} */ x, /** @type {number} */ y) => [width / 2 + (x / across) * right, height / 2 + (y / down) * below];
    pen.globalAlpha = 0.85;
    for (let i = 0; i < xs.length; i++) {
      const [x, y] = place(xs[i], ys[i]);
      [this.#places.xs[i], this.#places.ys[i]] = [x, y];
      pen.fillStyle = scene.colors[i];
      pen.beginPath();
      pen.arc(x, y, DOT, 0, 2 * Math.PI);
      pen.fill();
    }
    pen.globalAlpha = 1;
    scene.nearest.forEach((image, k) => {
      const [x, y] = place(scene.centers.xs[k], scene.centers.ys[k]);
      if (Number.isNaN(x)) return;
      pen.beginPath();
      pen.arc(x, y, CENTER * 0.72, 0, 2 * Math.PI);
      pen.fillStyle = this.#sheet.ground === "black" ? "#000" : "#fff";
      pen.fill();
      pen.lineWidth = 4;
      pen.strokeStyle = `rgb(${CLUSTER_COLORS[k % CLUSTER_COLORS.length].join(" ")})`;
      pen.stroke();
      this.#sheet.draw(pen, image, x - CENTER / 2, y - CENTER / 2, CENTER);
    });
  }
}
