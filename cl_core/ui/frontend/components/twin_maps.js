// Maps of the same images side by side: the image under the pointer is marked in all of them.

import { HIGHLIGHT, NEGATIVE, pointColors } from "../lib/colors.js";
import { mountComponent } from "../lib/component.js";
import { decode } from "../lib/decode.js";
import { fill } from "../lib/formats.js";
import { PointGrid } from "../lib/grid.js";
import { mapRows, mapSvg } from "../lib/map_export.js";
import { readPoints } from "../lib/points.js";
import { MapImages } from "../parts/map_images.js";
import { fillKey } from "../parts/map_legend.js";
import { saveButtons } from "../parts/save_buttons.js";
import { build, isShortcut, paperShape } from "../render/dom.js";
import { MapCanvas } from "../render/map_canvas.js";
import { drawRing, drawThumbnails } from "../render/map_overlay.js";

/** @import { Scope } from "../lib/scope.js" */
/** @import { Context, Numbered, Scene, Strings, TwinMapsValue } from "../types.js" */

/** @typedef {Context<TwinMapsValue, { strings: Strings }>} TwinContext */
/** @typedef {{ scene: Scene; grid: PointGrid; canvas: MapCanvas; frame: HTMLElement }} Plane */

const REACH = 16; // CSS pixels between the pointer and the point it finds
const IMAGE = 34; // side of a marked image, CSS pixels
const TILE = 40;
/** @type {Record<string, number>} */
const STEPS = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };

/** @param {TwinContext} context */
export function mount(context) {
  return mountComponent(context, (root, scope) => {
    const maps = new TwinMaps(root, scope, context);
    return (value) => maps.open(value);
  });
}

class TwinMaps {
  /** @type {(TwinMapsValue & Numbered) | null} */ #value = null;
  /** @type {Plane[]} */ #planes = [];
  #hover = -1;
  #chosen = -1;
  #grid = build("div", "cl-planes");
  #pointed = build("p", "cl-pointed");
  #legend = build("div", "cl-legend");
  #images;
  #planesPart;

