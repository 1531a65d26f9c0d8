// Why an answer is similar to the query: which parts of both images carry the cosine.

import { mountComponent } from "../lib/component.js";
import { decode } from "../lib/decode.js";
import { fill } from "../lib/formats.js";
import { veilPixels, WHY_CURVE, whyCurveShapes } from "../lib/why.js";
import { Chips } from "../parts/chips.js";
import { namedFact } from "../parts/facts.js";
import { ImageChoice } from "../parts/image_choice.js";
import { penOf } from "../render/canvas.js";
import { build, buildImage, buildSvg, paragraphs } from "../render/dom.js";
import { loadImage } from "../render/sheet.js";

/** @import { Scope } from "../lib/scope.js" */
/** @import { Context, ImageValue, Strings, WhyExplanation, WhyValue } from "../types.js" */

/** @typedef {Context<WhyValue, { strings: Strings }>} WhyContext */

const SIDE = 400; // device pixels of an image

/** @param {WhyContext} context */
export function mount(context) {
  return mountComponent(context, (root, scope) => {
    const view = new WhyView(root, scope, context);
    return (value) => view.open(value);
  });
}

class WhyView {
  /** @type {WhyValue | null} */ #value = null;
  #kind = "";
  #choices = build("div");
  #picks = build("div");
  #about = build("div", "cl-about");
  #why = build("div", "cl-why");
  #still = build("div", "cl-still");
  #draws = 0;
  #part;

  /** @param {HTMLElement} root @param {Scope} scope @param {WhyContext} context */
  constructor(root, scope, { props, trigger }) {
    this.root = root;
    this.strings = props.strings;
    this.trigger = trigger;
    this.#part = scope.slot();
    root.replaceChildren(build("h2", "cl-title", this.strings.title), this.#picks, this.#choices, this.#about, this.#why, this.#still);
  }

  /** @param {WhyValue} value */
  open(value) {
    this.#value = value;
    this.root.hidden = value.explanations.length === 0;
    if (this.root.hidden) return;
    const part = this.#part();
    const focused = this.#picks.contains(document.activeElement);
    const kinds = value.explanations.map(({ kind }) => kind);
    if (!kinds.some((kind) => kind === this.#kind)) this.#kind = kinds[0];
    const listed = kinds.map((kind) => ({ value: kind, text: this.strings[`kind.${kind}`] }));
    const chips = new Chips(part, this.strings.kinds, listed, (kind) => {
      this.#kind = kind;
      this.#show();
    }, { labelHidden: true });
    chips.choose(this.#kind);
    this.#choices.replaceChildren(chips.node);
    const answers = value.answers.map(({ src, caption }) => ({ image: buildImage(src), caption }));
    const choice = new ImageChoice(part, this.strings.pick, answers, (rank) => this.trigger("answer_pick", { rank }));
    choice.choose(value.rank);
    this.#picks.replaceChildren(choice.node);
    if (focused) choice.focus(value.rank);
    this.#show();
  }

  #show() {
    const { strings } = this;
    const value = this.#value;
    const shown = value?.explanations.find(({ kind }) => kind === this.#kind);
    if (!value || !shown) return;
    this.#about.replaceChildren(...paragraphs(strings[`about.${shown.kind}`]));
    const maps = shown.maps.map((map) => decode(map, Float32Array));
    const most = Math.max(...maps.flatMap((map) => [...map].map(Math.abs)));
    const images = [value.query, value.answers[value.rank]].map((image, i) => partFigure(image, value.images[i], maps[i], most, strings.part));
    const numbers = build("div", "cl-numbers");
    numbers.append(this.#facts(value, shown), ...this.#charts(shown));
    this.#why.replaceChildren(...images.map(({ figure }) => figure), numbers);
    const still = shown.without.map(({ src, caption }) => Object.assign(buildImage(src, caption), { title: caption }));
    this.#still.replaceChildren(build("span", "", strings.without), ...still);
    this.#draws += 1;
    const draw = this.#draws;
    void Promise.all(images.map(({ drawn }) => drawn)).then(() => {
      if (draw === this.#draws) this.root.dataset.drawn = String(draw);
    });
  }

  /** @param {WhyValue} value @param {WhyExplanation} shown */
  #facts(value, shown) {
    const list = build("dl", "cl-facts");
    const row = (/** @type {string} */ key, /** @type {number | null} */ number) => {
      if (number === null) return;
      list.append(namedFact(this.strings, key, number.toFixed(3), number));
    };
    row("cosine", value.cosine);
    row("sum", shown.sum);
    row("gain", shown.curves?.gain ?? null);
    row("untrained", shown.untrained);
    return list;
  }

  /** @param {WhyExplanation} shown */
  #charts({ curves }) {
    if (!curves) return [];
    const { strings } = this;
    const chart = (/** @type {"deletion" | "insertion"} */ name) => {
      const figure = build("figure", "cl-chart");
      const shapes = whyCurveShapes(curves[name], curves[`random_${name}`], strings.axis);
      figure.append(build("figcaption", "", strings[name]), buildSvg(WHY_CURVE.width, WHY_CURVE.height, shapes, strings[name]));
      return figure;
    };
    const charts = build("div", "cl-charts");
    charts.append(chart("deletion"), chart("insertion"));
    return [charts, build("p", "cl-about", strings.lines)];
  }
}

/** @param {ImageValue} image @param {string} src @param {Float32Array} map @param {number} most @param {string} label */
function partFigure({ caption }, src, map, most, label) {
  const figure = build("figure", "cl-part");
  const canvas = build("canvas");
  canvas.width = canvas.height = SIDE;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", fill(label, { name: caption }));
  figure.append(canvas, build("figcaption", "", caption));
  return { figure, drawn: drawPart(canvas, src, map, most) };
}

/** @param {HTMLCanvasElement} canvas @param {string} src @param {Float32Array} map @param {number} most */
async function drawPart(canvas, src, map, most) {
  const image = await loadImage(src);
  const side = Math.round(Math.sqrt(map.length));
  const veil = document.createElement("canvas");
  veil.width = veil.height = side;
  penOf(veil).putImageData(new ImageData(new Uint8ClampedArray(veilPixels(map, most).buffer), side, side), 0, 0);
  const pen = penOf(canvas);
  pen.drawImage(image, 0, 0, SIDE, SIDE);
  pen.drawImage(veil, 0, 0, SIDE, SIDE);
}
