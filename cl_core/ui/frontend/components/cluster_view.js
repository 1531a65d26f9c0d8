// k-means and EM step by step: points take the color of their cluster, centers move.

import { centerPlaces, centersFrom, mixedColors, OBJECTIVE, objectiveShapes } from "../lib/clusters.js";
import { mountComponent } from "../lib/component.js";
import { decode } from "../lib/decode.js";
import { fill, formatNumber } from "../lib/formats.js";
import { drawLatest } from "../lib/latest.js";
import { fetchJson } from "../lib/page.js";
import { interpolate, readPoints, smoothstep } from "../lib/points.js";
import { ClusterCanvas } from "../parts/cluster_canvas.js";
import { namedFact } from "../parts/facts.js";
import { build, buildButton, buildInput, buildSvg, paragraphs, prefersStillness } from "../render/dom.js";
import { loadSheet } from "../render/sheet.js";

/** @import { Scope } from "../lib/scope.js" */
/** @import { Sheet } from "../render/sheet.js" */
/** @import { ClusterValue, Context, Points, Strings } from "../types.js" */

const MOVE_MS = 700;
const PAUSE_MS = 350;

/** @param {Context<ClusterValue, { strings: Strings }>} context */
export function mount(context) {
  return mountComponent(context, (root, scope) => {
    const draw = drawLatest(
      scope,
      (/** @type {ClusterValue} */ value) => JSON.stringify({ ...value, turn: 0 }),
      (part, value) => show(part, root, context.props.strings, value),
    );
    return (value) => {
      const drawing = value.steps ? draw(value) : null;
      if (value.steps && !drawing) root.dataset.drawn = String(value.turn ?? 0);
      return drawing;
    };
  });
}

/** @param {Scope} scope @param {HTMLElement} root @param {Strings} strings @param {ClusterValue} value */
async function show(scope, root, strings, value) {
  const sheet = await loadSheet(value.sprites);
  if (scope.ended) return;
  const view = new ClusterView(scope, strings, value, sheet);
  root.replaceChildren(view.node);
  view.go(0, false);
  root.dataset.drawn = String(value.turn ?? 0);
  const names = await fetchJson(value.names, scope.signal).catch(() => null); // without them the pointer shows none
  if (names && !scope.ended) view.names = names;
}

class ClusterView {
  node = build("div", "cl-clusters");
  /** @type {string[]} */ names = [];
  #at = 0;
  #points;
  #steps;
  #canvas;
  #caption = build("p", "cl-caption");
  #about = build("div", "cl-about");
  #facts = build("dl", "cl-facts");
  #chart = build("div", "cl-objective");
  #slider = buildInput({ type: "range", min: "0", step: "1", value: "0" });
  #next = buildButton("cl-next", "");
  #back;
  #play;
  #frame = 0;
  #later;
  #playing = false;
  #strings;
  #value;

