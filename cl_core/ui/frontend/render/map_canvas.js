import { withAlpha } from "../lib/colors.js";
import { pointRadius, spacedPoints, thumbnailSize } from "../lib/points.js";
import { Viewport } from "../lib/viewport.js";
import { penOf, pixelScale } from "./canvas.js";
import { drawThumbnails } from "./map_overlay.js";
import { splat } from "./splat.js";

/** @import { Points, Scene } from "../types.js" */
/** @import { Sheet } from "./sheet.js" */

const MAX_THUMBNAILS = 1500;
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
  thumbnailSize = 0; // of the drawn images, device pixels
  /** The points that are drawn as images. @type {Set<number>} */
  thumbnails = new Set();
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
   * Draw a scene's points, and some of them as images.
   *
   * @param {Scene} scene
   * @param {Uint32Array} colors as `tintedColors` gives them
   * @param {Sheet | null} sheet draws images
   * @param {(index: number) => boolean} accept which points are not hidden
   */
  drawPoints({ points, extent }, colors, sheet, accept) {
    const { view, scale, base } = this;
    const count = points.xs.length;
    if (this.places.xs.length !== count) this.places = { xs: new Float32Array(count), ys: new Float32Array(count) };
    view.extent = extent;
    view.project(points, scale, this.places);
    this.radius = pointRadius(count, view.zoom, scale);
    const pen = penOf(base);
    splat(this.#pixels, base.width, base.height, this.places, colors, this.radius);
    pen.putImageData(this.#image, 0, 0);
    this.thumbnails.clear();
    if (!sheet) return;
    this.thumbnailSize = thumbnailSize(view.zoom, scale);
    const chosen = spacedPoints(this.places, base.width, base.height, this.thumbnailSize, MAX_THUMBNAILS, accept);
    drawThumbnails(pen, sheet, this.places, chosen, this.thumbnailSize);
    for (const i of chosen) this.thumbnails.add(i);
  }

  /** The size in which a point is drawn, for its ring. @param {number} index */
  sizeOf(index) {
    return { radius: this.radius, image: this.thumbnails.has(index) ? this.thumbnailSize : 0 };
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
