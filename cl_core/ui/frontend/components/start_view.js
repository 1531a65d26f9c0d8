// The first view: images drift from where an untrained network puts them to where training puts them.

import { mountComponent, valueOf } from "../lib/component.js";
import { Failure } from "../lib/failure.js";
import { fill } from "../lib/formats.js";
import { fetchJson } from "../lib/page.js";
import { lastStep, stepAddress } from "../lib/tour.js";
import { Drift } from "../parts/drift.js";
import { Player } from "../parts/player.js";
import { leadToTab } from "../parts/tab_link.js";
import { build, paragraphs, prefersStillness } from "../render/dom.js";
import { loadSheet } from "../render/sheet.js";

/** @import { Scope } from "../lib/scope.js" */
/** @import { Sheet } from "../render/sheet.js" */
/** @import { Context, StartFile, StartValue, Strings } from "../types.js" */

const SECONDS_A_SNAPSHOT = 0.75;
const PAUSE_MS = 900; // in which one sees the untrained layout

/** @param {Context<StartValue, { strings: Strings; doors: string[] }>} context */
export function mount(context) {
  return mountComponent(context, (root, scope) => {
    const { strings, doors } = context.props;
    const stage = build("div", "cl-stage");
    const sentence = build("div", "cl-sentence");
    const ways = build("nav", "cl-doors");
    ways.setAttribute("aria-label", strings.doors);
    ways.append(door(strings, "tour"), ...doors.map((tab) => tabDoor(scope, strings, tab)));
    const load = (/** @type {StartValue} */ value) => show(scope, context, stage, value, failure);
    const failure = new Failure(scope, context.props, () => load(/** @type {StartValue} */ (valueOf(context.props))));
    root.replaceChildren(sentence, stage, ways);
    return (value) => {
      sentence.replaceChildren(...paragraphs(fill(strings.sentence, { count: value.count })));
      const seen = lastStep();
      const step = seen <= value.steps.length ? seen : 1; // an earlier version had more
      const link = ways.querySelector("a");
      if (link && value.steps.length) {
        link.href = stepAddress(value.steps, step);
        if (step > 1) link.querySelector("strong")?.replaceChildren(fill(strings.resume, { number: step }));
      }
      return value.file ? load(value) : null;
    };
  });
}

/**
 * @param {Scope} scope
 * @param {Context<StartValue, { strings: Strings }>} context
 * @param {HTMLElement} stage
 * @param {StartValue} value
 * @param {Failure} failure
 */
async function show(scope, { props, trigger }, stage, value, failure) {
  const { strings } = props;
  stage.dataset.moving = ""; // until the drift has come to rest, which begins when the images are loaded
  try {
    /** @type {[StartFile, Sheet]} */
    const [file, sheet] = await Promise.all([fetchJson(value.file, scope.signal), loadSheet(value.sprites)]);
    if (scope.ended) return;
    const drift = new Drift(scope, strings, file, sheet, (id) => trigger("open_image", { id }));
    const player = new Player(scope, strings, (position) => drift.go(position), SECONDS_A_SNAPSHOT);
    const bar = build("div", "cl-bar");
    bar.append(player.node, drift.caption);
    failure.end(stage);
    stage.replaceChildren(drift.node, bar);
    player.load(file.epochs);
    const last = file.epochs.length - 1;
    player.go(prefersStillness() ? last : 0);
    stage.dataset.drawn = "";
    if (prefersStillness()) delete stage.dataset.moving;
    else scope.later(PAUSE_MS, () => {
      delete stage.dataset.moving;
      if (player.position === 0 && !player.playing) player.start(); // unless the reader was faster
    })();
  } catch {
    delete stage.dataset.moving;
    if (scope.ended) return;
    failure.showUnloaded();
    if (!stage.contains(failure.node)) stage.replaceChildren(failure.node); // the doors stay
  }
}

/** @param {Strings} strings @param {string} name */
function door(strings, name) {
  const link = build("a", "cl-door");
  link.append(build("strong", "", strings[`${name}.title`]), build("span", "", strings[`${name}.about`]));
  return link;
}

/** @param {Scope} scope @param {Strings} strings @param {string} tab where it leads */
function tabDoor(scope, strings, tab) {
  const link = door(strings, tab);
  leadToTab(scope, link, tab);
  return link;
}
