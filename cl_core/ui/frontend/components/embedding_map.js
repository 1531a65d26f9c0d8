// Images where an embedding puts them: zoom, pan, lasso, lines to true neighbors, and the snapshots of the run.

import { mountComponent } from "../lib/component.js";
import { fill, formatPercent } from "../lib/formats.js";
import { readLink, writeLink } from "../lib/page.js";
import { finishedScene, moveScene, snappedScene, snapshotScene } from "../lib/scenes.js";
import { handleGestures } from "../parts/map_gestures.js";
import { MapHover } from "../parts/map_hover.js";
import { MapImages } from "../parts/map_images.js";
import { MapLegend } from "../parts/map_legend.js";
import { MapPlane } from "../parts/map_plane.js";
import { savedMap } from "../parts/map_save.js";
import { MapSelection } from "../parts/map_selection.js";
import { MapToolbar } from "../parts/map_toolbar.js";
import { Player } from "../parts/player.js";
import { saveButtons } from "../parts/save_buttons.js";
import { SnapshotPanel } from "../parts/snapshot_panel.js";
import { build, buildButton, buildInput, prefersStillness } from "../render/dom.js";

/** @import { Scope } from "../lib/scope.js" */
/** @import { Context, MapValue, NeighborLines, Numbered, Scene, Strings } from "../types.js" */

/** @typedef {Context<MapValue, { strings: Strings; lines: NeighborLines | null; laying: number }>} MapContext */

/** @param {MapContext} context */
export function mount(context) {
  return mountComponent(context, (root, scope) => {
    const map = new EmbeddingMap(root, scope, context);
    context.watch("lines", () => map.showLines(context.props.lines));
    context.watch("laying", () => map.showLaying(context.props.laying));
    return (value) => map.open(value);
  });
}

// Gradio loses the answer to a call made while it still closes the stream of a large answer, such as the map.
const ASK_AFTER_MS = 250;

const MAX_IMAGES = 10_000;
const NARROW = "(max-width: 720px)"; // where a sheet names the chosen image, and a card would cover the map

/** @param {MapValue} value */
function defaultLook(value) {
  return value.count > MAX_IMAGES ? "points" : "images";
}

class EmbeddingMap {
  /** @type {(MapValue & Numbered) | null} */ #value = null;
  #mode = "finished";
  #look = "images";
  /** @type {Scene | null} */ #scene = null; // the points, before they move to cells of their own
  #hover;
  #stage = build("div", "cl-stagebox");
  #trails = buildInput({ type: "checkbox" });
  #layOut;
  #strings;
  #note = build("p", "cl-help"); // how well the map keeps neighbors; over time, what is drawn