  /** @param {HTMLElement} root @param {Scope} scope @param {TwinContext} context */
  constructor(root, scope, { props, trigger }) {
    this.root = root;
    this.props = props;
    this.strings = props.strings;
    this.trigger = trigger;
    this.#images = new MapImages(scope);
    this.#planesPart = scope.slot();
    this.#pointed.setAttribute("aria-live", "polite");
    root.replaceChildren(this.#grid, this.#pointed, this.#legend);
    scope.onResize(this.#grid, () => this.#draw());
  }

  /** @param {TwinMapsValue & Numbered} value */
  open(value) {
    const part = this.#planesPart();
    if (!value.maps.length) {
      this.#planes = [];
      this.#grid.replaceChildren();
      this.#legend.replaceChildren();
      this.#pointed.replaceChildren();
      return;
    }
    if (value.sprites.url !== this.#value?.sprites.url) this.#chosen = -1;
    this.#value = value;
    this.#hover = -1;
    this.#images.load(value.sprites, value.names, () => this.#drawMarks());
    this.#pointed.replaceChildren(this.strings.hint);
    this.#grid.style.setProperty("--cl-columns", String(value.maps.length));
    this.#grid.replaceChildren();
    this.#planes = value.maps.map((map) => this.#addPlane(part, value, map));
    this.#legend.replaceChildren(...value.groupNames.map((name, group) => fillKey(build("span", "cl-key"), name, group)));
    this.#draw();
    this.root.dataset.drawn = String(value.turn ?? 0);
  }

  /** @param {Scope} part @param {TwinMapsValue} value @param {TwinMapsValue["maps"][number]} map @returns {Plane} */
  #addPlane(part, value, map) {
    const points = readPoints(decode(map.points, Int16Array), 0, value.count);
    const { groupNames } = value;
    const plain = { about: "", regions: [], side: 0, source: null, moved: 0 };
    const scene = { points, layouts: [points], extent: { across: 1, down: 1 }, ...pointColors(value), groupNames, ...plain };
    const [canvas, frame, node] = [new MapCanvas(part, () => this.#draw()), build("div", "cl-frame"), build("section", "cl-plane")];
    const plane = { scene, canvas, frame, grid: new PointGrid(points.xs, points.ys) };
    frame.tabIndex = 0;
    frame.setAttribute("role", "application");
    frame.setAttribute("aria-label", fill(this.strings.map, { name: map.name }));
    frame.dataset.ground = value.sprites.ground;
    frame.append(canvas.base, canvas.overlay);
    part.listen(frame, "pointermove", (event) => this.#point(this.#nearest(plane, event)));
    part.listen(frame, "pointerleave", (event) => {
      if (event.pointerType !== "touch") this.#point(-1); // a tap leaves before it clicks
    });
    part.listen(frame, "click", (event) => {
      this.#point(this.#nearest(plane, event));
      this.#choose(this.#hover);
    });
    part.listen(frame, "keydown", (event) => {
      if (isShortcut(event)) return;
      const step = STEPS[event.key];
      const from = this.#hover < 0 && step < 0 ? 0 : this.#hover; // the last one is before the first
      if (step) this.#point((from + step + value.count) % value.count);
      else if (event.key === "Enter") this.#choose(this.#hover);
      else return;
      event.preventDefault();
    });
    const nameOf = (/** @type {number} */ i) => this.#images.names?.[i] ?? "";
    const save = saveButtons(part, this.props.save, {
      name: () => `map-${map.name}`,
      canvas: () => canvas.base,
      svg: () => {
        const page = { width: canvas.base.width, height: canvas.base.height, background: paperShape() };
        return mapSvg(canvas.places, scene.colors, page, () => true, nameOf);
      },
      csv: () => mapRows(scene, nameOf, new Set()).map((row) => row.slice(0, 5)), // no score, nothing selected
    });
    node.append(build("h2", "cl-title", map.name), frame, save);
    this.#grid.append(node);
    return plane;
  }

  /** @param {Plane} plane @param {MouseEvent} event */
  #nearest({ frame, canvas, grid }, event) {
    const box = frame.getBoundingClientRect();
    const place = canvas.view.toMap(event.clientX - box.left, event.clientY - box.top);
    return grid.nearest(place.x, place.y, REACH / canvas.view.unit);
  }

  /** @param {number} i the image under the pointer; -1 is none */
  #point(i) {
    if (i === this.#hover) return;
    this.#hover = i;
    const { sheet, names } = this.#images;
    const text = i < 0 ? this.strings.hint : fill(this.strings.at, { name: names?.[i] ?? i });
    this.#pointed.replaceChildren(...(i >= 0 && sheet ? [sheet.tileElement(i, TILE)] : []), build("span", "", text));
    this.#drawMarks();
  }

  /** @param {number} i */
  #choose(i) {
    if (i < 0) return;
    this.#chosen = i;
    this.#drawMarks();
    this.trigger("point_click", { id: i });
  }

  #draw() {
    for (const { canvas, frame, scene } of this.#planes) {
      canvas.measure(frame);
      if (canvas.view.width) canvas.drawPoints(scene, scene.colors, null);
    }
    this.#drawMarks();
  }

  #drawMarks() {
    const { sheet } = this.#images;
    for (const { canvas } of this.#planes) {
      if (!canvas.places.xs.length) continue;
      const { scale, places } = canvas;
      const pen = canvas.clearOverlay();
      const image = sheet ? IMAGE * scale : 0;
      for (const { i, color } of [{ i: this.#chosen, color: NEGATIVE }, { i: this.#hover, color: HIGHLIGHT }]) {
        if (i < 0) continue;
        if (sheet) drawThumbnails(pen, sheet, places, [i], image);
        drawRing(pen, places.xs[i], places.ys[i], { radius: canvas.radius, image }, { color, width: 3, scale });
      }
    }
  }
}
