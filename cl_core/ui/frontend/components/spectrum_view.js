// A map that learns by a contrastive loss, from t-SNE's end to UMAP's by one slider.

import { mountComponent } from "../lib/component.js";
import { decode } from "../lib/decode.js";
import { fill, formatNumber, formatPercent } from "../lib/formats.js";
import { drawLatest } from "../lib/latest.js";
import { logNormalizer, measureLayout, NeighborEmbedding, scoreCorrection, sliderOf } from "../lib/neighbor_embedding.js";
import { readPoints } from "../lib/points.js";
import { Chips } from "../parts/chips.js";
import { EmbeddingCanvas } from "../parts/embedding_canvas.js";
import { namedFact } from "../parts/facts.js";
import { build, buildButton, buildInput, paragraphs, prefersStillness } from "../render/dom.js";
import { loadSheet } from "../render/sheet.js";

/** @import { EmbeddingLoss } from "../lib/neighbor_embedding.js" */
/** @import { Scope } from "../lib/scope.js" */
/** @import { Sheet } from "../render/sheet.js" */
/** @import { Context, SpectrumValue, Strings } from "../types.js" */

/** @type {EmbeddingLoss[]} */
const LOSSES = ["sampling", "nce", "info_nce"];
const ROUNDS = 300; // after a start or a change
const RATE = 1; // at first; it falls to 0
const RESUMED_RATE = 0.4; // after a change of the slider
const MEASURE_EVERY = 25; // rounds
const FRAME_MS = 20;
const MAX_A_FRAME = 4;
const START_SPREAD = 1; // of the first layout
const SEED = 1;

/** @param {Context<SpectrumValue, { strings: Strings }>} context */
export function mount(context) {
  return mountComponent(context, (root, scope) => {
    // A tab that is opened again resumes its map.
    const draw = drawLatest(
      scope,
      (/** @type {SpectrumValue} */ value) => value.edges,
      (part, value) => show(part, root, context.props.strings, value),
    );
    return (value) => (value.edges ? draw(value) : null);
  });
}

/** @param {Scope} scope @param {HTMLElement} root @param {Strings} strings @param {SpectrumValue} value */
async function show(scope, root, strings, value) {
  const sheet = await loadSheet(value.sprites);
  if (scope.ended) return;
  const view = new SpectrumView(scope, root, strings, value, sheet);
  root.replaceChildren(...view.nodes);
  view.restart();
  root.dataset.drawn = String(value.turn ?? 0);
}

class SpectrumView {
  /** @type {HTMLElement[]} */ nodes;
  /** @type {EmbeddingLoss} */ #loss = "sampling";
  #embedding;
  #canvas;
  #slider;
  #again;
  #play = buildButton("cl-own", "");
  #about = build("div", "cl-about");
  #facts = build("dl", "cl-facts");
  #round = 0; // since the last change
  #rate = RATE;
  #frame = 0;
  #before = 0; // time of the last frame, ms
  #measuredAt = 0; // round
  #measured = { kept: NaN, logSum: NaN };
  #root;
  #strings;
  #value;
  #neighbors;

