import { fill } from "../lib/formats.js";
import { nearestPoint } from "../lib/geometry.js";
import { keyAxes, keyPoints } from "../lib/keys.js";
import { sizeCanvas } from "../render/canvas.js";
import { build } from "../render/dom.js";

/** @import { Scope } from "../lib/scope.js" */
/** @import { Sheet } from "../render/sheet.js" */
/** @import { Points, Strings } from "../types.js" */

const REACH = 14; // CSS pixels around the pointer
const TICKS = [1, 0.5, 0, -0.5];

/**
 * Keys as images on two axes: age across, cosine up. The pointer names the key it is at.
 *
 * @typedef {object} Cloud
 * @property {ArrayLike<number>} instances images of the sheet
 * @property {ArrayLike<number>} ages
 * @property {ArrayLike<number>} cosines
 * @property {(index: number) => number} [strength] 0 (faint) to 1
 * @property {number} [lowest] cosine at the bottom
 */
export class KeyCloud {
  node = build("div", "cl-cloud");
  caption = build("p", "cl-caption");
  #canvas = document.createElement("canvas");
  /** @type {Cloud | null} */ #cloud = null;
  /** @type {Points} */ #points = { xs: new Float32Array(0), ys: new Float32Array(0) };
  #most = 0;
  #size;
  #drawSoon;
  #strings;
  #names;
  #sheet;

  /**
   * @param {Scope} scope
   * @param {{ strings: Strings; names: string[]; sheet: Sheet; size: number }} source size: of an image, CSS pixels
   */
  constructor(scope, { strings, names, sheet, size }) {
    this.#strings = strings;
    this.#names = names;
    this.#sheet = sheet;
    this.#size = size;
    this.#canvas.setAttribute("role", "img");
    this.node.append(this.#canvas);
    if (sheet.ground) this.node.dataset.ground = sheet.ground;
    this.#drawSoon = scope.frame(() => this.#draw());
    scope.onResize(this.node, this.#drawSoon);
    scope.onThemeChange(this.#drawSoon);
    scope.listen(this.#canvas, "pointermove", (event) => this.#point(/** @type {PointerEvent} */ (event)));
    scope.listen(this.#canvas, "pointerdown", (event) => this.#point(/** @type {PointerEvent} */ (event)));
    this.caption.textContent = strings.hover;
  }

  /** @param {Cloud} cloud @param {number} most the largest age on the axis @param {string} label */
  show(cloud, most, label) {
    if (cloud !== this.#cloud) this.caption.textContent = this.#strings.hover; // the former one was about other keys
    this.#cloud = cloud;
    this.#most = most;
    this.#canvas.setAttribute("aria-label", label);
    this.#drawSoon();
  }

  /** @param {PointerEvent} event */
  #point({ offsetX, offsetY }) {
    const cloud = this.#cloud;
    const index = nearestPoint(this.#points, offsetX, offsetY, REACH);
    if (!cloud || index < 0) return;
    const key = { name: this.#names[cloud.instances[index]], age: cloud.ages[index], cosine: cloud.cosines[index].toFixed(3) };
    this.caption.textContent = fill(this.#strings.key, key);
  }

  #draw() {
    const { clientWidth: width, clientHeight: height } = this.node;
    const cloud = this.#cloud;
    if (!cloud || !width || !height) return;
    const { pen } = sizeCanvas(this.#canvas, width, height);
    const axes = keyAxes(this.#most, width, height, cloud.lowest);
    pen.clearRect(0, 0, width, height);
    pen.fillStyle = pen.strokeStyle = getComputedStyle(this.node).color;
    pen.font = "10px sans-serif";
    pen.lineWidth = 0.5;
    pen.textAlign = "right";
    for (const tick of TICKS.filter((each) => each > axes.lowest)) {
      pen.globalAlpha = 1;
      pen.fillText(String(tick).replace("-", "−"), axes.left - 4, axes.y(tick) + 3);
      pen.globalAlpha = tick === 1 ? 0.6 : 0.18;
      pen.beginPath();
      pen.moveTo(axes.left, axes.y(tick));
      pen.lineTo(axes.right, axes.y(tick));
      pen.stroke();
    }
    pen.globalAlpha = 1;
    pen.textAlign = "left";
    pen.fillText("0", axes.left, height - 6);
    pen.textAlign = "right";
    if (this.#most > 0) pen.fillText(fill(this.#strings.oldest, { count: this.#most }), axes.right, height - 6);
    this.#points = keyPoints(cloud.ages, cloud.cosines, axes);
    const { xs, ys } = this.#points;
    for (let i = xs.length - 1; i >= 0; i--) {
      const strength = cloud.strength?.(i) ?? 1;
      const size = this.#size * (0.7 + 0.3 * strength) * (cloud.strength && strength > 0.5 ? 1.6 : 1);
      pen.globalAlpha = 0.15 + 0.85 * strength;
      this.#sheet.draw(pen, cloud.instances[i], xs[i] - size / 2, ys[i] - size / 2, size);
    }
    pen.globalAlpha = 1;
  }
}
