// NCE and InfoNCE side by side, each row shown on the same batch.

import { POSITIVE } from "../lib/colors.js";
import { mountComponent } from "../lib/component.js";
import { decode } from "../lib/decode.js";
import { fill, formatNumber } from "../lib/formats.js";
import {
  anchorsOf,
  batchLosses,
  infoNceChance,
  infoNceParts,
  NCE_BARS,
  NCE_CURVE,
  nceChance,
  nceCurveShapes,
  nceParts,
  probabilityShapes,
} from "../lib/nce.js";
import { LogScale } from "../lib/scales.js";
import { Chips } from "../parts/chips.js";
import { ImageChoice } from "../parts/image_choice.js";
import { leadToTab } from "../parts/tab_link.js";
import { TemperatureControl } from "../parts/temperature_control.js";
import { build, buildInput, buildSvg, paragraphs } from "../render/dom.js";
import { loadSheet } from "../render/sheet.js";

/** @import { Scope } from "../lib/scope.js" */
/** @import { Sheet } from "../render/sheet.js" */
/** @import { Context, NceValue, Strings } from "../types.js" */

const TEMPERATURES = new LogScale(0.01, 10);
const CURVE_POINTS = 40;
const THUMBNAILS = 7;
const ANCHORS = 8;
const TILE = 36;
const SIDE = 34;
const ROWS = ["form", "purpose", "objective", "temperature", "number", "negatives", "use"]; // the picture first
const BY_FORM = ["purpose", "form", "objective", "temperature", "number"];
const FORMS = ["nce", "sampling", "info_nce"];

/** @param {Context<NceValue, { strings: Strings }>} context */
export function mount(context) {
  return mountComponent(context, (root, scope) => {
    const part = scope.slot();
    /** @type {State} */
    const state = { anchor: 0, count: 0, temperature: null, form: "nce" };
    return (value) => (value.cosines ? show(part(), root, context.props.strings, value, state) : null);
  });
}

/** @typedef {{ anchor: number; count: number; temperature: number | null; form: string }} State count 0: as many as there are */

/** @param {Scope} scope @param {HTMLElement} root @param {Strings} strings @param {NceValue} value @param {State} state */
async function show(scope, root, strings, value, state) {
  const [sheet, noise] = await Promise.all([loadSheet(value.sprites), loadSheet(value.noise)]);
  if (scope.ended) return;
  const table = new NceTable(scope, strings, value, state, sheet, noise);
  root.replaceChildren(table.controls, table.node);
  table.draw();
  root.dataset.drawn = String(value.turn ?? 0);
}

class NceTable {
  controls = build("div", "cl-nce-controls");
  node = document.createElement("table");
  #batch;
  #state;
  #strings;
  #value;
  #sheet;
  #noise;
  #count;
  #shown = build("output", "cl-count");
  #temperature;
  #anchors;
  #leftHead = build("th");
  /** @type {Map<string, HTMLElement>} */ #cells = new Map();
  /** @type {Map<string, HTMLElement>} */ #abouts = new Map(); // of the left side, which change with the form

