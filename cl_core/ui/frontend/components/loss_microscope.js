// A batch's similarity matrices with the loss written out: point at a cell to see its term, and back.

import { anatomy, asksEachPair, costOf, hasTemperature, ofDimensions } from "../lib/anatomy.js";
import { mountComponent } from "../lib/component.js";
import { fill, formatNumber, formatPercent } from "../lib/formats.js";
import { rowFormula, symbols } from "../lib/formula.js";
import { readLink, writeLink } from "../lib/page.js";
import { cellRows, countInRow, firstPositive, paintCells, partOf, readPanel } from "../lib/panels.js";
import { LogScale } from "../lib/scales.js";
import { stageCells } from "../lib/stages.js";
import { BottomSheet } from "../parts/bottom_sheet.js";
import { Chips } from "../parts/chips.js";
import { chanceRow, factRow } from "../parts/facts.js";
import { formulaElements } from "../parts/formula.js";
import { MatrixPanel, panelSvg } from "../parts/matrix_panel.js";
import { saveButtons } from "../parts/save_buttons.js";
import { TemperatureControl } from "../parts/temperature_control.js";
import { build, paragraphs, withScripts } from "../render/dom.js";
import { loadSheet } from "../render/sheet.js";

/** @import { Scope } from "../lib/scope.js" */
/** @import { Sheet } from "../render/sheet.js" */
/** @import { Anatomy, Context, Form, MicroscopeValue, Panel, Stage, Strings, Table } from "../types.js" */

/** @typedef {{ strings: Strings; linked: boolean; stages: Stage[]; temperatures: [number, number] }} MicroscopeProps */
/** @typedef {Context<MicroscopeValue, MicroscopeProps>} MicroscopeContext */
/** @typedef {{ panel: Panel; parts: Anatomy; matrix: MatrixPanel }} Shown a matrix on the page */

const MAX_TERMS = 6;
/** Stages of losses with a temperature alone. VICReg has no gradient of its covariances either: its terms are of each view alone. @type {Stage[]} */
const SCALED = ["scaled", "probability"];
const TILE = 72;
const [HIGH, LOW] = [0.5, 0.05]; // temperatures at which the cost of a false negative is shown

/** @param {MicroscopeContext} context */
export function mount(context) {
  return mountComponent(context, (root, scope) => {
    const microscope = new LossMicroscope(root, scope, context);
    return (value) => microscope.open(value);
  });
}

class LossMicroscope {
  /** @type {MicroscopeValue | null} */ #value = null;
  /** @type {Shown[]} */ #shown = [];
  /** @type {Sheet | null} */ #sheet = null;
  /** @type {{ panel: number; row: number; column: number }} */ #cell = { panel: 0, row: 0, column: 0 };
  /** The cell that the words are about. */ #described = "";
  /** Where a term was clicked. */ #clickedAt = { x: -1, y: -1 };
  /** @type {Stage} */ #stage;
  /** @type {Stage} */ #wanted; // what the visitor chose; the losses shown may not have it
  /** @type {number | null} */ #temperature = null; // null: the model's own
  #opened = 0;
  #summary = build("div", "cl-summary");
  #about = build("p", "cl-about");
  #matrices = build("div", "cl-matrices");
  #details = build("aside", "cl-details");
  #panelPart;

