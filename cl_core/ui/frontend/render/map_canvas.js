import { withAlpha } from "../lib/colors.js";
import { pointRadius } from "../lib/points.js";
import { Viewport } from "../lib/viewport.js";
import { penOf, pixelScale } from "./canvas.js";
import { PointCanvas } from "./point_canvas.js";

/** @import { Scope } from "../lib/scope.js" */
/** @import { Points, Scene } from "../types.js" */
/** @import { PainterKind } from "./point_canvas.js" */
/** @import { Sheet } from "./sheet.js" */

const DIMMED = 46; // alpha of points that are not selected

/**
 * The two canvases of a map, points below and marks above, and the part of the map that they show.
 */
export class MapCanvas {
  overlay = document.createElement("canvas");
  view = new Viewport();
  /** Where each point is drawn, device pixels. @type {Points} */
  places = { xs: new Float32Array(0), ys: new Float32Array(0) };
  scale = 1; // device pixels per CSS pixel
  radius = 1; // of a drawn point, device pixels
  thumbnailSize = 0; // of the drawn images, device pixels; 0 where points are drawn
  #points;

  /**
   * @param {Scope} scope
   * @param {() => void} onLost called when the points that were drawn are gone
   * @param {PainterKind} [kind]
   */
  constructor(scope, onLost, kind) {
    this.#points = new PointCanvas(onLost, kind);
    scope.onEnd(() => this.#points.end());
  }

  /** The canvas of the points. */
  get base() {
    return this.#points.node;
  }

  /**
   * Take over the size of the frame.
   *
   * @param {HTMLElement} frame
   */
  measure(frame) {
    let { clientWidth: width, clientHeight: height } = frame;
    if (!width || !height) return;
    this.scale = pixelScale();
    [this.view.width, this.view.height] = [width, height];
    [width, height] = [Math.round(width * this.scale), Math.round(height * this.scale)];
    this.#points.painter.resize(width, height);
    [this.overlay.width, this.overlay.height] = [width, height];
  }

  /**
   * Draw a scene's points; those that stand on cells of their own as images, once the images are there.
   *
   * @param {Scene} scene
   * @param {Uint32Array} colors as `tintedColors` gives them
   * @param {Sheet | null} sheet draws images
   */
  drawPoints({ points, extent, side }, colors, sheet) {
    const { view, scale } = this;
    const count = points.xs.length;
    if (this.places.xs.length !== count) this.places = { xs: new Float32Array(count), ys: new Float32Array(count) };
    view.extent = extent;
    view.project(points, scale, this.places);
    this.radius = pointRadius(count, view.zoom, scale);
    this.thumbnailSize = side && sheet ? side * view.unit * scale : 0;
    if (this.thumbnailSize && sheet) this.#points.painter.drawImages(this.places, colors, sheet, this.thumbnailSize);
    else this.#points.painter.drawDiscs(this.places, colors, this.radius);
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
