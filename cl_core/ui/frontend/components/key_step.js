// One step of training in four stages: encode, compare, update the weights, store the keys.

import { mountComponent } from "../lib/component.js";
import { decode } from "../lib/decode.js";
import { fill, formatNumber } from "../lib/formats.js";
import { heaviest, matchKeys, readKeys } from "../lib/keys.js";
import { drawLatest } from "../lib/latest.js";
import { smoothstep } from "../lib/points.js";
import { Chips } from "../parts/chips.js";
import { ImageChoice } from "../parts/image_choice.js";
import { namedFact } from "../parts/facts.js";
import { KeyCloud } from "../parts/key_cloud.js";
import { build, buildButton, buildImage, paragraphs, prefersStillness } from "../render/dom.js";
import { loadSheet } from "../render/sheet.js";

/** @import { Scope } from "../lib/scope.js" */
/** @import { Cloud } from "../parts/key_cloud.js" */
/** @import { Sheet } from "../render/sheet.js" */
/** @import { Context, KeyStepValue, Strings } from "../types.js" */

const STAGES = ["encode", "compare", "update", "store"];
const IMAGE = 22; // CSS pixels
const HEAVIEST = 6; // keys listed beside an anchor
const MOVE_MS = 900;

/** @param {Context<KeyStepValue, { strings: Strings }>} context */
export function mount(context) {
  return mountComponent(context, (root, scope) => {
    const draw = drawLatest(
      scope,
      (/** @type {KeyStepValue} */ value) => `${value.paradigm}/${value.number}`,
      (part, value) => show(part, root, context, value),
    );
    return (value) => (value.before ? draw(value) : null);
  });
}

/** @param {Scope} scope @param {HTMLElement} root @param {Context<KeyStepValue, { strings: Strings }>} context @param {KeyStepValue} value */
async function show(scope, root, { props, trigger }, value) {
  const sheet = await loadSheet(value.sprites);
  if (scope.ended) return;
  const view = new StepView(scope, props.strings, value, sheet, (name, number) => trigger("ask", { name, number }));
  const focused = root.contains(document.activeElement) ? document.activeElement : null;
  const inStages = root.querySelector(".cl-bar")?.contains(focused);
  root.replaceChildren(...view.nodes);
  view.go(0);
  if (focused?.classList.contains("cl-next")) view.focus();
  else if (focused instanceof HTMLInputElement) (inStages ? view.stages : view.choice).focus();
  root.dataset.drawn = value.paradigm;
}

class StepView {
  /** @type {HTMLElement[]} */ nodes;
  #cloud;
  #about = build("div", "cl-about");
  #facts = build("dl", "cl-facts");
  #list = build("div", "cl-list");
  #anchors;
  #next = buildButton("cl-next", "");
  #stage = 0;
  #anchor = 0;
  #kind;
  #most;
  #data;
  #moving = 0;
  #value;
  #strings;
  #sheet;
  #onAsk;

