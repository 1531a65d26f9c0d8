import { framesOf } from "../lib/panels.js";
import { matrixSvg } from "../lib/svg.js";
import { build, isShortcut, paperShape } from "../render/dom.js";
import { MatrixDrawing } from "../render/matrix.js";

/** @import { Scope } from "../lib/scope.js" */
/** @import { Sheet } from "../render/sheet.js" */
/** @import { Panel } from "../types.js" */

/** @type {Record<string, [number, number]>} */
const STEPS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

/**
 * A matrix that the pointer and the arrow keys explore.
 */
export class MatrixPanel {
  node = build("section", "cl-matrix");
  #drawing = new MatrixDrawing();
  #frame = build("div", "cl-frame");
  #rowBand = build("div", "cl-band");
  #columnBand = build("div", "cl-band");
  #cursor = build("div", "cl-cursor");
  #width = 0; // asking for it while drawing would lay the page out anew

  /**
   * @param {Scope} scope
   * @param {{ title: string; label: string; hint: string }} strings
   * @param {object} cells
   * @param {(row: number, column: number) => void} cells.onPoint the pointer is over a cell
   * @param {(row: number, column: number) => void} cells.onPick a click or a key chose a cell
   * @param {() => [row: number, column: number]} cells.current
   */
  constructor(scope, { title, label, hint }, { onPoint, onPick, current }) {
    const frame = this.#frame;
    frame.tabIndex = 0;
    frame.setAttribute("role", "application");
    frame.setAttribute("aria-label", label);
    this.unmark();
    frame.append(this.#drawing.canvas, this.#rowBand, this.#columnBand, this.#cursor);
    if (title) this.node.append(build("h2", "cl-title", title));
    this.node.append(frame, build("p", "cl-keys", hint));
    scope.onResize(frame, () => (this.#width = frame.clientWidth));
    scope.listen(frame, "pointermove", (event) => this.#withCell(event, onPoint));
    scope.listen(frame, "click", (event) => this.#withCell(event, onPick));
    scope.listen(frame, "keydown", (event) => {
      if (isShortcut(event)) return;
      const step = STEPS[event.key];
      if (!step) return;
      event.preventDefault();
      const [row, column] = current();
      const clip = (/** @type {number} */ value, /** @type {number} */ count) => Math.min(count - 1, Math.max(0, value));
      onPick(clip(row + step[0], this.#drawing.rows), clip(column + step[1], this.#drawing.columns));
    });
  }

  get canvas() {
    return this.#drawing.canvas;
  }

  /** @param {MouseEvent} event @param {(row: number, column: number) => void} handler */
  #withCell(event, handler) {
    const box = this.#frame.getBoundingClientRect();
    const cell = this.#drawing.cellAt(event.clientX - box.left, event.clientY - box.top);
    if (cell) handler(...cell);
  }

  /** Draw the panel's pixels, with the images of its rows and columns. @param {Panel} panel @param {Sheet | null} sheet */
  draw(panel, sheet) {
    const { rows, columns } = panel.table;
    const images = sheet && { sheet, rows: panel.rowSprites, columns: panel.columnSprites };
    this.#width ||= this.#frame.clientWidth;
    if (this.#width) this.#drawing.draw(this.#width, rows, columns, panel.pixels, framesOf(panel), images);
  }

  /** Highlight nothing. */
  unmark() {
    for (const mark of [this.#rowBand, this.#columnBand, this.#cursor]) mark.hidden = true;
  }

  /** Highlight a cell with its row and column. @param {number} row @param {number} column */
  mark(row, column) {
    const { cell, side, rows, columns } = this.#drawing;
    const [x, y] = [side + column * cell, side + row * cell];
    place(this.#rowBand, 0, y, side + columns * cell, cell);
    place(this.#columnBand, x, 0, cell, side + rows * cell);
    place(this.#cursor, x, y, cell, cell);
  }
}

/** The matrix of a panel as SVG. @param {Panel} panel */
export function panelSvg(panel) {
  return matrixSvg({ ...panel.table, falseNegative: panel.falseNegative }, panel.pixels, paperShape());
}

/**
 * @param {HTMLElement} mark
 * @param {number} x
 * @param {number} y
 * @param {number} width
 * @param {number} height
 */
function place(mark, x, y, width, height) {
  mark.hidden = false;
  mark.style.cssText = `transform:translate(${x}px,${y}px);width:${width}px;height:${height}px`;
}
