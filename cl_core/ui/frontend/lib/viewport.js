/** @import { Points } from "../types.js" */

export const MIN_ZOOM = 0.5;
export const MAX_ZOOM = 60;
const MARGIN = 0.47; // of the frame to either side of the middle, where the points are at zoom 1

/**
 * Which part of a map a frame shows: zoom, and how far its middle was moved. Lengths are CSS pixels.
 */
export class Viewport {
  zoom = 1;
  x = 0;
  y = 0;
  width = 0;
  height = 0;
  extent = { across: 1, down: 1 };

  /** CSS pixels for a step of 1 on the map. */
  get unit() {
    return MARGIN * Math.min(this.width / this.extent.across, this.height / this.extent.down) * this.zoom;
  }

  get left() {
    return this.width / 2 + this.x;
  }

  get top() {
    return this.height / 2 + this.y;
  }

  /** Show everything. */
  reset() {
    [this.zoom, this.x, this.y] = [1, 0, 0];
  }

  /**
   * Zoom around a place of the frame, which stays where it is.
   *
   * @param {number} factor
   * @param {number} x
   * @param {number} y
   */
  zoomAt(factor, x, y) {
    const zoom = Math.min(MAX_ZOOM, Math.max(MIN_ZOOM, this.zoom * factor));
    this.x -= (x - this.left) * (zoom / this.zoom - 1);
    this.y -= (y - this.top) * (zoom / this.zoom - 1);
    this.zoom = zoom;
  }

  /**
   * @param {number} dx
   * @param {number} dy
   */
  pan(dx, dy) {
    this.x += dx;
    this.y += dy;
  }

  /**
   * Write the places of points in the frame into `target`, times `scale`.
   *
   * @param {Points} points
   * @param {number} scale device pixels per CSS pixel
   * @param {Points} target
   */
  project({ xs, ys }, scale, target) {
    const [left, top, unit] = [this.left * scale, this.top * scale, this.unit * scale];
    for (let i = 0; i < xs.length; i++) {
      target.xs[i] = left + xs[i] * unit;
      target.ys[i] = top + ys[i] * unit;
    }
  }

  /**
   * The place on the map of a place in the frame.
   *
   * @param {number} x
   * @param {number} y
   */
  toMap(x, y) {
    return { x: (x - this.left) / this.unit, y: (y - this.top) / this.unit };
  }

  /** For a link: zoom and place in fractions of the frame, which another screen draws in another size; "" at the start. */
  toText() {
    if (this.zoom === 1 && !this.x && !this.y) return "";
    return [this.zoom, this.x / this.width, this.y / this.height].map((value) => value.toFixed(3)).join("_");
  }

  /**
   * Take over what `toText` gave; anything else is ignored.
   *
   * @param {string} text
   */
  fromText(text) {
    const [zoom, x, y] = text.split("_").map(Number);
    if (!(zoom >= MIN_ZOOM && zoom <= MAX_ZOOM && Number.isFinite(x) && Number.isFinite(y))) return;
    [this.zoom, this.x, this.y] = [zoom, x * this.width, y * this.height];
  }
}