  /**
   * @param {Scope} scope
   * @param {Strings} strings
   * @param {NceValue} value
   * @param {State} state
   * @param {Sheet} sheet of the views
   * @param {Sheet} noise of images drawn from all
   */
  constructor(scope, strings, value, state, sheet, noise) {
    this.#strings = strings;
    this.#value = value;
    this.#state = state;
    this.#sheet = sheet;
    this.#noise = noise;
    const { views } = value;
    this.#batch = { cosines: decode(value.cosines, Float32Array), order: decode(value.order, Int16Array), views };
    state.anchor = Math.min(state.anchor, value.names.length - 1);
    const forms = new Chips(scope, strings.forms, FORMS.map((form) => ({ value: form, text: strings[`loss.${form}`] })), (form) => {
      state.form = form;
      this.draw();
    });
    forms.choose(state.form);
    this.#count = buildInput({ type: "range", min: "1", max: String(views - 2), step: "1" }, strings.count);
    scope.listen(this.#count, "input", () => {
      state.count = this.#count.valueAsNumber === views - 2 ? 0 : this.#count.valueAsNumber;
      this.draw();
    });
    const labels = { label: strings.temperature, own: strings.own, start: strings.start };
    this.#temperature = new TemperatureControl(scope, TEMPERATURES, labels, (temperature) => {
      state.temperature = temperature;
      this.draw();
    });
    const number = build("label", "cl-name", strings.count);
    number.append(this.#shown, this.#count);
    const images = value.names.slice(0, ANCHORS).map((caption, i) => ({ image: sheet.tileElement(i, TILE), caption }));
    this.#anchors = new ImageChoice(scope, strings.anchor, images, (i) => {
      state.anchor = i;
      this.draw();
    });
    this.controls.append(this.#anchors.node, forms.node);
    this.node.className = "cl-nce";
    this.#layOut({ "number.nce": number, "temperature.info_nce": this.#temperature.node });
    this.#fill("use.nce", useLink(scope, strings["live.use.nce"], "words"));
    this.#fill("use.info_nce", useLink(scope, strings["live.use.info_nce"], "loss"));
  }

  /** @param {Record<string, HTMLElement>} controls of the rows, by their cell */
  #layOut(controls) {
    const head = this.node.createTHead().insertRow();
    head.append(build("td"));
    for (const key of ["head.nce", "head.info_nce"]) {
      const cell = build("th", "", this.#strings[key]);
      cell.scope = "col";
      head.append(cell);
      if (key === "head.nce") this.#leftHead = cell;
    }
    const body = this.node.createTBody();
    for (const row of ROWS) {
      const line = body.insertRow();
      const name = build("th", "", this.#strings[`row.${row}`]);
      name.scope = "row";
      line.append(name);
      for (const side of ["nce", "info_nce"]) {
        const cell = line.insertCell();
        cell.dataset.label = this.#strings[`head.${side}`];
        const live = build("div", "cl-live");
        live.dataset.cell = `${row}.${side}`;
        const about = build("div", "cl-about");
        about.append(...paragraphs(this.#strings[`${row}.${side}`]));
        if (side === "nce" && BY_FORM.includes(row)) this.#abouts.set(row, about);
        cell.append(about, ...[controls[`${row}.${side}`] ?? []].flat(), live);
        this.#cells.set(`${row}.${side}`, live);
      }
    }
  }

  /** As many as there are, unless the reader chose fewer. */
  get #negatives() {
    const most = this.#batch.views - 2;
    return Math.min(this.#state.count || most, most);
  }

  draw() {
    const { anchor, form } = this.#state;
    const count = this.#negatives;
    const { temperature: own, trainedTemperature } = this.#value;
    const temperature = this.#state.temperature ?? own;
    this.#count.value = String(count);
    this.#shown.textContent = String(count);
    this.#temperature.show(this.#state.temperature, own, trainedTemperature);
    this.#anchors.choose(anchor);
    const side = form === "info_nce" ? "info_nce" : "nce";
    this.#leftHead.textContent = this.#strings[form === "info_nce" ? "loss.info_nce" : "head.nce"];
    for (const [row, about] of this.#abouts) about.replaceChildren(...paragraphs(this.#strings[`${row}.${side}`]));
    // On the left the form that is chosen; on the right InfoNCE always.
    const losses = batchLosses(this.#batch, count, own, temperature, form === "nce");
    const cosines = anchorsOf(this.#batch, count)[anchor];
    const left = form === "info_nce" ? infoNceParts(cosines.map((c) => c / own)) : nceParts(cosines.map((c) => c / own), losses.correction);
    const right = infoNceParts(cosines.map((cosine) => cosine / temperature));
    this.#drawQuestions(left, right);
    this.#drawNegatives(count);
    this.#drawObjectives(left, right, losses.correction);
    this.#drawForms(left, right);
    this.#drawCurves(temperature);
    this.#drawNumbers(losses);
  }

  /** @param {string} name @param {(Node | string)[]} nodes */
  #fill(name, ...nodes) {
    this.#cells.get(name)?.replaceChildren(...nodes);
  }

  /** @param {string} key @param {Record<string, string | number>} values @param {Record<string, number>} [exact] for tests and the pointer */
  #line(key, values, exact = {}) {
    const node = build("p", "cl-number-line", fill(this.#strings[key], values));
    for (const [name, number] of Object.entries(exact)) node.dataset[name] = String(number);
    return node;
  }

  /** @param {ReturnType<typeof nceParts>} left @param {ReturnType<typeof nceParts>} right */
  #drawQuestions(left, right) {
    const percent = (/** @type {number} */ p) => (100 * p).toFixed(1);
    const noise = left.probabilities.slice(1);
    const wrong = noise.filter((p) => p > 0.5).length;
    const values = { yes: percent(left.probabilities[0]), wrong, count: noise.length };
    const chosen = (/** @type {number[]} */ p) =>
      this.#line(
        "live.purpose.info_nce",
        { chosen: percent(p[0]), rank: 1 + p.filter((each) => each > p[0]).length, count: p.length },
        { positive: p[0] },
      );
    const classified = () => this.#line("live.purpose.nce", values, { positive: left.probabilities[0] });
    this.#fill("purpose.nce", this.#state.form === "info_nce" ? chosen(left.probabilities) : classified());
    this.#fill("purpose.info_nce", chosen(right.probabilities));
  }

  /** @param {number} count */
  #drawNegatives(count) {
    const strip = (/** @type {Sheet} */ sheet, /** @type {number[]} */ images) => {
      const node = build("div", "cl-strip");
      node.append(...images.map((i) => sheet.tileElement(i, SIDE)));
      return node;
    };
    const drawn = Array.from({ length: Math.min(THUMBNAILS, count) }, (_, i) => i);
    this.#fill("negatives.nce", strip(this.#noise, drawn));
    const { order, views } = this.#batch;
    const others = drawn.map((i) => order[this.#state.anchor * (views - 1) + 1 + i]);
    this.#fill("negatives.info_nce", strip(this.#sheet, others));
  }

  /** @param {ReturnType<typeof nceParts>} left @param {ReturnType<typeof nceParts>} right @param {number} correction */
  #drawObjectives(left, right, correction) {
    const { form } = this.#state;
    const first = -Math.log(left.probabilities[0]);
    const values = { first: first.toFixed(3), rest: (left.loss - first).toFixed(3), loss: left.loss.toFixed(3), correction: correction.toFixed(3) };
    this.#fill("objective.nce", this.#line(`live.objective.${form}`, values, { loss: left.loss, correction }));
    this.#fill("objective.info_nce", this.#line("live.objective.info_nce", { loss: right.loss.toFixed(3) }, { loss: right.loss }));
  }

  /** @param {ReturnType<typeof nceParts>} left @param {ReturnType<typeof nceParts>} right */
  #drawForms(left, right) {
    for (const [side, { probabilities, gradient }] of /** @type {const} */ ([["nce", left], ["info_nce", right]])) {
      const sum = probabilities.reduce((a, b) => a + b, 0);
      const note = fill(this.#strings["live.form.sum"], { sum: sum.toFixed(3) });
      const bars = buildSvg(NCE_BARS.width, NCE_BARS.height, probabilityShapes(probabilities, note), this.#strings["live.form.label"]);
      const push = gradient.slice(1).reduce((a, b) => a + b, 0);
      const pull = { pull: formatNumber(-gradient[0]), push: formatNumber(push) };
      this.#fill(`form.${side}`, bars, this.#line("live.form.gradient", pull, { pull: -gradient[0], push, sum }));
    }
  }

  /** @param {number} temperature */
  #drawCurves(temperature) {
    const { temperature: own } = this.#value;
    const { form } = this.#state;
    const count = this.#negatives;
    const places = TEMPERATURES.steps(CURVE_POINTS);
    const all = places.map((t) => batchLosses(this.#batch, count, own, t, form === "nce"));
    const draw = (/** @type {"nce" | "infoNce"} */ name, /** @type {number} */ chance) =>
      buildSvg(
        NCE_CURVE.width,
        NCE_CURVE.height,
        nceCurveShapes(places, [{ values: all.map((each) => each[name]) }, { values: places.map(() => chance), dash: true }], temperature, "t"),
        this.#strings["live.temperature.label"],
      );
    const level = form === "info_nce" ? infoNceChance(count) : nceChance(count);
    this.#fill("temperature.nce", draw(form === "info_nce" ? "infoNce" : "nce", level));
    this.#fill("temperature.info_nce", draw("infoNce", infoNceChance(count)));
  }

  /** @param {{ nce: number; infoNce: number }} losses of the batch */
  #drawNumbers(losses) {
    const { form } = this.#state;
    const count = this.#negatives;
    const { temperature: own } = this.#value;
    const temperature = this.#state.temperature ?? own;
    const most = this.#batch.views - 2;
    const places = [...new Set([1, 2, 4, 8, 16, 32, most].filter((k) => k <= most))];
    const all = places.map((k) => batchLosses(this.#batch, k, own, temperature, form === "nce"));
    const softmaxed = form === "info_nce"; // at the temperature of the training, like all that is on the left
    const atOwn = (/** @type {number} */ k) => batchLosses(this.#batch, k, own, own, false).infoNce;
    const leftLoss = softmaxed ? atOwn(count) : losses.nce;
    const leftChance = softmaxed ? infoNceChance : nceChance;
    const svg = (/** @type {Parameters<typeof nceCurveShapes>[1]} */ lines) =>
      buildSvg(NCE_CURVE.width, NCE_CURVE.height, nceCurveShapes(places, lines, count, "k"), this.#strings["live.number.label"]);
    const values = { loss: leftLoss.toFixed(3), chance: leftChance(count).toFixed(3), count };
    this.#fill(
      "number.nce",
      svg([{ values: softmaxed ? places.map(atOwn) : all.map((each) => each.nce) }, { values: places.map(leftChance), dash: true }]),
      this.#line("live.number.nce", values, { loss: leftLoss, chance: leftChance(count) }),
    );
    const bound = infoNceChance(count) - losses.infoNce;
    const right = { loss: losses.infoNce.toFixed(3), chance: infoNceChance(count).toFixed(3), bound: bound.toFixed(3), count };
    const bounds = all.map((each, i) => infoNceChance(places[i]) - each.infoNce);
    this.#fill(
      "number.info_nce",
      svg([{ values: all.map((each) => each.infoNce) }, { values: places.map(infoNceChance), dash: true }, { values: bounds, color: POSITIVE }]),
      this.#line("live.number.info_nce", right, { loss: losses.infoNce, bound }),
    );
  }
}

/** @param {Scope} scope @param {string} text @param {string} tab where it leads */
function useLink(scope, text, tab) {
  const link = build("a", "cl-use", text);
  leadToTab(scope, link, tab);
  return link;
}
