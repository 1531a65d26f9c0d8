// The keys of five runs side by side, by age and drift, over the time of training.

import { mountComponent } from "../lib/component.js";
import { fill, formatPercent } from "../lib/formats.js";
import { KEY_HISTORY, keyHistoryShapes, readKeys } from "../lib/keys.js";
import { drawLatest } from "../lib/latest.js";
import { fetchJson } from "../lib/page.js";
import { namedFact } from "../parts/facts.js";
import { KeyCloud } from "../parts/key_cloud.js";
import { Player } from "../parts/player.js";
import { build, buildSvg, paragraphs } from "../render/dom.js";
import { loadSheet } from "../render/sheet.js";

/** @import { Scope } from "../lib/scope.js" */
/** @import { Sheet } from "../render/sheet.js" */
/** @import { Context, KeysFile, KeysViewValue, ParadigmValue, Strings } from "../types.js" */

const IMAGE = 15; // CSS pixels
const SECONDS_A_SNAPSHOT = 0.6;

/** @param {Context<KeysViewValue, { strings: Strings }>} context */
export function mount(context) {
  return mountComponent(context, (root, scope) => {
    const draw = drawLatest(
      scope,
      (/** @type {KeysViewValue} */ value) => value.file,
      (part, value) => show(part, root, context.props.strings, value),
    );
    return (value) => (value.file ? draw(value) : null);
  });
}

/** @param {Scope} scope @param {HTMLElement} root @param {Strings} strings @param {KeysViewValue} value */
async function show(scope, root, strings, value) {
  /** @type {[KeysFile, Sheet]} */
  const [file, sheet] = await Promise.all([fetchJson(value.file, scope.signal), loadSheet(value.sprites)]);
  if (scope.ended) return;
  const panels = file.paradigms.map((paradigm) => new RunPanel(scope, strings, paradigm, file.names, sheet));
  const row = build("div", "cl-paradigms");
  row.append(...panels.map(({ node }) => node));
  const { steps } = file;
  let shown = -1;
  const player = new Player(
    scope,
    strings,
    (position) => {
      const now = Math.round(position);
      if (now !== shown) panels.forEach((panel) => panel.go(now));
      shown = now;
    },
    SECONDS_A_SNAPSHOT,
    (position) => String(steps[Math.round(position)]), // of the snapshot that is shown
  );
  root.replaceChildren(player.node, row, build("p", "cl-note", strings.axes));
  player.load(steps);
  player.go(Math.min(file.first, steps.length - 1));
  root.dataset.drawn = "";
}

class RunPanel {
  node = build("section", "cl-paradigm");
  #cloud;
  #facts = build("dl", "cl-facts");
  #history = build("div", "cl-history");
  #snapshots;
  #most;
  #strings;
  #paradigm;

  /** @param {Scope} scope @param {Strings} strings @param {ParadigmValue} paradigm @param {string[]} names @param {Sheet} sheet */
  constructor(scope, strings, paradigm, names, sheet) {
    this.#strings = strings;
    this.#paradigm = paradigm;
    this.#cloud = new KeyCloud(scope, { strings, names, sheet, size: IMAGE });
    this.#snapshots = paradigm.snapshots.map((snapshot) => ({ ...snapshot, ...readKeys(snapshot) }));
    this.#most = Math.max(...this.#snapshots.flatMap(({ ages }) => [...ages]));
    const about = build("div", "cl-about");
    about.append(...paragraphs(paradigm.about));
    this.node.append(build("h2", "cl-title", paradigm.label), this.#facts, this.#cloud.node, this.#cloud.caption, this.#history, about);
  }

  /** @param {number} now index of the snapshot */
  go(now) {
    const strings = this.#strings;
    const snapshot = this.#snapshots[now];
    const label = fill(strings.summary, {
      name: this.#paradigm.label,
      count: snapshot.ages.length,
      step: snapshot.step,
      consistency: snapshot.consistency.toFixed(3),
    });
    this.#cloud.show(snapshot, this.#most, label);
    const facts = [this.#fact("consistency", snapshot.consistency), this.#fact("knn", this.#paradigm.knn)];
    if (snapshot.lag !== null) facts.push(this.#fact("lag", snapshot.lag));
    this.#facts.replaceChildren(...facts);
    const shapes = keyHistoryShapes(this.#snapshots, now, strings.steps);
    this.#history.replaceChildren(buildSvg(KEY_HISTORY.width, KEY_HISTORY.height, shapes, strings.history));
  }

  /** @param {string} key @param {number} exact */
  #fact(key, exact) {
    return namedFact(this.#strings, key, key === "knn" ? formatPercent(exact) : exact.toFixed(3), exact);
  }
}
