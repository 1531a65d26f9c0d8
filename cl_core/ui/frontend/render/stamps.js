// Many small images drawn into one: scaled once, then copied pixel by pixel, which is ten times as fast as `drawImage`.

/** @import { Points } from "../types.js" */
/** @import { Sheet } from "./sheet.js" */

/**
 * @typedef {object} StampSheet
 * @property {Uint32Array} pixels 0xAABBGGRR each, alpha not multiplied in
 * @property {number} columns images in a row
 * @property {number} side of an image, pixels
 */

/**
 * The images of a sheet in the size in which they are drawn.
 *
 * @implements {StampSheet}
 */
export class Stamps {
  pixels;

  /**
   * @param {Sheet} sheet
   * @param {number} side whole pixels
   */
  constructor(sheet, side) {
    this.sheet = sheet;
    this.side = side;
    this.columns = sheet.columns;
    const canvas = document.createElement("canvas");
    canvas.width = sheet.columns * side;
    canvas.height = Math.round(sheet.image.height / sheet.tile) * side;
    const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { willReadFrequently: true }));
    pen.imageSmoothingQuality = "high";
    pen.drawImage(sheet.image, 0, 0, canvas.width, canvas.height);
    this.pixels = new Uint32Array(pen.getImageData(0, 0, canvas.width, canvas.height).data.buffer);
  }
}

/**
 * Draw the images of points around them; later ones lie on top.
 *
 * @param {Uint32Array} pixels of the drawing, cleared here
 * @param {number} width
 * @param {number} height
 * @param {Points} points in pixels
 * @param {Uint32Array} colors of which alpha counts
 * @param {StampSheet} stamps
 */
export function stamp(pixels, width, height, { xs, ys }, colors, { pixels: source, columns, side }) {
  pixels.fill(0);
  const stride = columns * side;
  for (let i = 0; i < xs.length; i++) {
    const alpha = colors[i] >>> 24;
    const [left, top] = [Math.round(xs[i] - side / 2), Math.round(ys[i] - side / 2)];
    const [first, last] = [Math.max(0, -left), Math.min(side, width - left)];
    const end = Math.min(side, height - top);
    if (!alpha || last <= first) continue;
    const corner = Math.floor(i / columns) * side * stride + (i % columns) * side;
    for (let y = Math.max(0, -top); y < end; y++) {
      let from = corner + y * stride + first;
      let to = (top + y) * width + left + first;
      for (let x = first; x < last; x++, from++, to++) {
        let color = source[from];
        if (alpha < 255) color = (color & 0xffffff) | (Math.round(((color >>> 24) * alpha) / 255) << 24);
        const opacity = color >>> 24;
        if (opacity === 255 || (opacity && !pixels[to])) pixels[to] = color;
        else if (opacity) pixels[to] = over(color, pixels[to]);
      }
    }
  }
}

/**
 * One color over another (Porter and Duff 1984), 0xAABBGGRR each, alpha not multiplied in.
 *
 * @param {number} top
 * @param {number} below
 */
export function over(top, below) {
  const front = (top >>> 24) / 255;
  const back = ((below >>> 24) / 255) * (1 - front);
  const alpha = front + back;
  /** @param {number} shift */
  const mixed = (shift) => Math.round((((top >>> shift) & 255) * front + ((below >>> shift) & 255) * back) / alpha) << shift;
  return (mixed(0) | mixed(8) | mixed(16) | (Math.round(255 * alpha) << 24)) >>> 0;
}
