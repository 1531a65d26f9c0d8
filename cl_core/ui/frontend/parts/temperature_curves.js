import { TEMPERATURE_CURVE, temperatureAt, temperatureCurveShapes, temperatureX } from "../lib/charts.js";
import { formatNumber, formatPercent } from "../lib/formats.js";
import { svgText } from "../lib/svg.js";
import { HALF_LIMIT, overviewAt } from "../lib/temperature.js";
import { build, buildSvg, explain, paperShape } from "../render/dom.js";

/** @import { LogScale } from "../lib/scales.js" */
/** @import { Scope } from "../lib/scope.js" */
/** @import { Overview, Panel, Strings } from "../types.js" */

/** @typedef {keyof Overview} Kind */

const KINDS = /** @type {Kind[]} */ (["loss", "probability", "effective", "hardest", "pull"]);
const FRACTIONS = /** @type {Kind[]} */ (["probability", "hardest"]);
const STEPS = 48;
const STEPS_A_FRAME = 6;

/**
 * A batch's means over all temperatures, computed some a frame; each curve is a slider, too.
 */
export class TemperatureCurves {
  node = build("div", "cl-curves");
  #strings;
  #scale;
  #temperatures;
  /** Of the panels that were shown, by panel. @type {WeakMap<Panel, Overview[]>} */ #computed = new WeakMap();
  /** @type {Panel | null} */ #panel = null;
  #computeSoon;
  #onDraw;
  /** @type {{ temperature: number; means: Overview } | null} */ #cursor = null;

  /**
   * @param {Scope} scope
   * @param {Strings} strings
   * @param {LogScale} scale
   * @param {{ onMove: (temperature: number) => void; onDraw: () => void }} handlers
   */
  constructor(scope, strings, scale, { onMove, onDraw }) {
    this.#strings = strings;
    this.#scale = scale;
    this.#temperatures = scale.steps(STEPS);
    this.#onDraw = onDraw;
    this.#computeSoon = scope.frame(() => this.#compute());
    const move = (/** @type {MouseEvent} */ event) => {
      const drawing = /** @type {HTMLElement} */ (event.target).closest(".cl-drawing");
      if (!event.buttons || !drawing) return;
      const box = drawing.getBoundingClientRect();
      onMove(temperatureAt(scale, ((event.clientX - box.left) / box.width) * TEMPERATURE_CURVE.width));
    };
    scope.listen(this.node, "pointerdown", move);
    scope.listen(this.node, "pointermove", move);
  }

  /** @param {Panel} panel whose loss has a temperature */
  show(panel) {
    this.#panel = panel;
    if (this.#complete) this.#draw();
    else {
      this.node.replaceChildren();
      this.#computeSoon();
    }
  }

  get #overviews() {
    return (this.#panel && this.#computed.get(this.#panel)) ?? [];
  }

  get #complete() {
    return this.#overviews.length === this.#temperatures.length;
  }

  #compute() {
    const panel = this.#panel;
    if (!panel) return;
    const overviews = this.#overviews;
    const end = Math.min(overviews.length + STEPS_A_FRAME, this.#temperatures.length);
    while (overviews.length < end) overviews.push(overviewAt(panel.table, panel.form, this.#temperatures[overviews.length]));
    this.#computed.set(panel, overviews);
    if (this.#complete) this.#draw();
    else this.#computeSoon();
  }

  #draw() {
    this.node.replaceChildren(...KINDS.map((kind) => this.#figure(kind)));
    if (this.#cursor) this.moveCursor(this.#cursor.temperature, this.#cursor.means);
    this.#onDraw();
  }

  /** @param {Kind} kind */
  #figure(kind) {
    const [panel, strings] = [/** @type {Panel} */ (this.#panel), this.#strings];
    const level = kind === "loss" && panel.chance !== null ? { value: panel.chance, name: strings["fact.chance"] } : null;
    const axis = {
      logarithmic: kind === "pull",
      isFraction: FRACTIONS.includes(kind),
      level,
      overflow: panel.largest * HALF_LIMIT,
    };
    const values = this.#overviews.map((overview) => overview[kind]);
    const shapes = temperatureCurveShapes(this.#scale, this.#temperatures, values, axis);
    const figure = build("figure", "cl-curve");
    const name = build("span", "", strings[`curve.${kind}`]);
    explain(name, strings[`curve.${kind}.hint`]);
    const caption = build("figcaption");
    caption.append(name, build("strong"));
    const drawing = build("div", "cl-drawing");
    drawing.append(buildSvg(TEMPERATURE_CURVE.width, TEMPERATURE_CURVE.height, shapes, strings[`curve.${kind}`]));
    figure.append(caption, drawing);
    figure.dataset.kind = kind;
    return figure;
  }

  /** @param {number} temperature @param {Overview} means at this temperature */
  moveCursor(temperature, means) {
    this.#cursor = { temperature, means };
    const x = String(temperatureX(this.#scale, temperature));
    for (const figure of /** @type {Iterable<HTMLElement>} */ (this.node.children)) {
      const line = figure.querySelector(".cl-now");
      line?.setAttribute("x1", x);
      line?.setAttribute("x2", x);
      const kind = /** @type {Kind} */ (figure.dataset.kind);
      const number = figure.querySelector("strong");
      if (!number) continue;
      number.textContent = FRACTIONS.includes(kind) ? formatPercent(means[kind]) : formatNumber(means[kind]);
      number.title = String(means[kind]);
    }
  }

  /** All curves side by side. */
  svg() {
    const { width, height } = TEMPERATURE_CURVE;
    const { color } = getComputedStyle(this.node);
    const curves = [...this.node.querySelectorAll("svg")].map((svg, i) => {
      return `<svg x="${i * width}" width="${width}" height="${height}" color="${color}">${svg.innerHTML}</svg>`;
    });
    return svgText(KINDS.length * width, height, [paperShape(), ...curves]);
  }

  /** @returns {unknown[][]} */
  rows() {
    const rows = this.#overviews.map((overview, i) => [this.#temperatures[i], ...KINDS.map((kind) => overview[kind])]);
    return [["temperature", ...KINDS], ...rows];
  }
}
