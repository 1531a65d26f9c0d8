import { build, buildButton } from "../render/dom.js";

/** @import { Scope } from "../lib/scope.js" */

/**
 * A row of small images of which one is chosen.
 */
export class ImageChoice {
  node = build("div", "cl-picks");
  #buttons;

  /**
   * @param {Scope} scope
   * @param {string} label
   * @param {{ image: HTMLElement; caption: string }[]} choices
   * @param {(index: number) => void} onPick
   */
  constructor(scope, label, choices, onPick) {
    this.#buttons = choices.map(({ image, caption }, i) => {
      const button = buildButton("cl-pick", "", caption);
      button.append(image);
      scope.listen(button, "click", () => onPick(i));
      return button;
    });
    this.node.append(build("span", "", label), ...this.#buttons);
  }

  /** @param {number} index */
  choose(index) {
    this.#buttons.forEach((button, i) => button.setAttribute("aria-pressed", String(i === index)));
  }

  /** @param {number} index */
  focus(index) {
    this.#buttons[index]?.focus();
  }
}
