import { decode } from "../lib/decode.js";
import { fisheye } from "../lib/fisheye.js";
import { fill } from "../lib/formats.js";
import { DIRECTIONS, nextInDirection } from "../lib/geometry.js";
import { PointGrid } from "../lib/grid.js";
import { interpolate, readPoints, smoothstep } from "../lib/points.js";
import { snappedLayouts } from "../lib/snap.js";
import { around } from "../lib/timeline.js";
import { penOf, pixelScale } from "../render/canvas.js";
import { build, isShortcut } from "../render/dom.js";
import { drawRegionNames } from "../render/map_labels.js";
import { PointCanvas } from "../render/point_canvas.js";

/** @import { Scope } from "../lib/scope.js" */
/** @import { Sheet } from "../render/sheet.js" */
/** @import { Points, StartFile, Strings } from "../types.js" */

const LENS = 110; // CSS pixels, its radius
const STRENGTH = 2.2;
const MAX_LABELS = 16;
const SHOWN = 0xffffffff; // a color whose alpha is full

/**
 * Images of a data set at their places over time, none covering another; a lens follows the pointer, a click opens an image.
 */
export class Drift {
  node = build("div", "cl-drift");
  caption = build("p", "cl-caption");
  #points; // the images
  #overlay = document.createElement("canvas"); // the lens and the names
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
  #onOpen;

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
    this.#onOpen = onOpen;
    const numbers = decode(file.points, Int16Array);
    this.#given = file.epochs.map((_, s) => readPoints(numbers, s * file.count, file.count));
    this.#places = { xs: new Float32Array(file.count), ys: new Float32Array(file.count) };
    this.#drawSoon = scope.frame(() => this.#draw());
    this.#points = new PointCanvas(this.#drawSoon);
    scope.onEnd(() => this.#points.end());
    this.#overlay.tabIndex = 0;
    this.#overlay.setAttribute("role", "application");
    this.node.append(this.#points.node, this.#overlay);
    this.node.dataset.ground = sheet.ground;
    scope.onResize(this.node, () => this.#measure());
    scope.onThemeChange(() => this.#drawSoon());
    scope.listen(this.#overlay, "pointermove", (event) => this.#point(/** @type {PointerEvent} */ (event)));
    scope.listen(this.#overlay, "pointerdown", (event) => this.#point(/** @type {PointerEvent} */ (event)));
    scope.listen(this.#overlay, "pointerleave", (event) => {
      if (/** @type {PointerEvent} */ (event).pointerType !== "touch") this.#leave(); // a tap leaves before it clicks
    });
    scope.listen(this.#overlay, "pointercancel", () => this.#leave()); // the finger scrolls the page
    scope.listen(this.#overlay, "click", () => {
      if (this.#near >= 0) this.#onOpen(this.#file.rows[this.#near]);
    });
    scope.listen(this.#overlay, "keydown", (event) => this.#pressKey(/** @type {KeyboardEvent} */ (event)));
    scope.listen(this.#overlay, "blur", () => this.#leave());
    this.#say();
  }

  /** @param {KeyboardEvent} event */
  #pressKey(event) {
    if (isShortcut(event)) return;
    const { width, height } = this.#overlay;
    if (event.key in DIRECTIONS) {
      const at = this.#pointer ?? { x: width / 2, y: height / 2 };
      const start = this.#near < 0 ? new PointGrid(this.#places.xs, this.#places.ys).nearest(at.x, at.y, Infinity) : this.#near;
      const next = this.#near < 0 ? start : nextInDirection(this.#places, start, DIRECTIONS[event.key], 1, () => true);
      this.#pointer = { x: this.#places.xs[next], y: this.#places.ys[next] };
      this.#drawSoon();
    } else if (event.key === "Enter" && this.#near >= 0) this.#onOpen(this.#file.rows[this.#near]);
    else if (event.key === "Escape" && this.#pointer) this.#leave();
    else return;
    event.preventDefault();
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
    [this.#overlay.width, this.#overlay.height] = [Math.round(width * this.#scale), Math.round(height * this.#scale)];
    this.#points.painter.resize(this.#overlay.width, this.#overlay.height);
    this.#layouts = [];
    this.#drawSoon();
  }

  #draw() {
    const { width, height } = this.#overlay;
    if (!this.#overlay.isConnected || !this.node.clientWidth) return;
    if (!this.#layouts.length) ({ layouts: this.#layouts, side: this.#size } = snappedLayouts(this.#given, width, height));
    const { low, high, fraction } = around(this.#position, this.#layouts.length);
    interpolate(this.#layouts[low], this.#layouts[high], smoothstep(fraction), this.#places);
    const pen = penOf(this.#overlay);
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
    const colors = new Uint32Array(xs.length).fill(SHOWN);
    for (let i = 0; i < xs.length && this.#pointer; i++) {
      const distance = Math.hypot(xs[i] - this.#pointer.x, ys[i] - this.#pointer.y);
      if (distance >= radius) continue;
      within.push([distance, i]);
      colors[i] = 0;
    }
    this.#points.painter.drawImages(this.#places, colors, this.#sheet, size);
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
    drawRegionNames(pen, this.node, this.#places, this.#file.regions, this.#scale, MAX_LABELS);
  }

  /** @param {PointerEvent} event */
  #point(event) {
    const box = this.#overlay.getBoundingClientRect();
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
    const { names, accuracy, count, epochs, half } = this.#file;
    const nearest = Math.round(this.#position);
    const { hovered, label, progress, untrained } = this.#strings;
    const last = epochs.length - 1;
    const under = this.#near < 0 ? "" : fill(hovered, { name: names[this.#near] });
    this.#overlay.setAttribute("aria-label", under || fill(label, { count }));
    if (under) this.caption.textContent = under;
    else if (accuracy[nearest] === null) this.caption.textContent = "";
    else {
      const percent = (100 * Number(accuracy[nearest])).toFixed(0);
      this.caption.textContent = fill(epochs[nearest] === 0 ? untrained : progress, { accuracy: percent });
      if (nearest === last && half) {
        const when = { epoch: half.toFixed(half < 10 ? 1 : 0), epochs: epochs[last] };
        this.caption.textContent += ` ${fill(this.#strings.half, when)}`;
      }
    }
  }
}
