import { insidePolygon, nextInDirection } from "../lib/geometry.js";
import { PointGrid } from "../lib/grid.js";
import { interpolate, smoothstep } from "../lib/points.js";
import { build, prefersStillness } from "../render/dom.js";
import { MapCanvas, tintedColors } from "../render/map_canvas.js";
import { drawRegionNames } from "../render/map_labels.js";
import { drawMarks, drawTrails } from "../render/map_overlay.js";

/** @import { Scope } from "../lib/scope.js" */
/** @import { Sheet } from "../render/sheet.js" */
/** @import { Points, Scene } from "../types.js" */

const REACH = 14; // CSS pixels between the pointer and the point it finds
const GLIDE_MS = 500;
const MAX_NAMES = 18; // at zoom 1

/**
 * The plane of a map: draws a scene with its marks, and finds points by place. Who changes `marks`, `selected` or `hidden`
 * calls `drawSoon`, `repaint` or `drawMarks`.
 */
export class MapPlane {
  node = build("div", "cl-map");
  /** @type {Scene | null} */ scene = null;
  /** @type {Sheet | null} */ images = null; // draws points that stand on cells of their own as images
  namesShown = true; // of regions
  /** @type {number | null} */ trails = null; // the position up to which the points' ways are drawn
  /** @type {Set<number>} */ hidden = new Set(); // groups
  /** @type {Set<number>} */ selected = new Set(); // points; the others are dimmed
  /** @type {import("../render/map_overlay.js").Marks} */
  marks = { batch: [], lines: null, chosen: -1, hover: -1, lasso: null, sheet: null };
  /** @type {{ from: Points; to: Points; start: number } | null} */ #glide = null;
  /** @type {PointGrid | null} */ #grid = null; // of the points as they lie now
  /** @type {Uint32Array | null} */ #colors = null; // with what is hidden or dimmed
  #onDraw;

  /**
   * @param {Scope} scope
   * @param {() => void} onDraw called after each drawing
   * @param {import("../render/point_canvas.js").PainterKind} [kind]
   */
  constructor(scope, onDraw, kind) {
    this.#onDraw = onDraw;
    this.drawSoon = scope.frame(() => this.draw());
    scope.onThemeChange(this.drawSoon);
    this.canvas = new MapCanvas(scope, this.drawSoon, kind);
    this.node.tabIndex = 0;
    this.node.setAttribute("role", "application");
    this.node.append(this.canvas.base, this.canvas.overlay);
    scope.onResize(this.node, () => {
      this.measure();
      this.drawSoon();
    });
  }

  get view() {
    return this.canvas.view;
  }

  measure() {
    this.canvas.measure(this.node);
  }

  /** Whether the group of a point is not hidden. @param {number} i */
  visible = (i) => {
    const groups = this.scene?.groups;
    return !(groups && this.hidden.has(groups[i]));
  };

  /**
   * @param {Scene} scene
   * @param {boolean} gliding whether its points glide from where the present ones are
   */
  setScene(scene, gliding) {
    const from = this.scene?.points;
    this.scene = scene;
    [this.#grid, this.#colors, this.#glide] = [null, null, null];
    if (!gliding || from?.xs.length !== scene.points.xs.length || prefersStillness()) return;
    this.#glide = { from, to: scene.layouts[0], start: performance.now() };
    scene.points = { xs: from.xs.slice(), ys: from.ys.slice() };
  }

  /** The scene's points have moved. */
  moved() {
    this.#grid = null;
    this.drawSoon();
  }

  /** Draw with other colors. */
  repaint() {
    this.#colors = null;
    this.drawSoon();
  }

  draw() {
    const { scene, canvas } = this;
    if (!scene || !this.view.width || !scene.points.xs.length) return;
    this.#stepGlide(scene);
    this.#colors ??= tintedColors(scene.colors, this.visible, this.selected);
    canvas.drawPoints(scene, this.#colors, this.images);
    this.drawMarks();
    this.#onDraw();
  }

  /** @param {Scene} scene */
  #stepGlide(scene) {
    if (!this.#glide) return;
    const { from, to, start } = this.#glide;
    const fraction = Math.min(1, (performance.now() - start) / GLIDE_MS);
    interpolate(from, to, smoothstep(fraction), scene.points);
    this.#grid = null;
    if (fraction < 1) this.drawSoon();
    else this.#glide = null;
  }

  drawMarks() {
    const { scene, canvas, trails } = this;
    if (!scene) return;
    const pen = canvas.clearOverlay();
    if (trails !== null && scene.groups) {
      const { groups } = scene;
      const past = scene.layouts.slice(0, Math.floor(trails) + 1).map((layout) => {
        const target = { xs: new Float32Array(groups.length), ys: new Float32Array(groups.length) };
        this.view.project(layout, canvas.scale, target);
        return target;
      });
      drawTrails(pen, [...past, canvas.places], groups, canvas.scale, this.visible);
    }
    if (this.namesShown && scene.regions.length) {
      const most = Math.round(MAX_NAMES * Math.max(1, Math.sqrt(this.view.zoom)));
      drawRegionNames(pen, this.node, canvas.places, scene.regions, canvas.scale, most);
    }
    drawMarks(pen, canvas, this.marks);
  }

  /** Where a point is drawn, CSS pixels. @param {number} i */
  placeOf(i) {
    const { places, scale } = this.canvas;
    return { x: places.xs[i] / scale, y: places.ys[i] / scale };
  }

  /** The visible point nearest to a place of the frame, or -1. @param {number} x @param {number} y @param {number} [reach] */
  nearest(x, y, reach = REACH) {
    if (!this.scene) return -1;
    const { points } = this.scene;
    this.#grid ??= new PointGrid(points.xs, points.ys);
    const place = this.view.toMap(x, y);
    return this.#grid.nearest(place.x, place.y, reach / this.view.unit, this.hidden.size ? this.visible : null);
  }

  /** The next visible point from the one under the pointer, or the one in the middle. @param {[number, number]} direction */
  neighborTowards(direction) {
    const { hover } = this.marks;
    if (hover < 0) return this.nearest(this.view.width / 2, this.view.height / 2, Infinity);
    return nextInDirection(this.canvas.places, hover, direction, 1, this.visible);
  }

  /** The visible points within a lasso. @param {number[][]} path CSS pixels @returns {Set<number>} */
  inside(path) {
    const { xs, ys } = this.canvas.places;
    const { scale } = this.canvas;
    const found = new Set();
    for (let i = 0; i < xs.length; i++) {
      if (this.visible(i) && insidePolygon(path, xs[i] / scale, ys[i] / scale)) found.add(i);
    }
    return found;
  }
}
