import { withAlpha } from "../lib/colors.js";
import { pointRadius } from "../lib/points.js";
import { Viewport } from "../lib/viewport.js";
import { penOf, pixelScale } from "./canvas.js";
import { splat } from "./splat.js";

/** @import { Points, Scene } from "../types.js" */
/** @import { Sheet } from "./sheet.js" */

const DIMMED = 46; // alpha of points that are not selected

/**
 * The two canvases of a map, points below and marks above, and the part of the map that they show.
 */
export class MapCanvas {
  base = document.createElement("canvas");
  overlay = document.createElement("canvas");
  view = new Viewport();
  /** Where each point is drawn, device pixels. @type {Points} */
  places = { xs: new Float32Array(0), ys: new Float32Array(0) };
  scale = 1; // device pixels per CSS pixel
  radius = 1; // of a drawn point, device pixels
  thumbnailSize = 0; // of the drawn images, device pixels; 0 where points are drawn
  #image = new ImageData(1, 1);
  #pixels = new Uint32Array(1);

  /**
   * Take over the size of the frame.
   *
   * @param {HTMLElement} frame
   */
  measure(frame) {
    const { clientWidth: width, clientHeight: height } = frame;
    if (!width || !height) return;
    this.scale = pixelScale();
    [this.view.width, this.view.height] = [width, height];
    for (const canvas of [this.base, this.overlay]) {
      canvas.width = Math.round(width * this.scale);
      canvas.height = Math.round(height * this.scale);
    }
    this.#image = new ImageData(this.base.width, this.base.height);
    this.#pixels = new Uint32Array(this.#image.data.buffer);
  }

  /**
   * Draw a scene's points; those that stand on cells of their own as images, once the images are there.
   *
   * @param {Scene} scene
   * @param {Uint32Array} colors as `tintedColors` gives them
   * @param {Sheet | null} sheet draws images
   */
  drawPoints({ points, extent, side }, colors, sheet) {
    const { view, scale, base } = this;
    const count = points.xs.length;
    if (this.places.xs.length !== count) this.places = { xs: new Float32Array(count), ys: new Float32Array(count) };
    view.extent = extent;
    view.project(points, scale, this.places);
    this.radius = pointRadius(count, view.zoom, scale);
    const pen = penOf(base);
    this.thumbnailSize = side && sheet ? side * view.unit * scale : 0;
    if (this.thumbnailSize && sheet) this.#drawImages(pen, sheet, colors);
    else {
      splat(this.#pixels, base.width, base.height, this.places, colors, this.radius);
      pen.putImageData(this.#image, 0, 0);
    }
  }

  /** @param {CanvasRenderingContext2D} pen @param {Sheet} sheet @param {Uint32Array} colors of which only alpha counts */
  #drawImages(pen, sheet, colors) {
    const { xs, ys } = this.places;
    const { width, height } = this.base;
    const half = this.thumbnailSize / 2;
    pen.clearRect(0, 0, width, height);
    for (let i = 0; i < xs.length; i++) {
      const [left, top] = [xs[i] - half, ys[i] - half];
      const alpha = colors[i] >>> 24;
      if (left > width || top > height || left < -2 * half || top < -2 * half || !alpha) continue;
      pen.globalAlpha = alpha / 255;
      sheet.draw(pen, i, left, top, this.thumbnailSize);
    }
    pen.globalAlpha = 1;
  }

  /** The size in which points are drawn, for a ring. */
  get size() {
    return { radius: this.radius, image: this.thumbnailSize };
  }

  /** An empty context for marks. */
  clearOverlay() {
    const pen = penOf(this.overlay);
    pen.clearRect(0, 0, this.overlay.width, this.overlay.height);
    return pen;
  }
}

/**
 * Colors of points of which some are hidden (0) and others dimmed.
 *
 * @param {Uint32Array} colors
 * @param {(index: number) => boolean} visible
 * @param {Set<number>} selected the points that are not dimmed; none are where it is empty
 */
export function tintedColors(colors, visible, selected) {
  return colors.map((color, i) => {
    if (!visible(i)) return 0;
    return selected.size && !selected.has(i) ? withAlpha(color, DIMMED) : color;
  });
}
