import { build, buildButton } from "../render/dom.js";

/** @import { Scope } from "../lib/scope.js" */

/**
 * Content that on a narrow page comes up from the bottom when it is asked for, and stands where it is on a wide one.
 */
export class BottomSheet {
  node = build("div", "cl-sheet");
  /** Where the focus was. @type {Element | null} */ #opener = null;

  /** @param {Scope} scope @param {string} close what the button does @param {HTMLElement} content */
  constructor(scope, close, content) {
    const button = buildButton("cl-close", "×", close);
    scope.listen(button, "click", () => this.close());
    scope.listen(document, "keydown", (event) => {
      if (event.key === "Escape") this.close();
    });
    this.node.append(button, content);
  }

  open() {
    if (!this.node.contains(document.activeElement)) this.#opener = document.activeElement;
    this.node.classList.add("cl-open");
  }

  close() {
    const inside = this.node.contains(document.activeElement);
    const open = this.node.classList.contains("cl-open") && getComputedStyle(this.node).position === "fixed"; // on a narrow page
    this.node.classList.remove("cl-open");
    if (open && inside && this.#opener instanceof HTMLElement) this.#opener.focus();
  }
}
