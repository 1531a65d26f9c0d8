import { Strokes, drawStrokes } from "../lib/strokes.js";
import { penOf } from "../render/canvas.js";
import { build, buildButton } from "../render/dom.js";
import { Chips } from "./chips.js";

/** @import { Scope } from "../lib/scope.js" */
/** @import { Strings } from "../types.js" */

const SIDE = 512; // pixels of the drawing
const COLORS = {
  ...{ black: "#222222", red: "#e63946", orange: "#ff9f1c", yellow: "#ffd23f", green: "#2a9d4a" },
  ...{ blue: "#2a7fdb", purple: "#8338ec", brown: "#8d5524", pink: "#ffb4c8", white: "#ffffff" },
};
const WIDTHS = { thin: 0.02, medium: 0.05, thick: 0.14 };

/**
 * A square to draw on.
 */
export class DrawingPad {
  node = build("div", "cl-pad");
  #strokes = new Strokes();
  #canvas = build("canvas", "cl-paper");
  #color = COLORS.black;
  #width = WIDTHS.medium;
  #buttons;

  /**
   * @param {Scope} scope
   * @param {Strings} strings
   * @param {(file: File) => void} onDone
   */
  constructor(scope, strings, onDone) {
    [this.#canvas.width, this.#canvas.height] = [SIDE, SIDE];
    this.#canvas.setAttribute("role", "img");
    this.#canvas.setAttribute("aria-label", strings.pad);
    const palette = build("div", "cl-palette");
    palette.setAttribute("role", "group");
    palette.setAttribute("aria-label", strings.colors);
    palette.append(...Object.entries(COLORS).map(([name, color]) => this.#swatch(scope, strings[`color.${name}`], color)));
    const widths = Object.keys(WIDTHS).map((name) => ({ value: name, text: strings[`width.${name}`] }));
    const choice = new Chips(scope, strings.width, widths, (name) => (this.#width = WIDTHS[/** @type {"thin"} */ (name)]), {
      labelHidden: true,
    });
    choice.choose("medium");
    const undo = buildButton("cl-act", strings.undo);
    const clear = buildButton("cl-act", strings.clear);
    const search = buildButton("cl-act cl-main", strings.search_drawing);
    this.#buttons = [undo, clear, search];
    scope.listen(undo, "click", () => this.#change(() => this.#strokes.undo()));
    scope.listen(clear, "click", () => this.#change(() => this.#strokes.clear()));
    scope.listen(search, "click", () => {
      this.#canvas.toBlob((blob) => {
        if (blob) onDone(new File([blob], "drawing.png", { type: "image/png" }));
      });
    });
    const row = build("div", "cl-pad-row");
    row.append(...this.#buttons);
    this.node.append(this.#canvas, palette, choice.node, row, build("p", "cl-pad-hint", strings.drawing_hint));
    this.#listen(scope);
    this.#change(() => {});
  }

  /** @param {Scope} scope @param {string} name @param {string} color */
  #swatch(scope, name, color) {
    const button = buildButton("cl-swatch", "", name);
    button.style.background = color;
    button.setAttribute("aria-pressed", String(color === this.#color));
    scope.listen(button, "click", () => {
      this.#color = color;
      for (const other of button.parentElement?.children ?? []) other.setAttribute("aria-pressed", String(other === button));
    });
    return button;
  }

  /** @param {Scope} scope */
  #listen(scope) {
    const place = (/** @type {PointerEvent} */ event) => {
      const box = this.#canvas.getBoundingClientRect();
      return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
    };
    let drawing = -1; // the pointer that draws; a second finger does not
    scope.listen(this.#canvas, "lostpointercapture", () => (drawing = -1));
    scope.listen(this.#canvas, "pointerdown", (event) => {
      const pointer = /** @type {PointerEvent} */ (event);
      if (pointer.button || drawing >= 0) return;
      drawing = pointer.pointerId;
      this.#canvas.setPointerCapture(pointer.pointerId);
      const [x, y] = place(pointer);
      this.#change(() => this.#strokes.begin(this.#color, this.#width, x, y));
    });
    scope.listen(this.#canvas, "pointermove", (event) => {
      const pointer = /** @type {PointerEvent} */ (event);
      if (pointer.pointerId !== drawing) return;
      const [x, y] = place(pointer);
      this.#change(() => this.#strokes.extend(x, y));
    });
  }

  /** @param {() => void} change */
  #change(change) {
    change();
    drawStrokes(penOf(this.#canvas), this.#strokes.list, SIDE);
    const focused = this.#buttons?.some((button) => button === document.activeElement);
    for (const button of this.#buttons ?? []) button.disabled = this.#strokes.empty;
    if (focused && this.#strokes.empty) /** @type {HTMLElement | null} */ (this.node.querySelector("[aria-pressed=true]"))?.focus();
  }
}