  /** @param {Scope} scope @param {Strings} strings @param {ClusterValue} value @param {Sheet} sheet */
  constructor(scope, strings, value, sheet) {
    this.#strings = strings;
    this.#value = value;
    this.#points = readPoints(decode(value.points, Int16Array), 0, value.count);
    this.#steps = value.steps.map((step) => {
      const [weights, images] = [decode(step.responsibilities, Uint8Array), decode(step.nearest, Int16Array)];
      return { ...step, weights, images, places: centerPlaces(this.#points, weights, value.clusters) };
    });
    // Before they are moved, the centers are at images.
    const { images: first } = this.#steps[0];
    const at = (/** @type {Float32Array} */ values) => Float32Array.from(first, (image) => values[image]);
    this.#steps[0].places = { xs: at(this.#points.xs), ys: at(this.#points.ys) };
    this.#canvas = new ClusterCanvas(scope, this.#points, sheet, (i) => this.#point(i));
    this.#slider.max = String(value.steps.length - 1);
    this.#slider.setAttribute("aria-label", strings.step);
    this.#back = buildButton("cl-own", strings.back);
    this.#play = buildButton("cl-own", strings.play);
    const bar = build("div", "cl-bar");
    bar.append(this.#next, this.#back, this.#play, this.#slider);
    const side = build("div", "cl-side");
    side.append(this.#about, this.#facts, build("h2", "cl-title", strings[`objective.${value.kind}`]), this.#chart);
    const figure = build("div");
    figure.append(this.#canvas.node, this.#caption);
    const main = build("div", "cl-main");
    main.append(figure, side);
    this.node.append(bar, main);
    this.#caption.textContent = strings.hover;
    this.#later = scope.later(MOVE_MS + PAUSE_MS, () => this.#playOn());
    scope.onEnd(() => cancelAnimationFrame(this.#frame));
    scope.listen(this.#next, "click", () => this.#stop(() => this.go(this.#at + 1, true)));
    scope.listen(this.#back, "click", () => this.#stop(() => this.go(this.#at - 1, false)));
    scope.listen(this.#slider, "input", () => this.#stop(() => this.go(this.#slider.valueAsNumber, false)));
    scope.listen(this.#play, "click", () => {
      if (this.#playing) this.#stop(() => {});
      else {
        this.#playing = true;
        this.#play.textContent = strings.pause;
        if (this.#at >= this.#steps.length - 1) this.go(0, false);
        this.#playOn();
      }
    });
  }

  /** @param {() => void} then */
  #stop(then) {
    this.#playing = false;
    this.#play.textContent = this.#strings.play;
    then();
  }

  #playOn() {
    if (!this.#playing) return;
    const left = !this.node.clientWidth; // the tab
    if (left || this.#at >= this.#steps.length - 1) this.#stop(() => {});
    else {
      this.go(this.#at + 1, true);
      this.#later();
    }
  }

  /** @param {number} i */
  #point(i) {
    this.#caption.textContent = i < 0 ? this.#strings.hover : (this.names[i] ?? "");
  }

  /** @param {number} at is clipped @param {boolean} moving whether centers glide */
  go(at, moving) {
    const { steps, kind, clusters, agreement, cut } = this.#value;
    const before = this.#at;
    this.#at = Math.min(steps.length - 1, Math.max(0, at));
    const step = this.#steps[this.#at];
    this.#slider.value = String(this.#at);
    this.#slider.setAttribute("aria-valuetext", fill(this.#strings.position, { number: this.#at + 1, count: steps.length }));
    const last = this.#at === steps.length - 1;
    const following = steps[Math.min(steps.length - 1, this.#at + 1)].kind;
    this.#next.textContent = last ? this.#strings[cut ? "cut" : "done"] : this.#strings[`next.${following}`];
    if (last && document.activeElement === this.#next) this.#back.focus();
    this.#next.disabled = last;
    this.#about.replaceChildren(...paragraphs(this.#strings[`about.${kind}.${step.kind}`]));
    const facts = [
      { key: "step", text: fill(this.#strings.position, { number: this.#at + 1, count: steps.length }), exact: this.#at + 1 },
      { key: `objective.${kind}`, text: formatNumber(step.objective), exact: step.objective },
    ];
    if (last && agreement !== null) facts.push({ key: "agreement", text: agreement.toFixed(3), exact: agreement });
    this.#facts.replaceChildren(
      ...facts.map(({ key, text, exact }) => namedFact(this.#strings, key, text, exact)),
    );
    const shapes = objectiveShapes(steps, this.#at, this.#strings.axis);
    this.#chart.replaceChildren(buildSvg(OBJECTIVE.width, OBJECTIVE.height, shapes, this.#strings[`objective.${kind}`]));
    const label = fill(this.#strings.label, { number: this.#at + 1, count: steps.length, clusters });
    const [from, to] = [this.#centers(before), this.#centers(this.#at)];
    const colors = mixedColors(step.weights, clusters);
    const draw = (/** @type {Points} */ centers) =>
      this.#canvas.show({ colors, centers, nearest: step.images }, label);
    cancelAnimationFrame(this.#frame);
    if (!moving || from === to || prefersStillness()) return draw(to);
    const begun = performance.now();
    const frame = () => {
      const done = Math.min(1, (performance.now() - begun) / MOVE_MS);
      const moved = { xs: to.xs.slice(), ys: to.ys.slice() };
      interpolate(from, to, smoothstep(done), moved);
      draw(moved);
      if (done < 1) this.#frame = requestAnimationFrame(frame);
    };
    return frame();
  }

  /** @param {number} at */
  #centers(at) {
    return this.#steps[centersFrom(this.#value.steps, at)].places;
  }
}
