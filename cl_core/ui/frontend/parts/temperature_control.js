import { fill, formatNumber } from "../lib/formats.js";
import { build, buildButton, buildInput } from "../render/dom.js";

/** @import { LogScale } from "../lib/scales.js" */
/** @import { Scope } from "../lib/scope.js" */

const STEPS = 300;

/**
 * A logarithmic slider with a field for the number and a button for the run's own temperature.
 */
export class TemperatureControl {
  node = build("div", "cl-temperature");
  #scale;
  #range;
  #number;
  #own;
  #strings;
  #shown = "";

  /**
   * @param {Scope} scope
   * @param {LogScale} scale
   * @param {{ label: string; own: string; start: string; low?: string; high?: string }} strings own: where a model was trained with a temperature;
   *     start: where it was not; low, high: what the ends mean
   * @param {(temperature: number | null) => void} onChange null is the run's own temperature
   */
  constructor(scope, scale, strings, onChange) {
    this.#scale = scale;
    this.#strings = strings;
    const label = build("label", "cl-name", strings.label);
    const limits = { min: String(scale.low), max: String(scale.high) };
    this.#number = buildInput({ type: "number", ...limits, step: "any", class: "cl-number" });
    this.#own = buildButton("cl-own", strings.own);
    this.#range = buildInput({ type: "range", min: "0", max: String(STEPS), step: "1" }, strings.label);
    label.append(this.#number);
    this.node.append(label, this.#own, this.#range);
    if (strings.low && strings.high) {
      const ends = build("div", "cl-ends");
      const values = { low: { t: scale.low }, high: { t: scale.high } };
      ends.append(build("span", "", fill(strings.low, values.low)), build("span", "", fill(strings.high, values.high)));
      this.node.append(ends);
    }
    scope.listen(this.#range, "input", () => onChange(scale.value(this.#range.valueAsNumber / STEPS)));
    scope.listen(this.#number, "input", () => {
      const value = this.#number.valueAsNumber;
      if (scale.has(value)) onChange(value); // otherwise it is half typed
    });
    scope.listen(this.#number, "change", () => (this.#number.value = this.#shown)); // what was not taken goes
    scope.listen(this.#own, "click", () => onChange(null));
  }

  /**
   * @param {number | null} temperature null is the run's own
   * @param {number} own
   * @param {boolean} trained whether the run was trained with that temperature
   * @param {boolean} [enabled] false for a loss without a temperature
   */
  show(temperature, own, trained, enabled = true) {
    this.#own.textContent = trained ? this.#strings.own : fill(this.#strings.start, { t: Number(own.toPrecision(3)) });
    const value = temperature ?? own;
    this.#range.value = String(Math.round(this.#scale.fraction(value) * STEPS));
    this.#range.setAttribute("aria-valuetext", formatNumber(value));
    this.#shown = String(Number(value.toPrecision(3)));
    if (document.activeElement !== this.#number) this.#number.value = this.#shown;
    if (temperature === null && document.activeElement === this.#own) this.#range.focus();
    this.#own.disabled = temperature === null;
    this.#range.disabled = this.#number.disabled = !enabled;
  }
}
