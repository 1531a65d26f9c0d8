import { build, buildInput, uniqueName } from "../render/dom.js";

/** @import { Scope } from "../lib/scope.js" */

/**
 * A group of radio buttons drawn as chips.
 */
export class Chips {
  node = build("fieldset", "cl-chips");
  /** @type {HTMLInputElement[]} */
  #inputs = [];

  /**
   * @param {Scope} scope
   * @param {string} label of the group
   * @param {{ value: string; text: string }[]} choices the first is chosen
   * @param {(value: string) => void} onChange
   * @param {{ labelHidden?: boolean }} [look] whether only screen readers get the label
   */
  constructor(scope, label, choices, onChange, { labelHidden = false } = {}) {
    const name = uniqueName("choice");
    this.node.append(build("legend", labelHidden ? "cl-hidden" : "cl-legend", label));
    for (const { value, text } of choices) {
      const chip = build("label", "cl-chip");
      const input = buildInput({ type: "radio", name, value });
      chip.append(input, build("span", "", text));
      this.node.append(chip);
      this.#inputs.push(input);
    }
    scope.listen(this.node, "change", (event) => onChange(/** @type {HTMLInputElement} */ (event.target).value));
    this.choose(choices[0]?.value);
  }

  /** @param {string} value */
  choose(value) {
    for (const input of this.#inputs) input.checked = input.value === value;
  }

  focus() {
    this.#inputs.find((input) => input.checked)?.focus();
  }

  /** @param {string} value @param {boolean} enabled */
  enable(value, enabled) {
    for (const input of this.#inputs) if (input.value === value) input.disabled = !enabled;
  }

  /** @param {string} value @param {string} text */
  rename(value, text) {
    for (const input of this.#inputs) {
      if (input.value === value) /** @type {HTMLElement} */ (input.nextElementSibling).textContent = text;
    }
  }
}