  /** @param {HTMLElement} root @param {Scope} scope @param {MicroscopeContext} context */
  constructor(root, scope, { props }) {
    const { strings } = props;
    this.root = root;
    this.scope = scope;
    this.props = props;
    this.strings = strings;
    this.scale = new LogScale(...props.temperatures);
    this.#stage = this.#wanted = props.stages[0];
    this.#panelPart = scope.slot();
    this.repaintSoon = scope.frame(() => this.#repaint());
    this.describeSoon = scope.afterFrame(() => this.#describe());
    const choices = props.stages.map((stage, i) => ({ value: stage, text: numbered(i, strings[`stage.${stage}`]) }));
    this.stages = new Chips(scope, strings.stages, choices, (stage) => {
      this.#setStage(/** @type {Stage} */ (stage));
      this.#writeLink("stage", stage, props.stages[0]);
      this.#paint();
    });
    const temperatureStrings = { label: strings.temperature, own: strings.own_temperature, start: strings.start_temperature };
    this.control = new TemperatureControl(scope, this.scale, temperatureStrings, (temperature) => {
      this.#setTemperature(temperature);
      this.#writeLink("t", temperature === null ? null : Number(temperature.toPrecision(4)));
      this.repaintSoon();
    });
    const controls = build("div", "cl-controls");
    controls.append(this.stages.node, this.control.node);
    this.#details.setAttribute("aria-live", "polite");
    this.#details.tabIndex = -1; // takes the focus of a term that is gone
    const body = build("div", "cl-body");
    this.sheet = new BottomSheet(scope, props.close, this.#details);
    body.append(this.#matrices, this.sheet.node);
    root.replaceChildren(this.#summary, controls, this.#about, body);
    const pointAtTerm = (/** @type {Event} */ event) => this.#pointAtTerm(event);
    scope.listen(this.#details, "pointerover", pointAtTerm);
    scope.listen(this.#details, "focusin", pointAtTerm);
    scope.listen(this.#details, "click", (event) => {
      const term = termOf(event);
      if (!term) return;
      this.#clickedAt = { x: event.clientX, y: event.clientY };
      this.#pick(this.#cell.panel, this.#cell.row, Number(term.dataset.column));
    });
    scope.onResize(this.#matrices, scope.frame(() => this.#paint())); // after the panels took over their widths
  }

  // --- the link: of several microscopes on a page one keeps its state there -------------------------------------------------

  /** @param {string} name @param {string | number | null} value @param {string | null} [fallback] */
  #writeLink(name, value, fallback = null) {
    if (this.props.linked) writeLink(name, value, fallback);
  }

  /** @param {string} name */
  #readLink(name) {
    return this.props.linked ? readLink(name) : null;
  }

  /** The cell that the link names, if there is such a cell. */
  #linkedCell() {
    const [panel, row, column] = (this.#readLink("cell") ?? "").split(".").map(Number);
    const table = this.#shown[panel]?.panel.table;
    const exists = table && row >= 0 && row < table.rows && column >= 0 && column < table.columns;
    return exists && [panel, row, column].every(Number.isInteger) ? { panel, row, column } : null;
  }

  // --- state --------------------------------------------------------------------------------------------------------------

  /** @param {MicroscopeValue} value */
  async open(value) {
    const opened = (this.#opened += 1);
    const sheet = value.sprites ? await loadSheet(value.sprites) : null;
    if (opened !== this.#opened || this.scope.ended) return;
    const first = this.#value === null;
    this.#value = value;
    this.#sheet = sheet;
    const part = this.#panelPart();
    this.#shown = value.panels.map((panel, i) => this.#addPanel(part, readPanel(panel, value.roles, sheet !== null), i));
    const off = this.#stagesOff();
    for (const stage of this.props.stages) this.stages.enable(stage, !off.includes(stage));
    this.#rename(this.props.stages[0], this.strings[`fact.${value.measure}`].toLowerCase());
    this.#rename("probability", this.strings[`stage.${this.#family()}`] ?? this.strings["stage.probability"]);
    this.#rename("log", this.strings[this.#isScaled() ? "stage.log" : "stage.cost"]);
    this.control.node.hidden = !this.#isScaled();
    this.#setStage(/** @type {Stage} */ ((first && this.#readLink("stage")) || this.#wanted));
    this.#matrices.style.setProperty("--cl-columns", String(this.#shown.length));
    this.#matrices.replaceChildren(...this.#shown.map(({ matrix }) => matrix.node));
    const last = this.#shown.length - 1;
    const pair = { panel: last, row: 0, column: firstPositive(this.#shown[last].panel, 0) };
    this.#cell = this.#linkedCell() ?? pair;
    const temperature = first ? Number(this.#readLink("t")) : this.#temperature;
    const kept = !value.fixed && temperature !== null && this.scale.has(temperature);
    if (value.fixed) this.#writeLink("t", null);
    this.#setTemperature(kept ? temperature : null);
    this.#repaint();
    this.root.dataset.drawn = String(opened);
  }

  /** @param {Scope} part @param {Panel} panel @param {number} i @returns {Shown} */
  #addPanel(part, panel, i) {
    const label = fill(this.strings.matrix, { name: panel.name });
    const matrix = new MatrixPanel(part, { title: panel.name, label, hint: this.strings.keys }, {
      onPoint: (row, column) => this.#point(i, row, column),
      onPick: (row, column) => this.#pick(i, row, column),
      current: () => [this.#cell.row, this.#cell.column],
    });
    const shown = { panel, matrix, parts: anatomy(panel.table, panel.form) };
    const save = saveButtons(part, this.props.save, {
      name: () => `${this.#stage}-${panel.name}`,
      canvas: () => matrix.canvas,
      svg: () => panelSvg(panel),
      csv: () => cellRows(panel, shown.parts),
    });
    matrix.node.append(save);
    return shown;
  }

  /** Show a stage, or the first one where the losses shown do not have it; other losses may. @param {Stage} stage */
  #setStage(stage) {
    const { stages } = this.props;
    this.#wanted = stages.includes(stage) ? stage : stages[0];
    this.#stage = this.#stagesOff().includes(this.#wanted) ? stages[0] : this.#wanted;
    this.stages.choose(this.#stage);
    const own = this.#stage === this.props.stages[0] ? this.#value?.measure : this.#stage;
    this.#about.textContent = this.strings[`about.${this.#family()}.${this.#stage}`] ?? this.strings[`about.${own ?? this.#stage}`];
  }

  /** @param {Stage} stage @param {string} name */
  #rename(stage, name) {
    this.stages.rename(stage, numbered(this.props.stages.indexOf(stage), name));
  }

  /** Which names and explanations of the stages apply to the losses shown. */
  #family() {
    const forms = this.#shown.map(({ panel }) => panel.form);
    if (forms.some(ofDimensions)) return "dimensions";
    if (forms.every(asksEachPair)) return "questions";
    if (forms.every(({ kind }) => kind === "ratio" || kind === "hard")) return forms[0].kind;
    return this.#isScaled() ? "softmax" : "positives";
  }

  /** Whether a temperature divides the similarities of a loss shown. */
  #isScaled() {
    return this.#shown.some(({ panel }) => hasTemperature(panel.form));
  }

  /** Stages that the losses shown do not have. @returns {Stage[]} */
  #stagesOff() {
    if (!this.#isScaled()) return this.#shown.some(({ panel }) => panel.form.kind === "covariance") ? [...SCALED, "gradient"] : SCALED;
    return [];
  }

  /** The panel of the trained network, whose temperature a run may have learned. */
  get #ownPanel() {
    return this.#shown[this.#shown.length - 1].panel;
  }

  /** @param {number | null} temperature null is the model's own */
  #setTemperature(temperature) {
    this.#temperature = temperature;
    const { form } = this.#ownPanel;
    this.control.show(temperature, form.temperature, this.#value?.trainedTemperature ?? false, hasTemperature(form) && !this.#value?.fixed);
  }

  /** @param {number} panel @param {number} row @param {number} column */
  #point(panel, row, column) {
    const { panel: oldPanel, row: oldRow, column: oldColumn } = this.#cell;
    const same = panel === oldPanel && row === oldRow && column === oldColumn;
    if (same && this.#described === `${panel}.${row}.${column}`) return; // a term marks its cell before it is described
    this.#cell = { panel, row, column };
    this.#mark();
    this.describeSoon(); // the highlight comes at once, the text after it
  }

  /** @param {number} panel @param {number} row @param {number} column */
  #pick(panel, row, column) {
    this.#point(panel, row, column);
    this.sheet.open();
    this.#writeLink("cell", `${panel}.${row}.${column}`);
  }

  /** A term of the formula highlights its cell; the formula stays, or the term would move away from the pointer. @param {Event} event */
  #pointAtTerm(event) {
    const term = termOf(event);
    if (!term) return;
    const { clientX, clientY } = /** @type {PointerEvent} */ (event);
    // After a click the formula changes below the pointer, which has not moved.
    if (event.type === "pointerover" && clientX === this.#clickedAt.x && clientY === this.#clickedAt.y) return;
    this.#cell.column = Number(term.dataset.column);
    this.#mark();
    for (const node of this.#details.querySelectorAll(".cl-here")) node.classList.remove("cl-here");
    term.classList.add("cl-here");
  }

  // --- drawing ------------------------------------------------------------------------------------------------------------

  /** @param {Panel} panel @returns {Form} */
  #formOf({ form }) {
    const own = this.#temperature === null || !hasTemperature(form);
    return own ? form : { ...form, temperature: this.#temperature ?? form.temperature };
  }

  #repaint() {
    for (const shown of this.#shown) shown.parts = anatomy(shown.panel.table, this.#formOf(shown.panel));
    this.#summarize();
    this.#paint();
    this.#describe();
  }

  /** The sentence above: its temperature and losses are those of the matrices. */
  #summarize() {
    const { temperature } = this.#formOf(this.#ownPanel);
    /** @type {Record<string, string>} */
    const values = { t: String(Number(temperature.toPrecision(3))) };
    this.#shown.forEach(({ parts }, i) => (values[`loss${i}`] = (Math.round(100 * parts.loss) / 100 || 0).toFixed(2).replace("-", "−")));
    this.#summary.replaceChildren(...paragraphs(fill(this.#value?.summary ?? "", values)));
  }

  #paint() {
    for (const { panel, parts, matrix } of this.#shown) {
      const { value, color } = stageCells(this.#stage, panel.table, parts);
      paintCells(panel.pixels, (i) => {
        const number = value(i);
        return number === null ? null : color(number);
      });
      matrix.draw(panel, this.#sheet);
    }
    this.#mark();
  }

  #mark() {
    const { panel: chosen, row, column } = this.#cell;
    this.#shown.forEach(({ panel, matrix }, i) => {
      // Another matrix shows the same pair only if it has the same column.
      const { key } = this.#shown[chosen].panel.columns[column];
      const here = i === chosen ? column : panel.columns.findIndex((each) => each.key === key);
      if (here >= 0 && row < panel.table.rows) matrix.mark(row, here);
      else matrix.unmark();
    });
  }

  #describe() {
    const value = this.#value;
    if (!value) return;
    const { row, column } = this.#cell;
    const described = this.#described;
    this.#described = `${this.#cell.panel}.${row}.${column}`;
    const { panel, parts } = this.#shown[this.#cell.panel];
    const { table } = panel;
    const form = this.#formOf(panel);
    const positives = countInRow(table, "positive", row);
    const inSymbols = build("p", "cl-symbols");
    inSymbols.append(withScripts(symbols(form, positives)));
    const formula = build("p", "cl-formula");
    const given = { table, parts, form, row, column, limit: MAX_TERMS, strings: this.strings };
    formula.append(...formulaElements(rowFormula(given)));
    for (const node of formula.querySelectorAll(`[data-column="${column}"]`)) node.classList.add("cl-here");
    const title = build("h2", "cl-title", panel.name);
    const formulaTitle = build("h2", "cl-title", this.strings.formula);
    const pair = this.#describePair(value, panel, row * table.columns + column, form);
    const focused = this.#details.contains(document.activeElement) ? /** @type {HTMLElement} */ (document.activeElement) : null;
    const fact = described === this.#described ? focused?.closest("[data-fact]")?.getAttribute("data-fact") : null;
    // The pointer has gone to another cell than the focused term's: that term is not to take it back.
    const isHere = focused?.dataset.column === String(column);
    const again = isHere ? `[data-column="${column}"]` : fact ? `[data-fact="${fact}"] dt` : "";
    this.#details.replaceChildren(title, pair, this.#facts(value, panel, parts, form), formulaTitle, inSymbols, formula);
    if (!focused) return;
    const next = again ? /** @type {HTMLElement | null} */ (this.#details.querySelector(again)) : null;
    (next ?? this.#details).focus({ preventScroll: true });
  }

  /** @param {MicroscopeValue} value @param {Panel} panel @param {number} i @param {Form} form */
  #describePair(value, panel, i, form) {
    const { row, column } = this.#cell;
    const { sprite, caption } = panel.columns[column];
    const role = value.roles[panel.codes[i]];
    const kind = partOf(role).split("_")[0];
    const pair = build("div", "cl-pair");
    if (this.#sheet) pair.append(this.#sheet.tileElement(panel.rowSprites[row], TILE));
    if (this.#sheet && sprite >= 0) pair.append(this.#sheet.tileElement(sprite, TILE));
    const text = build("div", "cl-description");
    const which = fill(this.strings.pair, { row: panel.rowNames[row], column: caption });
    text.append(build("div", "cl-which", which), build("div", `cl-role cl-${kind}`, value.roleNames[role]));
    if (partOf(role) === "negative_class") text.append(build("div", "cl-flag", this.#falseNegative(panel.table, form)));
    pair.append(text);
    return pair;
  }

  /** What a false negative costs at a high and at a low temperature. @param {Table} table @param {Form} form */
  #falseNegative(table, form) {
    const { row, column } = this.#cell;
    if (!hasTemperature(form) || asksEachPair(form) || table.given) return this.strings.false_negative;
    const [high, low] = [HIGH, LOW].map((temperature) => formatNumber(costOf(table, { ...form, temperature }, row, column)));
    return fill(this.strings.false_negative_cost, { high, low });
  }

  /** @param {MicroscopeValue} value @param {Panel} panel @param {Anatomy} parts @param {Form} form */
  #facts({ measure }, { table, chance }, parts, form) {
    const { row, column } = this.#cell;
    const i = row * table.columns + column;
    const facts = build("dl", "cl-facts");
    /** @param {string} key @param {number} exact @param {{ name?: string; hint?: string; percent?: boolean }} [how] */
    const add = (key, exact, { name = key, hint = name, percent = false } = {}) => {
      const text = percent ? formatPercent(exact) : formatNumber(exact);
      const strings = { name: this.strings[`fact.${name}`], hint: this.strings[`fact.${hint}.hint`] };
      facts.append(factRow(key, { ...strings, text, exact }));
    };
    add("cosine", table.cosines[i], { name: measure, hint: ofDimensions(form) ? measure : "cosine" });
    const asks = asksEachPair(form);
    if (hasTemperature(form)) add("scaled", table.cosines[i] / form.temperature);
    if (asks) add(form.kind === "nce" ? "nce_logit" : "sigmoid_logit", parts.scaled[i]);
    if (table.positive[i] || table.negative[i]) {
      const probability = Math.exp(parts.logProbabilities[i]);
      if (hasTemperature(form)) add("probability", probability, { name: asks ? "sigmoid" : form.kind === "ratio" ? "ratio" : "probability" });
      const term = parts.terms[row];
      const contribution = parts.contribution[i] * (ofDimensions(form) ? 1 : Math.max(1, parts.anchors));
      if (table.positive[i] || asks || ofDimensions(form)) add("contribution", term ? contribution / term : 0, { percent: true });
      else add("cost", costOf(table, form, row, column));
      // Its direction is in the name, as in the temperature lab.
      if (form.kind !== "covariance") add("gradient", Math.abs(parts.gradient[i]), { name: parts.gradient[i] < 0 ? "pull" : "push", hint: "force" });
    }
    add("row", parts.terms[row]);
    add("loss", parts.loss, { hint: ofDimensions(form) ? "total" : "loss" });
    if (chance !== null) facts.append(chanceRow(this.strings, chance));
    return facts;
  }
}

/** The text of a stage's chip. @param {number} i @param {string} name */
function numbered(i, name) {
  return `${i + 1} ${name}`;
}

/** The term of a formula that an event is about. @param {Event} event @returns {HTMLElement | null} */
function termOf(event) {
  return /** @type {HTMLElement} */ (event.target).closest("[data-column]");
}
