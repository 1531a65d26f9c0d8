// What the temperature does to a batch; every number is computed here, for a slider must not wait.

import { anatomy } from "../lib/anatomy.js";
import { BLUES, rampTable } from "../lib/colors.js";
import { mountComponent } from "../lib/component.js";
import { fill, formatExponential, formatNumber, formatPercent } from "../lib/formats.js";
import { readLink, writeLink } from "../lib/page.js";
import { countInRow, firstPositive, paintCells, readPanel } from "../lib/panels.js";
import { LogScale } from "../lib/scales.js";
import { overview, positiveProbability, precisionFor, rowForces } from "../lib/temperature.js";
import { BottomSheet } from "../parts/bottom_sheet.js";
import { Chips } from "../parts/chips.js";
import { chanceRow, factRow } from "../parts/facts.js";
import { MatrixPanel, panelSvg } from "../parts/matrix_panel.js";
import { ProbabilityBars } from "../parts/probability_bars.js";
import { runPlaces } from "../parts/run_places.js";
import { saveButtons } from "../parts/save_buttons.js";
import { TemperatureControl } from "../parts/temperature_control.js";
import { TemperatureCurves } from "../parts/temperature_curves.js";
import { build, paragraphs } from "../render/dom.js";
import { loadSheet } from "../render/sheet.js";

/** @import { Scope } from "../lib/scope.js" */
/** @import { Sheet } from "../render/sheet.js" */
/** @import { Anatomy, Context, LabValue, Overview, Panel, Strings } from "../types.js" */

/** @typedef {Context<LabValue, { strings: Strings; temperatures: [number, number] }>} LabContext */

const TILE = 56;
const SHADES = rampTable(BLUES, 256);
const NETWORKS = ["untrained", "trained"];

/** @param {LabContext} context */
export function mount(context) {
  return mountComponent(context, (root, scope) => {
    const lab = new TemperatureLab(root, scope, context);
    return (value) => lab.open(value);
  });
}

class TemperatureLab {
  /** @type {Panel[]} */ #panels = []; // untrained, trained
  /** @type {Anatomy | null} */ #parts = null; // of the shown panel at the shown temperature
  /** @type {Overview | null} */ #means = null;
  /** @type {Sheet | null} */ #sheet = null;
  #network = 1;
  #row = 0;
  #column = 0;
  /** @type {number | null} */ #temperature = null; // null: as trained
  #trained = false; // whether the run was trained with a temperature
  #opened = 0;
  #width = 0; // asking for it while drawing would lay the page out anew
  #summary = build("div", "cl-summary");
  #networks = build("div");
  #details = build("aside", "cl-details");
  #rowBox = build("section", "cl-rowbox");
  #places = build("section", "cl-places");
  #valuePart;

