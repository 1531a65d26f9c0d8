import { fill } from "../lib/formats.js";
import { sample } from "../lib/geometry.js";
import { build, buildButton } from "../render/dom.js";

/** @import { Scope } from "../lib/scope.js" */
/** @import { NeighborLines, Strings } from "../types.js" */

const MAX_BATCH = 32;

/**
 * Below a map: what can be done with the selected points and with the chosen one.
 */
export class MapSelection {
  node = build("div", "cl-selection");
  #strings;
  #trigger;
  #onClear;
  #part;

  /**
   * @param {Scope} scope
   * @param {Strings} strings
   * @param {(event: string, data: object) => void} trigger
   * @param {() => void} onClear
   */
  constructor(scope, strings, trigger, onClear) {
    this.node.setAttribute("aria-live", "polite");
    this.#strings = strings;
    this.#trigger = trigger;
    this.#onClear = onClear;
    this.#part = scope.slot();
  }

  /**
   * @param {Set<number>} selected
   * @param {number} chosen -1 is none
   * @param {NeighborLines | null} lines the chosen point's neighbors, once the server has sent them
   */
  show(selected, chosen, lines) {
    const strings = this.#strings;
    const part = this.#part();
    const focused = this.node.contains(document.activeElement) ? document.activeElement?.textContent : null;
    this.node.replaceChildren();
    /** @param {string} text @param {() => void} onClick */
    const addButton = (text, onClick) => {
      const button = buildButton("cl-act", text);
      part.listen(button, "click", onClick);
      this.node.append(button);
      return button;
    };
    const points = [...selected];
    if (points.length) {
      this.node.append(build("span", "cl-count", fill(strings.selected, { count: points.length })));
      const batch = sample(points, MAX_BATCH);
      const use = addButton(fill(strings.use_batch, { count: batch.length }), () => this.#trigger("use_batch", { ids: batch }));
      use.disabled = points.length < 2;
      addButton(strings.clear, this.#onClear);
    }
    if (chosen >= 0) addButton(strings.use_search, () => this.#trigger("use_search", { id: chosen }));
    if (chosen >= 0 && lines) {
      addButton(strings.batch_neighbors, () => this.#trigger("use_batch", { ids: [lines.from, ...lines.to] }));
    }
    const same = focused && [...this.node.querySelectorAll("button")].find((button) => button.textContent === focused);
    if (same) same.focus({ preventScroll: true });
  }

  /** Show nothing. */
  clear() {
    this.show(new Set(), -1, null);
  }
}
