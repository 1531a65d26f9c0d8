import { decode } from "../lib/decode.js";
import { fisheye } from "../lib/fisheye.js";
import { fill } from "../lib/formats.js";
import { interpolate, readPoints, smoothstep } from "../lib/points.js";
import { snappedLayouts } from "../lib/snap.js";
import { around } from "../lib/timeline.js";
import { penOf, pixelScale } from "../render/canvas.js";
import { build } from "../render/dom.js";
import { drawRegionNames } from "../render/map_labels.js";

/** @import { Scope } from "../lib/scope.js" */
/** @import { Sheet } from "../render/sheet.js" */
/** @import { Points, StartFile, Strings } from "../types.js" */

const LENS = 110; // CSS pixels, its radius
const STRENGTH = 2.2;
const MOST_LABELS = 16;

/**
 * Images of a data set at their places over time, none covering another; a lens follows the pointer, a click opens an image.
 */
export class Drift {
  node = build("div", "cl-drift");
  caption = build("p", "cl-caption");
  #canvas = document.createElement("canvas");
  #strings;
  #file;
  #sheet;
  /** @type {Points[]} */ #given; // the layouts as they come, -1 to 1
  /** @type {Points[]} */ #layouts = []; // snapped, device pixels
  /** @type {Points} */ #places;
  #size = 0; // of an image, device pixels
  #scale = 1;
  #position = 0;
  /** @type {{ x: number; y: number } | null} */ #pointer = null; // device pixels
  #near = -1; // the image under the pointer
  #drawSoon;

  /**
   * @param {Scope} scope
   * @param {Strings} strings
   * @param {StartFile} file
   * @param {Sheet} sheet
   * @param {(id: number) => void} onOpen
   */
  constructor(scope, strings, file, sheet, onOpen) {
    this.#strings = strings;
    this.#file = file;
    this.#sheet = sheet;
    const numbers = decode(file.points, Int16Array);
    this.#given = file.epochs.map((_, s) => readPoints(numbers, s * file.count, file.count));
    this.#places = { xs: new Float32Array(file.count), ys: new Float32Array(file.count) };
    this.#canvas.setAttribute("role", "img");
    this.#canvas.setAttribute("aria-label", fill(strings.label, { count: file.count }));
    this.node.append(this.#canvas);
    this.node.dataset.ground = sheet.ground;
    this.#drawSoon = scope.frame(() => this.#draw());
    scope.onResize(this.node, () => this.#measure());
    scope.onThemeChange(() => this.#drawSoon());
    scope.listen(this.#canvas, "pointermove", (event) => this.#point(/** @type {PointerEvent} */ (event)));
    scope.listen(this.#canvas, "pointerdown", (event) => this.#point(/** @type {PointerEvent} */ (event)));
    scope.listen(this.#canvas, "pointerleave", (event) => {
      if (/** @type {PointerEvent} */ (event).pointerType !== "touch") this.#leave(); // a tap leaves before it clicks
    });
    scope.listen(this.#canvas, "click", () => {
      if (this.#near >= 0) onOpen(this.#file.rows[this.#near]);
    });
    this.#say();
  }

  /** @param {number} position between snapshots */
  go(position) {
    this.#position = position;
    this.#say();
    this.#drawSoon();
  }

  #measure() {
    const { clientWidth: width, clientHeight: height } = this.node;
    if (!width || !height) return;
    this.#scale = pixelScale();
    this.#canvas.width = Math.round(width * this.#scale);
    this.#canvas.height = Math.round(height * this.#scale);
    this.#layouts = [];
    this.#drawSoon();
  }

  #draw() {
    const { width, height } = this.#canvas;
    if (!this.#canvas.isConnected || !this.node.clientWidth) return;
    if (!this.#layouts.length) ({ layouts: this.#layouts, side: this.#size } = snappedLayouts(this.#given, width, height));
    const { low, high, fraction } = around(this.#position, this.#layouts.length);
    interpolate(this.#layouts[low], this.#layouts[high], smoothstep(fraction), this.#places);
    const pen = penOf(this.#canvas);
    pen.clearRect(0, 0, width, height);
    this.#drawImages(pen);
    if (this.#position > this.#layouts.length - 1.02) this.#drawNames(pen);
    this.node.dataset.position = this.#position.toFixed(2);
  }

  /** @param {CanvasRenderingContext2D} pen */
  #drawImages(pen) {
    const { xs, ys } = this.#places;
    const [size, radius] = [this.#size, LENS * this.#scale];
    /** @type {[number, number][]} */
    const within = []; // the lens: distance and image
    for (let i = 0; i < xs.length; i++) {
      const distance = this.#pointer ? Math.hypot(xs[i] - this.#pointer.x, ys[i] - this.#pointer.y) : Infinity;
      if (distance < radius) within.push([distance, i]);
      else this.#sheet.draw(pen, i, xs[i] - size / 2, ys[i] - size / 2, size);
    }
    within.sort((a, b) => b[0] - a[0]); // the nearest lies on top
    for (const [distance, i] of within) {
      const { x, y } = /** @type {{ x: number; y: number }} */ (this.#pointer);
      const lens = fisheye(distance / radius, STRENGTH);
      const away = distance ? (lens.distance * radius) / distance : 0;
      const [side, left, top] = [size * lens.scale, x + (xs[i] - x) * away, y + (ys[i] - y) * away];
      this.#sheet.draw(pen, i, left - side / 2, top - side / 2, side);
    }
    const near = within.at(-1)?.[1] ?? -1;
    if (near !== this.#near) {
      this.#near = near;
      this.#say();
    }
  }

  /** @param {CanvasRenderingContext2D} pen */
  #drawNames(pen) {
    if (this.#pointer) return;
    drawRegionNames(pen, this.node, this.#places, this.#file.regions, this.#scale, MOST_LABELS);
  }

  /** @param {PointerEvent} event */
  #point(event) {
    const box = this.#canvas.getBoundingClientRect();
    this.#pointer = { x: (event.clientX - box.left) * this.#scale, y: (event.clientY - box.top) * this.#scale };
    this.#drawSoon();
  }

  #leave() {
    [this.#pointer, this.#near] = [null, -1];
    this.#say();
    this.#drawSoon();
  }

  /** What one sees: the image under the pointer, or how well neighbors agree by now. */
  #say() {
    const { names, accuracy, epochs } = this.#file;
    const nearest = Math.round(this.#position);
    const { hovered, progress, untrained } = this.#strings;
    if (this.#near >= 0) this.caption.textContent = fill(hovered, { name: names[this.#near] });
    else if (accuracy[nearest] === null) this.caption.textContent = "";
    else {
      const percent = (100 * Number(accuracy[nearest])).toFixed(0);
      this.caption.textContent = fill(epochs[nearest] === 0 ? untrained : progress, { accuracy: percent });
    }
  }
}
