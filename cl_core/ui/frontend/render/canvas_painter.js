import { penOf } from "./canvas.js";
import { splat } from "./splat.js";
import { Stamps, stamp } from "./stamps.js";

/** @import { Points } from "../types.js" */
/** @import { Sheet } from "./sheet.js" */

const MAX_STAMPED = 8e6; // pixels of all images in the size in which they are drawn

/**
 * Draws points without a GPU; see `Painter`.
 */
export class CanvasPainter {
  canvas = document.createElement("canvas");
  #image = new ImageData(1, 1);
  #pixels = new Uint32Array(1);
  /** @type {Stamps | null} */ #stamps = null;

  /** @param {number} width @param {number} height */
  resize(width, height) {
    [this.canvas.width, this.canvas.height] = [width, height];
    this.#image = new ImageData(width, height);
    this.#pixels = new Uint32Array(this.#image.data.buffer);
  }

  /** @param {Points} points @param {Uint32Array} colors @param {number} radius */
  drawDiscs(points, colors, radius) {
    const { width, height } = this.canvas;
    splat(this.#pixels, width, height, points, colors, radius);
    penOf(this.canvas).putImageData(this.#image, 0, 0);
  }

  /** @param {Points} points @param {Uint32Array} colors @param {Sheet} sheet @param {number} side */
  drawImages(points, colors, sheet, side) {
    const whole = Math.max(1, Math.round(side));
    if (points.xs.length * whole * whole > MAX_STAMPED) {
      this.#drawEach(points, colors, sheet, side); // enlarged: few of them are in the frame
      return;
    }
    if (this.#stamps?.sheet !== sheet || this.#stamps.side !== whole) this.#stamps = new Stamps(sheet, whole);
    const { width, height } = this.canvas;
    stamp(this.#pixels, width, height, points, colors, this.#stamps);
    penOf(this.canvas).putImageData(this.#image, 0, 0);
  }

  /** @param {Points} points @param {Uint32Array} colors @param {Sheet} sheet @param {number} side */
  #drawEach({ xs, ys }, colors, sheet, side) {
    const pen = penOf(this.canvas);
    const { width, height } = this.canvas;
    const half = side / 2;
    pen.clearRect(0, 0, width, height);
    for (let i = 0; i < xs.length; i++) {
      const [left, top] = [xs[i] - half, ys[i] - half];
      const alpha = colors[i] >>> 24;
      if (left > width || top > height || left < -side || top < -side || !alpha) continue;
      pen.globalAlpha = alpha / 255;
      sheet.draw(pen, i, left, top, side);
    }
    pen.globalAlpha = 1;
  }

  end() {
    this.#stamps = null;
  }
}
