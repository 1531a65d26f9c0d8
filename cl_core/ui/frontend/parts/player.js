import { fill } from "../lib/formats.js";
import { epochAt, formatEpoch } from "../lib/timeline.js";
import { build, buildButton, buildInput, buildSvg } from "../render/dom.js";

/** @import { Scope } from "../lib/scope.js" */
/** @import { Strings } from "../types.js" */

const ICONS = {
  play: "M3 1l11 7-11 7z",
  pause: "M3 1h3.6v14H3zM9.4 1H13v14H9.4z",
  back: "M2 2h2v12H2zM14 2v12L5 8z",
  next: "M12 2h2v12h-2zM2 2l9 6-9 6z",
};
const SECONDS_A_SNAPSHOT = 0.9;

/**
 * Plays the snapshots of a training run: play, pause, step, and a slider. Positions run from 0 to the number of snapshots
 * less 1; whole numbers are snapshots.
 */
export class Player {
  node = build("div", "cl-player");
  #strings;
  #seconds;
  #onMove;
  #nameOf;
  #play;
  #slider;
  #epoch = build("output", "cl-epoch");
  /** @type {number[]} */
  #epochs = [0];
  /** @type {number | null} */
  #frame = null;

  /**
   * @param {Scope} scope
   * @param {Strings} strings
   * @param {(position: number, epoch: number) => void} onMove
   * @param {number} [seconds] a snapshot
   * @param {(position: number, epoch: number) => string} [nameOf] how the place in training is written
   */
  constructor(scope, strings, onMove, seconds = SECONDS_A_SNAPSHOT, nameOf = (_, epoch) => formatEpoch(epoch)) {
    this.#nameOf = nameOf;
    this.#seconds = seconds;
    this.#strings = strings;
    this.#onMove = onMove;
    const back = iconButton(ICONS.back, strings.step_back);
    this.#play = iconButton(ICONS.play, strings.play);
    const next = iconButton(ICONS.next, strings.step_on);
    this.#slider = buildInput({ type: "range", min: "0", step: "any", value: "0" }, strings.snapshot);
    this.node.append(back, this.#play, next, this.#slider, this.#epoch);
    scope.listen(this.#play, "click", () => (this.#frame === null ? this.start() : this.pause()));
    const stop = (/** @type {() => number} */ position) => () => {
      this.pause();
      this.go(position());
    };
    scope.listen(back, "click", stop(() => Math.ceil(this.position) - 1));
    scope.listen(next, "click", stop(() => Math.floor(this.position) + 1));
    scope.listen(this.#slider, "input", stop(() => this.position));
    scope.onEnd(() => this.pause());
  }

  focus() {
    this.#play.focus();
  }

  get position() {
    return this.#slider.valueAsNumber;
  }

  get playing() {
    return this.#frame !== null;
  }

  /** @param {number[]} epochs of the snapshots */
  load(epochs) {
    this.pause();
    this.#epochs = epochs;
    this.#slider.max = String(epochs.length - 1);
  }

  /** @param {number} position is clipped */
  go(position) {
    this.#slider.value = String(Math.min(this.#epochs.length - 1, Math.max(0, position)));
    const epoch = epochAt(this.#epochs, this.position);
    this.#epoch.textContent = fill(this.#strings.epoch, { epoch: this.#nameOf(this.position, epoch) });
    this.#slider.setAttribute("aria-valuetext", this.#epoch.textContent);
    this.#onMove(this.position, epoch);
  }

  pause() {
    if (this.#frame !== null) cancelAnimationFrame(this.#frame);
    this.#frame = null;
    delete this.node.dataset.moving;
    this.#label(ICONS.play, this.#strings.play);
  }

  start() {
    this.pause();
    const last = this.#epochs.length - 1;
    if (this.position >= last) this.go(0);
    this.node.dataset.moving = "";
    this.#label(ICONS.pause, this.#strings.pause);
    let before = performance.now();
    const step = (/** @type {number} */ time) => {
      if (!this.node.clientWidth) {
        this.pause(); // the tab was left
        return;
      }
      this.go(this.position + (time - before) / 1000 / this.#seconds);
      before = time;
      if (this.position >= last) this.pause();
      else this.#frame = requestAnimationFrame(step);
    };
    this.#frame = requestAnimationFrame(step);
  }

  /** @param {string} icon @param {string} text */
  #label(icon, text) {
    this.#play.querySelector("path")?.setAttribute("d", icon);
    this.#play.title = text;
    this.#play.setAttribute("aria-label", text);
  }
}

/** @param {string} icon @param {string} label */
function iconButton(icon, label) {
  const button = buildButton("cl-player-button", "", label);
  button.append(buildSvg(16, 16, [`<path d="${icon}" fill="currentColor"/>`]));
  return button;
}