  /** @param {HTMLElement} root @param {Scope} scope @param {LabContext} context */
  constructor(root, scope, { props }) {
    const { strings } = props;
    this.root = root;
    this.scope = scope;
    this.strings = strings;
    this.saveStrings = props.save;
    this.scale = new LogScale(...props.temperatures);
    this.paintSoon = scope.frame(() => this.#paint());
    scope.onThemeChange(this.paintSoon);
    this.#valuePart = scope.slot();
    const { slider: label, own, start, low, high } = strings;
    this.control = new TemperatureControl(scope, this.scale, { label, own, start, low, high }, (t) => this.#moveTemperature(t));
    this.matrix = new MatrixPanel(scope, { title: "", label: strings.matrix, hint: strings.keys }, {
      onPoint: (row, column) => this.#point(row, column),
      onPick: (row, column) => this.#pick(row, column),
      current: () => [this.#row, this.#column],
    });
    this.bars = new ProbabilityBars(scope, strings, (column) => this.#point(this.#row, column));
    this.curves = new TemperatureCurves(scope, strings, this.scale, {
      onMove: (t) => this.#moveTemperature(t),
      onDraw: () => (root.dataset.curves = String(this.#opened)),
    });
    const controls = build("div", "cl-controls");
    controls.append(this.#networks, this.control.node);
    const body = build("div", "cl-body");
    const matrixBox = build("div");
    matrixBox.append(this.matrix.node, this.#saveMatrix());
    this.sheet = new BottomSheet(scope, props.close, this.#details);
    body.append(matrixBox, this.sheet.node);
    const rowTitle = build("h2", "cl-title", strings.row);
    this.#rowBox.append(rowTitle, this.bars.canvas, build("p", "cl-keys", strings.row_hint), this.#saveRow());
    const curvesTitle = build("h2", "cl-title", strings.curves);
    const rows = [this.#summary, controls, body, this.#rowBox, curvesTitle, this.curves.node, this.#saveCurves(), this.#places];
    root.replaceChildren(...rows);
    scope.onResize(root, () => {
      this.#width = this.#rowBox.clientWidth;
      this.#paint();
    });
    // Its height follows that of the window, which leaves the root as it is.
    scope.onResize(/** @type {HTMLElement} */ (this.matrix.canvas.parentElement), this.paintSoon);
  }

  get #panel() {
    return this.#panels[this.#network];
  }

  get #shownTemperature() {
    return this.#temperature ?? this.#panel.form.temperature;
  }

  // --- state --------------------------------------------------------------------------------------------------------------

  /** @param {LabValue} value */
  async open(value) {
    const opened = (this.#opened += 1);
    const sheet = value.sprites ? await loadSheet(value.sprites) : null;
    if (opened !== this.#opened || this.scope.ended) return;
    if (!this.#panels.length) this.#restore();
    this.#sheet = sheet;
    this.#trained = value.trainedTemperature;
    this.#panels = value.panels.map((panel) => readPanel(panel, value.roles, sheet !== null));
    this.#network = Math.min(this.#network, this.#panels.length - 1);
    if (this.#row >= this.#panel.table.rows) this.#row = 0;
    this.#column = firstPositive(this.#panel, this.#row);
    this.#summary.replaceChildren(...paragraphs(value.summary));
    const part = this.#valuePart();
    const choices = this.#panels.map((panel, i) => ({ value: String(i), text: panel.name }));
    const chips = new Chips(part, this.strings.network, choices, (network) => this.#chooseNetwork(Number(network)));
    chips.choose(String(this.#network));
    this.#networks.replaceChildren(chips.node);
    this.#places.replaceChildren(...runPlaces(part, this.strings, this.saveStrings, value.places));
    this.#width = this.#rowBox.clientWidth;
    this.#showTemperature();
    this.curves.show(this.#panel);
    this.#paint();
    this.root.dataset.drawn = String(opened);
  }

  /** The state that the page's address holds. */
  #restore() {
    const temperature = Number(readLink("temperature"));
    this.#temperature = this.scale.has(temperature) ? temperature : null;
    const anchor = Number(readLink("anchor") ?? 1);
    this.#row = Number.isInteger(anchor) && anchor >= 1 ? anchor - 1 : 0;
    this.#network = readLink("network") === NETWORKS[0] ? 0 : 1;
  }

  /** @param {number} network */
  #chooseNetwork(network) {
    this.#network = network;
    writeLink("network", NETWORKS[network], NETWORKS[1]);
    this.curves.show(this.#panel);
    this.#showTemperature();
    this.#paint();
  }

  /** @param {number | null} temperature null: as trained */
  #moveTemperature(temperature) {
    this.#temperature = temperature;
    writeLink("temperature", temperature === null ? null : Number(temperature.toPrecision(4)));
    this.#showTemperature();
    this.paintSoon();
  }

  #showTemperature() {
    if (!this.#panels.length) return; // moved before the first batch is here
    this.control.show(this.#temperature, this.#panel.form.temperature, this.#trained);
  }

  /** @param {number} row the anchor @param {number} column */
  #point(row, column) {
    if (row === this.#row && column === this.#column) return;
    [this.#row, this.#column] = [row, column];
    this.matrix.mark(row, column);
    this.#describe();
  }

  /** @param {number} row @param {number} column */
  #pick(row, column) {
    writeLink("anchor", row + 1, 1);
    this.#point(row, column);
    this.sheet.open();
  }

  // --- drawing ------------------------------------------------------------------------------------------------------------

  /** One frame: everything that follows the slider. */
  #paint() {
    const panel = this.#panel;
    if (!panel) return;
    const { table, form } = panel;
    const parts = anatomy(table, { ...form, temperature: this.#shownTemperature });
    [this.#parts, this.#means] = [parts, overview(table, parts)];
    // The ratio of a loss whose denominator leaves the positive out can be above 1.
    const largest = form.kind === "ratio" ? Math.exp(Math.max(0, parts.logProbabilities.reduce((a, b) => Math.max(a, b), 0))) : 1;
    paintCells(panel.pixels, (i) => {
      if (!table.positive[i] && !table.negative[i]) return null;
      return SHADES[Math.min(255, Math.round(255 * Math.sqrt(Math.exp(parts.logProbabilities[i]) / largest)))];
    });
    this.matrix.draw(panel, this.#sheet);
    this.matrix.mark(this.#row, this.#column);
    this.#describe();
    this.curves.moveCursor(this.#shownTemperature, this.#means);
  }

  #describe() {
    const [panel, parts, row] = [this.#panel, this.#parts, this.#row];
    if (!parts) return;
    const forces = rowForces(panel.table, parts, row);
    const title = build("h2", "cl-title", this.strings.here);
    this.#details.replaceChildren(title, this.#describeAnchor(forces), this.#facts(parts, forces), this.#exponent());
    this.bars.draw({ panel, parts, row, column: this.#column, sheet: this.#sheet }, this.#width);
  }

  /** @param {ReturnType<typeof rowForces>} forces */
  #describeAnchor({ hardest, hardestContribution }) {
    const [panel, sheet] = [this.#panel, this.#sheet];
    const pair = build("div", "cl-pair");
    const text = build("div", "cl-description");
    text.append(build("div", "cl-which", fill(this.strings.anchor, { name: panel.rowNames[this.#row] })));
    if (sheet) pair.append(sheet.tileElement(this.#row, TILE));
    pair.append(text);
    if (hardest < 0) return pair;
    const { caption, sprite } = panel.columns[hardest];
    const values = { name: caption, fraction: formatPercent(hardestContribution) };
    text.append(build("div", "", fill(this.strings.hardest, values)));
    if (sheet && sprite >= 0) pair.append(sheet.tileElement(sprite, TILE));
    return pair;
  }

  /** @param {Anatomy} parts @param {ReturnType<typeof rowForces>} forces */
  #facts(parts, forces) {
    const { table, chance } = this.#panel;
    const negatives = countInRow(table, "negative", this.#row);
    const facts = build("dl", "cl-facts");
    /** @param {string} key @param {number | null} exact @param {string} [text] */
    const add = (key, exact, text = exact === null ? "–" : formatNumber(exact)) => {
      const [name, hint] = [this.strings[`fact.${key}`], this.strings[`fact.${key}.hint`]];
      facts.append(factRow(key, { name, hint, text, exact }));
    };
    const probability = positiveProbability(table, parts, this.#row);
    const { effective, hardestContribution, pull } = forces;
    add("probability", probability, formatPercent(probability));
    add("row", parts.terms[this.#row]);
    add("effective", effective, fill(this.strings.of, { value: formatNumber(effective), all: negatives }));
    add("hardest", hardestContribution, formatPercent(hardestContribution));
    add("pull", pull);
    add("loss", parts.loss);
    facts.append(chanceRow(this.strings, chance));
    add("mean_effective", this.#means?.effective ?? null);
    return facts;
  }

  /** Which floating-point formats hold the largest exponential. */
  #exponent() {
    const { largest } = this.#panel;
    const exponent = largest / this.#shownTemperature;
    const fits = precisionFor(exponent);
    const [cosine, t] = [formatNumber(largest), formatNumber(this.#shownTemperature)];
    const text = fill(this.strings[`fits.${fits}`], { cosine, t, power: formatExponential(exponent) });
    const node = build("p", `cl-exponent cl-${fits}`, text);
    node.dataset.fits = fits;
    return node;
  }

  // --- saving -------------------------------------------------------------------------------------------------------------

  #saveMatrix() {
    return saveButtons(this.scope, this.saveStrings, {
      name: () => `temperature-${this.#shownTemperature.toPrecision(3)}`,
      canvas: () => this.matrix.canvas,
      svg: () => panelSvg(this.#panel),
      csv: () => {
        const { table } = this.#panel;
        const cells = Array.from(table.cosines, (cosine, i) => {
          return [Math.floor(i / table.columns), i % table.columns, cosine, ...this.#numbersOf(i)];
        });
        return [["row", "column", "similarity", "probability", "gradient", "positive"], ...cells];
      },
    });
  }

  #saveRow() {
    return saveButtons(this.scope, this.saveStrings, {
      name: () => `anchor-${this.#row + 1}`,
      canvas: () => this.bars.canvas,
      svg: () => this.bars.svg(),
      csv: () => {
        const { table, columns } = this.#panel;
        const candidates = this.bars.columns.map((column) => {
          const i = this.#row * table.columns + column;
          return [columns[column].caption, table.cosines[i], ...this.#numbersOf(i)];
        });
        return [["candidate", "similarity", "probability", "gradient", "positive"], ...candidates];
      },
    });
  }

  #saveCurves() {
    const { curves } = this;
    const saved = { name: () => "over-temperature", svg: () => curves.svg(), csv: () => curves.rows() };
    return saveButtons(this.scope, this.saveStrings, saved);
  }

  /** Probability, gradient and whether it is a positive. @param {number} cell */
  #numbersOf(cell) {
    const parts = /** @type {Anatomy} */ (this.#parts);
    return [Math.exp(parts.logProbabilities[cell]), parts.gradient[cell], this.#panel.table.positive[cell]];
  }
}
