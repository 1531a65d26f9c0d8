import { HIGHLIGHT, LINE, NEGATIVE, POSITIVE } from "../lib/colors.js";
import { fill, formatNumber, formatPercent } from "../lib/formats.js";
import { BARS, orderBars, rowBars } from "../lib/bars.js";
import { escapeXml, svgText } from "../lib/svg.js";
import { penOf, sizeCanvas } from "../render/canvas.js";
import { build, paperShape } from "../render/dom.js";

/** @import { Scope } from "../lib/scope.js" */
/** @import { Sheet } from "../render/sheet.js" */
/** @import { Anatomy, Panel, Strings } from "../types.js" */

/** @typedef {{ panel: Panel; parts: Anatomy; row: number; column: number; sheet: Sheet | null }} ShownRow */

const STRIP_Y = BARS.base + BARS.gap / 2; // of the images between the bars

/**
 * An anchor's candidates, the most similar first: upwards the probability, downwards the gradient, images between.
 */
export class ProbabilityBars {
  canvas = build("canvas", "cl-bars");
  #strings;
  /** What the order and the images were made for. @type {unknown[]} */ #drawnFor = [];
  /** @type {{ columns: number[]; width: number }} */ #order = { columns: [], width: 1 };
  #ink = "";
  #width = 0;
  /** @type {ShownRow | null} */ #shown = null;

  /** @param {Scope} scope @param {Strings} strings @param {(column: number) => void} onPoint */
  constructor(scope, strings, onPoint) {
    this.#strings = strings;
    this.canvas.setAttribute("role", "img");
    const point = (/** @type {PointerEvent} */ event) => {
      const x = event.clientX - this.canvas.getBoundingClientRect().left;
      const column = this.#order.columns[Math.floor(x / this.#order.width)];
      if (column !== undefined) onPoint(column);
    };
    scope.listen(this.canvas, "pointermove", point);
    scope.listen(this.canvas, "pointerdown", point); // a tap
  }

  /** The columns in their order, as far as there is room. */
  get columns() {
    return this.#order.columns;
  }

  /** @param {ShownRow} shown @param {number} width CSS pixels there are */
  draw(shown, width) {
    if (!width) return;
    const { panel, row, column, sheet } = shown;
    [this.#shown, this.#width] = [shown, width];
    // The order and the images stay while only the temperature changes.
    const drawnFor = [panel, row, sheet, width, window.devicePixelRatio, document.body.className];
    const fresh = drawnFor.some((value, i) => value !== this.#drawnFor[i]);
    if (fresh) {
      this.#drawnFor = drawnFor;
      this.#order = orderBars(panel.table, row, width);
      this.#ink = getComputedStyle(this.canvas).color;
    }
    const { bars, labels, probability } = this.#layout(shown);
    const { pen, resized } = sizeCanvas(this.canvas, width, BARS.height);
    const withImages = fresh || resized;
    if (withImages) pen.clearRect(0, STRIP_Y, width, BARS.image);
    pen.clearRect(0, 0, width, STRIP_Y);
    pen.clearRect(0, STRIP_Y + BARS.image, width, BARS.height);
    pen.font = "12px sans-serif";
    pen.fillStyle = this.#ink;
    for (const { text, y } of labels) pen.fillText(text, 0, y);
    const side = Math.min(BARS.image, this.#order.width - 1);
    for (const bar of bars) {
      const x = bar.x + (this.#order.width - side) / 2;
      if (withImages) sheet?.draw(pen, panel.columns[bar.column].sprite, x, STRIP_Y + (BARS.image - side) / 2, side);
      for (const { y, height, color } of [bar.up, bar.down]) {
        pen.fillStyle = color;
        pen.fillRect(bar.x + 1, y, this.#order.width - 2, height);
      }
      if (bar.column === column) this.#highlight(pen, bar.x);
    }
    const label = { count: bars.length, most: formatPercent(probability) };
    this.canvas.setAttribute("aria-label", fill(this.#strings.row_label, label));
  }

  /** @param {CanvasRenderingContext2D} pen @param {number} x */
  #highlight(pen, x) {
    pen.strokeStyle = HIGHLIGHT;
    pen.lineWidth = 2;
    pen.strokeRect(x + 1, BARS.base - BARS.probability, this.#order.width - 2, BARS.probability);
    pen.strokeRect(x + 1, BARS.gradientTop, this.#order.width - 2, BARS.gradient);
  }

  /** @param {ShownRow} shown */
  #layout({ panel, parts, row }) {
    const colors = { positive: POSITIVE, negative: LINE, push: NEGATIVE };
    const { bars, probability, gradient } = rowBars(panel.table, parts, row, this.#order, colors);
    const labels = [
      { text: fill(this.#strings.probability_bars, { most: formatPercent(probability) }), y: 11 },
      { text: fill(this.#strings.gradient_bars, { most: formatNumber(gradient) }), y: BARS.height - 2 },
    ];
    return { bars, labels, probability };
  }

  /** The same as a drawing, with the strip of images as one image. */
  svg() {
    if (!this.#shown) return "";
    const { bars, labels } = this.#layout(this.#shown);
    const scale = this.canvas.width / this.#width;
    const strip = document.createElement("canvas");
    [strip.width, strip.height] = [this.canvas.width, Math.round(BARS.image * scale)];
    penOf(strip).drawImage(this.canvas, 0, -Math.round(STRIP_Y * scale));
    const width = this.#order.width - 2;
    return svgText(this.#width, BARS.height, [
      paperShape(),
      ...labels.map(({ text, y }) => {
        return `<text x="0" y="${y}" font-family="sans-serif" font-size="12" fill="${this.#ink}">${escapeXml(text)}</text>`;
      }),
      `<image x="0" y="${STRIP_Y}" width="${this.#width}" height="${BARS.image}" href="${strip.toDataURL()}"/>`,
      ...bars.flatMap(({ x, up, down }) =>
        [up, down].map(({ y, height, color }) => {
          return `<rect x="${x + 1}" y="${y}" width="${width}" height="${height}" fill="${color}"/>`;
        }),
      ),
    ]);
  }
}