  /**
   * @param {Scope} scope
   * @param {Strings} strings
   * @param {KeyStepValue} value
   * @param {Sheet} sheet
   * @param {(name: string, number: number) => void} onAsk
   */
  constructor(scope, strings, value, sheet, onAsk) {
    this.#value = value;
    this.#strings = strings;
    this.#sheet = sheet;
    this.#onAsk = onAsk;
    this.#kind = value.paradigms.find(({ name }) => name === value.paradigm)?.kind ?? "batch";
    const before = { ...readKeys(value.before), places: decode(value.before.places, Int16Array) };
    const after = { ...readKeys(value.after), places: decode(value.after.places, Int16Array) };
    this.#data = {
      ...{ before, after, updated: decode(value.updated, Float32Array), batch: decode(value.batch, Int16Array) },
      ...{ cosines: decode(value.cosines, Float32Array), weights: decode(value.weights, Float32Array), same: matchKeys(before, after) },
    };
    this.#most = Math.max(...before.ages, ...after.ages);
    this.#cloud = new KeyCloud(scope, { strings, names: value.names, sheet, size: IMAGE });
    scope.onEnd(() => cancelAnimationFrame(this.#moving));
    const listed = value.paradigms.map(({ name, label }) => ({ value: name, text: label }));
    const choice = new Chips(scope, strings.method, listed, (name) => onAsk(name, 0), { labelHidden: true });
    choice.choose(value.paradigm);
    this.choice = choice;
    const stages = new Chips(
      scope,
      strings.stages,
      STAGES.map((stage) => ({ value: stage, text: this.#text(`stage.${stage}`) })),
      (stage) => this.go(STAGES.indexOf(stage)),
      { labelHidden: true },
    );
    this.stages = stages;
    scope.listen(this.#next, "click", () => this.#goOn());
    const images = value.anchors.map(({ src, caption }) => ({ image: buildImage(src), caption }));
    this.#anchors = new ImageChoice(scope, strings.anchor, images, (i) => {
      this.#anchor = i;
      this.go(this.#stage);
    });
    const side = build("div", "cl-side");
    side.append(this.#about, this.#anchors.node, this.#facts, this.#list);
    const figure = build("div", "cl-figure");
    figure.append(this.#cloud.node, this.#cloud.caption);
    const main = build("div", "cl-main");
    main.append(figure, side);
    const bar = build("div", "cl-bar");
    bar.append(stages.node, this.#next);
    this.nodes = [build("h2", "cl-title", fill(strings.title, { step: value.step + 1 })), choice.node, bar, main];
  }

  focus() {
    this.#next.focus();
  }

  /** The text for this kind of keys, or the one for all. @param {string} key */
  #text(key) {
    return this.#strings[`${key}.${this.#kind}`] ?? this.#strings[key];
  }

  #goOn() {
    const { number, most, paradigm } = this.#value;
    if (this.#stage < STAGES.length - 1) this.go(this.#stage + 1);
    else if (number + 1 < most) this.#onAsk(paradigm, number + 1);
  }

  /** @param {number} stage */
  go(stage) {
    const from = this.#stage;
    this.#stage = stage;
    this.stages.choose(STAGES[stage]);
    const last = stage === STAGES.length - 1;
    this.#next.textContent = last ? this.#strings.next_batch : fill(this.#strings.next, { stage: this.#text(`stage.${STAGES[stage + 1]}`) });
    const done = last && this.#value.number + 1 >= this.#value.most;
    if (done && document.activeElement === this.#next) this.stages.focus();
    this.#next.disabled = done;
    const numbers = { ...this.#numbers(), ...this.#counts() };
    this.#about.replaceChildren(...paragraphs(fill(this.#text(`about.${STAGES[stage]}`), numbers)));
    this.#anchors.choose(this.#anchor);
    this.#anchors.node.hidden = stage > 1;
    this.#list.hidden = stage !== 1;
    this.#showFacts();
    if (stage === 1) this.#showHeaviest();
    this.#draw(from);
  }

  #counts() {
    const { same, before, batch } = this.#data;
    const fresh = [...same].filter((index) => index < 0).length;
    const kept = same.length - fresh;
    return { batch: batch.length, keys: before.ages.length, fresh, left: before.ages.length - kept, oldest: Math.max(...before.ages) };
  }

  #numbers() {
    const { consistency, gradient, lr } = this.#value;
    const fixed = Object.fromEntries(Object.entries(consistency).map(([key, each]) => [key, each.toFixed(4)]));
    return { ...fixed, gradient: formatNumber(gradient), lr: formatNumber(lr) };
  }

  #showFacts() {
    const { loss, chance, gradient, consistency, anchors } = this.#value;
    const anchor = anchors[this.#anchor];
    /** @type {[string, number][][]} */
    const stages = [
      [["consistency", consistency.before]],
      [["own", anchor.own], ["anchor_loss", anchor.loss], ["loss", loss], ["chance", chance]],
      [["gradient", gradient], ["consistency", consistency.updated]],
      [["consistency", consistency.after]],
    ];
    const strings = this.#strings;
    const rows = stages[this.#stage].map(([key, exact]) =>
      namedFact(strings, key, exact.toFixed(4), exact),
    );
    this.#facts.replaceChildren(...rows);
  }

  #showHeaviest() {
    const { before, cosines, weights } = this.#data;
    const count = before.ages.length;
    const items = heaviest(weights, this.#anchor, count, HEAVIEST).map((key) => {
      const item = build("figure", "cl-key-item");
      const at = this.#anchor * count + key;
      const percent = (100 * weights[at]).toFixed(1);
      const note = fill(this.#strings.weighed, { cosine: cosines[at].toFixed(2), percent, age: before.ages[key] });
      item.append(this.#sheet.tileElement(before.instances[key], 40), build("figcaption", "", note));
      return item;
    });
    this.#list.replaceChildren(build("p", "cl-list-title", this.#strings.heaviest), ...items);
  }

  /** The keys as they are at the end of a stage. @param {number} stage @returns {Cloud} */
  #cloudAt(stage) {
    const { before, after, updated, weights, cosines } = this.#data;
    if (stage === 1) {
      const count = before.ages.length;
      const [own, near] = [weights, cosines].map((all) => all.subarray(this.#anchor * count, (this.#anchor + 1) * count));
      const most = Math.max(...own, 1e-12);
      return { ...before, cosines: near, lowest: -1, strength: (i) => Math.sqrt(own[i] / most) };
    }
    if (stage === 2) return { ...before, cosines: updated };
    return stage === 3 ? after : before;
  }

  /** @param {number} from the stage before: its keys move to their new places */
  #draw(from) {
    cancelAnimationFrame(this.#moving);
    const stage = this.#stage;
    const label = fill(this.#strings.summary, { name: this.#text(`stage.${STAGES[stage]}`), ...this.#numbers(), ...this.#counts() });
    const end = this.#cloudAt(stage);
    const finish = () => this.#cloud.show(end, this.#most, label);
    if (prefersStillness() || stage < 2 || from !== stage - 1) {
      finish();
      return;
    }
    const { before, updated, same } = this.#data;
    const start = stage === 2 ? before : { ...before, cosines: updated };
    const source = (/** @type {number} */ i) => (stage === 2 ? i : same[i]);
    const begun = performance.now();
    const frame = () => {
      const done = Math.min(1, (performance.now() - begun) / MOVE_MS);
      const part = smoothstep(done);
      const mixed = (/** @type {ArrayLike<number>} */ to, /** @type {ArrayLike<number>} */ old, /** @type {number} */ fresh) =>
        Float32Array.from(to, (value, i) => {
          const first = source(i) < 0 ? fresh : old[source(i)];
          return first + part * (value - first);
        });
      const cosines = mixed(end.cosines, start.cosines, 1);
      this.#cloud.show({ ...end, cosines, ages: mixed(end.ages, start.ages, 0) }, this.#most, label);
      if (done < 1) this.#moving = requestAnimationFrame(frame);
      else finish();
    };
    frame();
  }
}
