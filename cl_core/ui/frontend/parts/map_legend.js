import { VIRIDIS, groupColor, toHex } from "../lib/colors.js";
import { build, buildButton } from "../render/dom.js";

/** @import { Scope } from "../lib/scope.js" */
/** @import { Scene } from "../types.js" */

/**
 * A dot in a group's color and its name.
 *
 * @param {HTMLElement} node to fill
 * @param {string} name
 * @param {number} group
 */
export function fillKey(node, name, group) {
  const dot = build("span", "cl-dot");
  dot.style.background = groupColor(group);
  node.append(dot, name);
  return node;
}

/**
 * What the colors of a map mean. A click on a group hides or shows its points.
 */
export class MapLegend {
  node = build("div", "cl-legend");
  #toggle;
  #hidden;

  /**
   * @param {Scope} scope
   * @param {string} toggle what a click does
   * @param {Set<number>} hidden groups
   * @param {() => void} onChange
   */
  constructor(scope, toggle, hidden, onChange) {
    this.#toggle = toggle;
    this.#hidden = hidden;
    scope.listen(this.node, "click", (event) => {
      const button = /** @type {HTMLElement} */ (event.target).closest("button");
      if (!button) return;
      const group = Number(button.dataset.group);
      if (!hidden.delete(group)) hidden.add(group);
      button.setAttribute("aria-pressed", String(!hidden.has(group)));
      onChange();
    });
  }

  /** @param {Scene} scene */
  show(scene) {
    if (scene.score) {
      const scale = build("div", "cl-scale");
      scale.style.background = `linear-gradient(to right, ${VIRIDIS.map(toHex).join(", ")})`;
      const ends = [scene.low, scene.high].map((value) => build("span", "", value.toFixed(2)));
      this.node.replaceChildren(build("span", "", scene.about), ends[0], scale, ends[1]);
      return;
    }
    const keys = scene.groupNames.map((name, group) => {
      const button = fillKey(buildButton("cl-key", ""), name, group);
      button.dataset.group = String(group);
      button.setAttribute("aria-description", this.#toggle);
      button.setAttribute("aria-pressed", String(!this.#hidden.has(group)));
      return button;
    });
    this.node.replaceChildren(...keys);
  }
}
