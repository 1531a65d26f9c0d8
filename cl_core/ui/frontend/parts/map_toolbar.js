import { build, buildButton, buildInput } from "../render/dom.js";
import { Chips } from "./chips.js";

/** @import { Scope } from "../lib/scope.js" */
/** @import { Strings } from "../types.js" */

const ZOOM = 1.5;

/**
 * Above a map: the finished run or its snapshots, points or images, what dragging does, and the zoom.
 */
export class MapToolbar {
  node = build("div", "cl-bar");
  lassoing = false;
  #modes;
  #looks;

  /**
   * @param {Scope} scope
   * @param {Strings} strings
   * @param {object} handlers
   * @param {(mode: string) => void} handlers.onMode "finished" or "time"
   * @param {(look: string) => void} handlers.onLook "points" or "images"
   * @param {() => void} handlers.onTool
   * @param {(shown: boolean) => void} handlers.onNames
   * @param {(factor: number) => void} handlers.onZoom
   * @param {() => void} handlers.onReset
   */
  constructor(scope, strings, { onMode, onLook, onTool, onNames, onZoom, onReset }) {
    /** @param {string} name @param {string[]} values @param {(value: string) => void} onChange */
    const chips = (name, values, onChange) => {
      const choices = values.map((value) => ({ value, text: strings[`${name}.${value}`] }));
      return new Chips(scope, strings[name], choices, onChange, { labelHidden: true });
    };
    this.#modes = chips("mode", ["finished", "time"], onMode);
    this.#looks = chips("look", ["images", "points"], onLook);
    const tools = chips("tool", ["move", "lasso"], (tool) => {
      this.lassoing = tool === "lasso";
      onTool();
    });
    const zooms = build("div", "cl-chips");
    /** @param {string} sign @param {string} label @param {() => void} onClick */
    const addButton = (sign, label, onClick) => {
      const button = buildButton("cl-tool", sign, label);
      scope.listen(button, "click", onClick);
      zooms.append(button);
    };
    addButton("+", strings.zoom_in, () => onZoom(ZOOM));
    addButton("−", strings.zoom_out, () => onZoom(1 / ZOOM));
    addButton("⤢", strings.whole, onReset);
    const names = buildInput({ type: "checkbox" });
    names.checked = true;
    const label = build("label", "cl-trails");
    label.append(names, strings.names);
    scope.listen(names, "change", () => onNames(names.checked));
    this.node.append(this.#modes.node, this.#looks.node, tools.node, zooms, label);
  }

  /** @param {string} mode */
  chooseMode(mode) {
    this.#modes.choose(mode);
  }

  /** @param {string} look */
  chooseLook(look) {
    this.#looks.choose(look);
  }

  /** @param {boolean} enabled whether the run has snapshots */
  enableTime(enabled) {
    this.#modes.enable("time", enabled);
  }
}
