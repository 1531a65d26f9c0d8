/** @import { Scope } from "./scope.js" */

/**
 * What stands in the place of a view that could not be loaded: a sentence, and a button that tries again.
 */
export class Failure {
  node = document.createElement("p");
  #sentence;
  #retry = document.createElement("button");
  #busy = false;

  /**
   * @param {Scope} scope
   * @param {{ unloaded: string; retry: string }} strings
   * @param {() => Promise<void>} onRetry
   */
  constructor(scope, { unloaded, retry }, onRetry) {
    this.#sentence = unloaded;
    this.node.className = "cl-problem";
    this.node.setAttribute("role", "alert");
    Object.assign(this.#retry, { type: "button", className: "cl-retry", textContent: retry });
    scope.listen(this.#retry, "click", async () => {
      if (this.#busy) return;
      this.#busy = true;
      try {
        await onRetry();
      } finally {
        this.#busy = false;
      }
    });
  }

  /** A file could not be loaded. The button keeps the focus where it is tried again. */
  showUnloaded() {
    if (!this.node.contains(this.#retry)) this.node.replaceChildren(this.#sentence, this.#retry);
  }

  /** @param {string} sentence empty where there is no failure */
  show(sentence) {
    this.node.replaceChildren(...(sentence ? [sentence] : []));
  }

  /** The view is there: it takes the focus that the button had. @param {HTMLElement} view */
  end(view) {
    const focused = document.activeElement === this.#retry;
    this.show("");
    if (!focused) return;
    view.tabIndex = -1;
    view.focus({ preventScroll: true });
  }
}