  /** @param {Scope} scope @param {HTMLElement} root @param {Strings} strings @param {SpectrumValue} value @param {Sheet} sheet */
  constructor(scope, root, strings, value, sheet) {
    this.#root = root;
    this.#strings = strings;
    this.#value = value;
    this.#neighbors = decode(value.neighbors, Int16Array);
    this.#embedding = this.#start();
    this.#canvas = new EmbeddingCanvas(scope, sheet);
    this.#slider = buildInput({ type: "range", min: "0", max: "1", step: "0.01", value: "1" }, strings.slider);
    const losses = LOSSES.map((loss) => ({ value: loss, text: strings[`loss.${loss}`] }));
    const chips = new Chips(
      scope,
      strings.losses,
      losses,
      (loss) => {
        this.#loss = /** @type {EmbeddingLoss} */ (loss);
        if (loss === "sampling") this.#embedding.logZ = logNormalizer(this.#slider.valueAsNumber, value.count);
        this.#change();
      },
      { labelHidden: true },
    );
    this.#again = buildButton("cl-own", strings.again);
    const ends = build("label", "cl-ends");
    ends.append(build("span", "", strings.tsne), this.#slider, build("span", "", strings.umap));
    scope.listen(this.#slider, "input", () => {
      this.#embedding.logZ = logNormalizer(this.#slider.valueAsNumber, value.count);
      this.#change();
    });
    scope.listen(this.#play, "click", () => (this.#frame ? this.#pause() : this.#run()));
    scope.listen(this.#again, "click", () => this.restart());
    scope.onEnd(() => cancelAnimationFrame(this.#frame));
    const bar = build("div", "cl-bar");
    bar.append(chips.node, ends, this.#play, this.#again);
    const side = build("div", "cl-side");
    side.append(this.#about, this.#facts);
    const main = build("div", "cl-main");
    main.append(this.#canvas.node, side);
    this.nodes = [bar, main];
  }

  #start() {
    const points = readPoints(decode(this.#value.points, Int16Array), 0, this.#value.count);
    const spread = Math.sqrt(points.xs.reduce((sum, x) => sum + x * x, 0) / points.xs.length) || 1;
    for (const values of [points.xs, points.ys]) values.forEach((value, i) => (values[i] = (START_SPREAD * value) / spread));
    return new NeighborEmbedding(points, decode(this.#value.edges, Int16Array), SEED);
  }

  restart() {
    this.#embedding = this.#start();
    this.#embedding.logZ = logNormalizer(this.#slider.valueAsNumber, this.#value.count);
    [this.#round, this.#rate] = [0, RATE];
    this.#measure();
    if (prefersStillness()) this.#pause();
    else this.#run();
  }

  #change() {
    [this.#measuredAt, this.#round, this.#rate] = [0, 0, Math.max(RESUMED_RATE, this.#rate * (1 - this.#round / ROUNDS))];
    this.#run();
  }

  #pause() {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    if (this.#measuredAt !== this.#round) this.#measure(); // the numbers and the picture are of one round
    delete this.#root.dataset.moving;
    this.#play.textContent = this.#strings.play;
    const done = this.#round >= ROUNDS;
    if (done && document.activeElement === this.#play) this.#again.focus();
    this.#play.disabled = done;
  }

  #run() {
    cancelAnimationFrame(this.#frame);
    this.#play.textContent = this.#strings.pause;
    this.#play.disabled = false;
    this.#root.dataset.moving = "";
    this.#before = performance.now();
    this.#frame = requestAnimationFrame(() => this.#step());
  }

  #step() {
    if (!this.#canvas.node.clientWidth) {
      this.#pause(); // the tab was left
      return;
    }
    const now = performance.now();
    // A slow page draws fewer rounds: the map takes about as long.
    const rounds = Math.min(MAX_A_FRAME, Math.max(1, Math.round((now - this.#before) / FRAME_MS)), ROUNDS - this.#round);
    this.#before = now;
    for (let n = 0; n < rounds; n++) {
      this.#embedding.round(this.#loss, this.#rate * (1 - this.#round / ROUNDS));
      this.#round++;
    }
    if (!prefersStillness()) this.#canvas.show(this.#embedding.points); // else only when it is measured
    if (this.#loss === "nce") this.#slider.value = String(sliderOf(this.#embedding.logZ, this.#value.count));
    if (this.#round - this.#measuredAt >= MEASURE_EVERY) this.#measure();
    else this.#showFacts();
    if (this.#round >= ROUNDS) {
      this.#measure();
      this.#pause();
    } else this.#frame = requestAnimationFrame(() => this.#step());
  }

  #measure() {
    this.#measuredAt = this.#round;
    this.#measured = measureLayout(this.#embedding.points, this.#neighbors);
    this.#canvas.show(this.#embedding.points);
    this.#showFacts();
  }

  #showFacts() {
    const { logZ, loss } = this.#embedding;
    const correction = scoreCorrection(logZ, this.#value.count);
    const { kept, logSum } = this.#measured;
    const fixed = this.#loss !== "info_nce"; // has a normalizer
    this.#slider.disabled = this.#loss !== "sampling";
    /** @type {[string, string, number][]} */
    const facts = [["round", fill(this.#strings.of, { round: this.#round, count: ROUNDS }), this.#round]];
    if (fixed) facts.push(["log_z", logZ.toFixed(2), logZ], ["correction", formatNumber(Math.round(100 * correction) / 100), correction]);
    facts.push(["log_sum", logSum.toFixed(2), logSum]);
    if (!Number.isNaN(loss)) facts.push(["loss", loss.toFixed(3), loss]); // before the first round there is none
    facts.push(["kept", formatPercent(kept), kept]);
    // The rows stay while they are the same: a hint is open, or one has the focus.
    const rows = /** @type {HTMLElement[]} */ ([...this.#facts.children]);
    if (rows.map(({ dataset }) => dataset.fact).join() === facts.map(([key]) => key).join()) {
      facts.forEach(([, text, exact], i) => {
        const value = /** @type {HTMLElement} */ (rows[i].lastElementChild);
        [value.textContent, value.title] = [text, String(exact)];
      });
    } else {
      this.#facts.replaceChildren(...facts.map(([key, text, exact]) => namedFact(this.#strings, key, text, exact)));
    }
    const key = this.#loss === "sampling" ? (correction > -0.3 ? "sampling.umap" : "sampling.tsne") : this.#loss;
    if (this.#about.dataset.key !== key) this.#about.replaceChildren(...paragraphs(this.#strings[`about.${key}`]));
    this.#about.dataset.key = key;
    this.#canvas.describe(fill(this.#strings.label, { count: this.#value.count, round: this.#round, kept: formatPercent(kept) }));
  }
}