  /** @param {HTMLElement} root @param {Scope} scope @param {MapContext} context */
  constructor(root, scope, { props, trigger }) {
    const { strings } = props;
    this.root = root;
    this.scope = scope;
    this.strings = strings;
    this.trigger = trigger;
    this.plane = new MapPlane(scope, () => this.#onDraw());
    this.images = new MapImages(scope); // of the finished run's points
    this.snapshotImages = new MapImages(scope);
    this.toolbar = new MapToolbar(scope, strings, {
      onMode: (mode) => this.#setMode(mode, true),
      onLook: (look) => this.#setLook(look, true),
      onTool: () => this.plane.node.classList.toggle("cl-lassoing", this.toolbar.lassoing),
      onNames: (shown) => {
        this.plane.namesShown = shown;
        this.plane.drawMarks();
      },
      onZoom: (factor) => this.#zoom(factor),
      onReset: () => this.#resetView(),
    });
    this.player = new Player(scope, strings, (position, epoch) => this.#moveTime(position, epoch));
    this.panel = new SnapshotPanel(strings);
    this.legend = new MapLegend(scope, strings.toggle, this.plane.hidden, () => {
      writeLink("off", [...this.plane.hidden].join("."), "");
      this.plane.repaint();
    });
    this.askForLines = scope.later(ASK_AFTER_MS, () => {
      const { chosen } = this.plane.marks;
      if (chosen >= 0 && !this.#overTime) this.trigger("point_click", { id: chosen });
    });
    this.selection = new MapSelection(scope, strings, trigger, () => {
      this.#select(new Set());
      this.plane.node.focus({ preventScroll: true });
    });
    const trailsLabel = build("label", "cl-trails");
    trailsLabel.append(this.#trails, strings.trails);
    this.player.node.append(trailsLabel);
    this.player.node.hidden = true;
    scope.listen(this.#trails, "change", () => {
      writeLink("trails", this.#trails.checked, false);
      this.#showTrails();
      this.plane.drawSoon();
    });
    const naming = { map: () => this.#value?.label ?? "", point: (/** @type {number} */ i) => this.#nameOf(i), at: strings.at };
    this.#hover = new MapHover(this.plane, naming);
    handleGestures(scope, this.plane.node, this.#gestures());
    this.#stage.append(this.plane.node, this.panel.node);
    this.#strings = strings;
    this.#layOut = buildButton("cl-act", strings.lay_out);
    scope.listen(this.#layOut, "click", () => {
      this.player.focus(); // the button is disabled meanwhile
      trigger("lay_out", {});
    });
    this.player.node.append(this.#layOut);
    const presentSoon = scope.frame(() => this.#present(false));
    scope.onResize(this.plane.node, () => {
      if (this.#look === "images") presentSoon();
    });
    const help = build("p", "cl-help", strings.help);
    const saved = savedMap(this.plane, { map: () => this.#value?.name ?? "map", point: naming.point });
    const save = saveButtons(scope, props.save, saved);
    const rows = [this.toolbar.node, this.player.node, this.#stage, this.legend.node, this.#note, this.selection.node, help, save];
    root.replaceChildren(...rows);
  }

  get #overTime() {
    return this.#mode === "time";
  }

  /** @param {number} i */
  #nameOf(i) {
    return (this.#overTime ? this.snapshotImages : this.images).names?.[i] ?? "";
  }

  // --- what is on the map ------------------------------------------------------------------------------------------------

  /** @param {MapValue & Numbered} value */
  open(value) {
    const before = this.#value;
    const sameImages = before?.sprites.url === value.sprites.url;
    const { marks, hidden, selected } = this.plane;
    this.#value = value;
    this.#hover.refresh();
    this.toolbar.enableTime(value.snapshots !== null);
    const onNames = () => this.#hover.refresh();
    const onSheet = () => {
      this.root.dataset.images = String(value.turn ?? 0);
      this.#showImages();
    };
    this.images.load(value.sprites, value.names, onSheet, onNames);
    const { snapshots } = value;
    if (snapshots) this.snapshotImages.load(snapshots.sprites, snapshots.names, () => this.#showImages(), onNames);
    const inTime = this.#overTime; // its positions are those of other images
    Object.assign(marks, { batch: inTime && value.snapshots ? [] : value.batch, lines: null });
    const recolored = sameImages && before?.coloring !== value.coloring;
    if (recolored || !sameImages) {
      if (before) writeLink("off", null); // other groups
      hidden.clear();
    }
    if (!sameImages && marks.chosen >= 0) this.trigger("point_clear", {});
    if (!sameImages || inTime) {
      marks.chosen = -1;
      selected.clear();
      this.#hover.show(-1);
    }
    this.plane.measure();
    if (!before) this.#restore(value);
    else if (this.#overTime && value.snapshots) this.#showSnapshots(this.player.position);
    else {
      const { chosen } = marks;
      if (this.#overTime) this.#setMode("finished");
      else this.#showFinished(sameImages);
      this.#mark(chosen < value.count ? chosen : -1);
      this.askForLines();
    }
    if (recolored && this.#look === "images") this.#setLook("points", true); // images have colors of their own
    this.#showImages();
    this.plane.draw();
    this.root.dataset.drawn = String(value.turn ?? 0);
  }

  /** The state that the page's address holds. @param {MapValue} value */
  #restore(value) {
    this.plane.view.fromText(readLink("view") ?? "");
    const off = (readLink("off") ?? "").split(".").filter((group) => /^\d+$/.test(group));
    for (const group of off) this.plane.hidden.add(Number(group));
    this.#trails.checked = readLink("trails") === "true";
    this.#setLook(readLink("points") ?? defaultLook(value));
    this.#setMode(readLink("snapshot") === null ? "finished" : "time");
    const point = readLink("point");
    if (point !== null && !this.#overTime && Number.isInteger(Number(point)) && Number(point) < value.count) {
      this.#mark(Number(point));
      this.askForLines();
    }
  }

  /** @param {boolean} gliding whether points glide from where they are */
  #showFinished(gliding) {
    if (!this.#value) return;
    this.#scene = finishedScene(this.#value);
    this.#present(gliding);
  }

  /** @param {number} position between snapshots */
  #showSnapshots(position) {
    const snapshots = this.#value?.snapshots;
    if (!snapshots) return;
    this.#scene = snapshotScene(snapshots);
    this.panel.load(snapshots);
    this.player.load(snapshots.epochs);
    this.#layOut.hidden = !snapshots.canLayOut;
    this.player.go(position);
    this.#present(false);
  }

  /** @param {number} done fraction; below 0 nothing is under way */
  showLaying(done) {
    const { lay_out: start, laying_out: under } = this.#strings;
    this.#layOut.disabled = done >= 0;
    this.#layOut.textContent = done < 0 ? start : fill(under, { percent: formatPercent(done) });
  }

  /** Draw the scene's points, or images on cells of their own. @param {boolean} gliding */
  #present(gliding) {
    const { view } = this.plane;
    if (!this.#scene || !view.width) return;
    const before = this.plane.scene;
    const asImages = this.#look === "images";
    const scene = asImages ? snappedScene(this.#scene, view.width, view.height) : this.#scene;
    this.plane.setScene(scene, gliding && before?.side === 0 === !asImages);
    this.legend.show(scene);
    if (this.#overTime) this.#moveTime(this.player.position, null);
    this.#showNote();
    this.plane.drawSoon();
  }

  #showNote() {
    const { scene } = this.plane;
    const note = (this.#overTime ? this.#value?.snapshots?.note : this.#value?.note) ?? "";
    const moved = scene?.side ? fill(this.strings.moved, { cells: scene.moved.toFixed(1) }) : "";
    this.#note.textContent = [note, moved].filter(Boolean).join(" ");
  }

  /** @param {number} position between snapshots @param {number | null} epoch null where it did not change */
  #moveTime(position, epoch) {
    const { scene } = this.plane;
    if (epoch !== null) {
      writeLink("snapshot", Number(position.toFixed(2)));
      this.panel.show(position, epoch);
    }
    if (!scene || scene.layouts.length < 2) return;
    moveScene(scene, position);
    if (scene.source) moveScene(scene.source, position); // which is what is saved as numbers
    const atEnd = position > scene.layouts.length - 1.02;
    scene.regions = atEnd ? (this.#value?.snapshots?.regions ?? []) : [];
    this.#showTrails();
    this.plane.moved();
  }

  /** @param {string} mode "finished" or "time" @param {boolean} [byHand] whether the reader chose it */
  #setMode(mode, byHand = false) {
    const snapshots = this.#value?.snapshots ?? null;
    this.#mode = mode === "time" && snapshots ? "time" : "finished";
    this.toolbar.chooseMode(this.#mode);
    const groups = (this.#overTime ? snapshots : this.#value)?.groupNames.join();
    if (this.plane.scene && groups !== this.plane.scene.groupNames.join()) {
      this.plane.hidden.clear(); // other groups
      writeLink("off", null);
    }
    this.player.node.hidden = this.panel.node.hidden = !this.#overTime;
    this.#stage.classList.toggle("cl-with-side", this.#overTime);
    // Projection, space and color are of the finished map.
    this.root.closest(".panel-row")?.querySelector(".beside")?.toggleAttribute("inert", this.#overTime);
    const batch = this.#overTime ? [] : (this.#value?.batch ?? []);
    if (this.plane.marks.chosen >= 0) this.trigger("point_clear", {});
    if (byHand) writeLink("point", null);
    this.#hover.show(-1);
    Object.assign(this.plane.marks, { batch, lines: null, chosen: -1 });
    this.plane.selected.clear();
    if (this.#overTime && snapshots) {
      const linked = readLink("snapshot");
      if (byHand && !prefersStillness()) {
        this.#showSnapshots(0);
        this.player.start();
      } else this.#showSnapshots(byHand || linked === null ? snapshots.epochs.length - 1 : Number(linked));
    } else {
      this.player.pause();
      writeLink("snapshot", null);
      this.#showFinished(false);
    }
    this.#showTrails();
    this.#showImages();
    this.#showSelection();
    this.plane.measure();
  }

  /** @param {string} look "points" or "images" @param {boolean} [byHand] */
  #setLook(look, byHand = false) {
    this.#look = look;
    this.toolbar.chooseLook(look);
    if (byHand && this.#value) writeLink("points", look, defaultLook(this.#value));
    this.#showImages();
    if (byHand) this.#present(false);
  }

  #showImages() {
    const { sheet } = this.#overTime ? this.snapshotImages : this.images;
    this.plane.images = sheet;
    this.plane.marks.sheet = sheet;
    this.plane.node.dataset.ground = sheet?.ground ?? "";
    this.plane.drawSoon();
  }

  #showTrails() {
    this.plane.trails = this.#overTime && this.#trails.checked ? this.player.position : null;
  }

  #onDraw() {
    const { view } = this.plane;
    this.#hover.place();
    writeLink("view", view.toText());
    this.root.dataset.view = `${view.zoom.toFixed(3)} ${view.x.toFixed(1)} ${view.y.toFixed(1)}`;
  }

  // --- pointer and keys --------------------------------------------------------------------------------------------------

  /** @returns {import("../parts/map_gestures.js").MapHandlers} */
  #gestures() {
    const { plane } = this;
    return {
      hover: (x, y) => this.#hover.show(plane.nearest(x, y)),
      leave: () => this.#hover.show(-1),
      click: (x, y) => {
        const i = plane.nearest(x, y);
        if (this.#overTime || !matchMedia(NARROW).matches) this.#hover.show(i); // a finger does not hover before
        this.#choose(i);
      },
      pan: (dx, dy) => {
        plane.view.pan(dx, dy);
        plane.drawSoon();
      },
      zoom: (factor, x, y) => this.#zoom(factor, x, y),
      lassoing: () => this.toolbar.lassoing,
      lasso: (path) => {
        plane.marks.lasso = path;
        plane.drawSoon();
      },
      select: (path) => this.#select(plane.inside(path)),
      step: (direction) => this.#hover.step(direction),
      key: (key) => this.#handleKey(key),
    };
  }

  /** @param {"Enter" | "Space" | "Escape" | "0"} key @returns {boolean} whether the key does something here */
  #handleKey(key) {
    const { hover } = this.plane.marks;
    if (key === "Enter") this.#choose(hover);
    else if (key === "0") this.#resetView();
    else if (key === "Escape") {
      this.#select(new Set());
      this.#choose(-1);
    } else if (hover >= 0) this.#select(new Set([...this.plane.selected, hover]));
    else return false;
    return true;
  }

  /** @param {number} factor @param {number} [x] CSS pixels; the middle by default @param {number} [y] */
  #zoom(factor, x = this.plane.view.width / 2, y = this.plane.view.height / 2) {
    this.plane.view.zoomAt(factor, x, y);
    this.plane.drawSoon();
  }

  #resetView() {
    this.plane.view.reset();
    this.plane.drawSoon();
  }

  /** @param {Set<number>} points */
  #select(points) {
    this.plane.selected = points;
    this.#showSelection();
    this.plane.repaint();
  }

  /** @param {number} i whose neighbors are shown; -1 is none */
  #choose(i) {
    const { chosen } = this.plane.marks;
    this.#mark(i);
    if (this.#overTime) return;
    if (i >= 0) this.trigger("point_click", { id: i });
    else if (chosen >= 0) this.trigger("point_clear", {}); // the neighbors below were its own
  }

  /** @param {number} i the point to which lines will lead; -1 is none */
  #mark(i) {
    Object.assign(this.plane.marks, { chosen: i, lines: null });
    this.#showSelection();
    this.plane.drawSoon();
    if (!this.#overTime) writeLink("point", i < 0 ? null : i);
  }

  /** @param {NeighborLines | null} lines as the server sends them */
  showLines(lines) {
    if (this.scope.ended || !lines || lines.from !== this.plane.marks.chosen) return;
    this.plane.marks.lines = lines;
    this.#showSelection();
    this.plane.drawSoon();
  }

  #showSelection() {
    const { marks, selected } = this.plane;
    if (this.#overTime) this.selection.clear();
    else this.selection.show(selected, marks.chosen, marks.lines);
  }
}
