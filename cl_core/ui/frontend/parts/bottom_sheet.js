import { build, buildButton } from "../render/dom.js";

/** @import { Scope } from "../lib/scope.js" */

/**
 * Content that on a narrow page comes up from the bottom when it is asked for, and stands where it is on a wide one.
 */
export class BottomSheet {
  node = build("div", "cl-sheet");

  /** @param {Scope} scope @param {string} close what the button does @param {HTMLElement} content */
  constructor(scope, close, content) {
    const button = buildButton("cl-close", "×", close);
    scope.listen(button, "click", () => this.close());
    scope.listen(this.node, "keydown", (event) => {
      if (event.key === "Escape") this.close();
    });
    this.node.append(button, content);
  }

  open() {
    this.node.classList.add("cl-open");
  }

  close() {
    this.node.classList.remove("cl-open");
  }
}
