import { NEGATIVE, POSITIVE } from "../lib/colors.js";
import { penOf, sizeCanvas } from "./canvas.js";

/** @import { CellFrames, CellImages } from "../types.js" */

const MAX_CELL = 64;
const MIN_IMAGE = 9;

/**
 * A matrix of colored cells with images at its sides, on one canvas: a repaint is one frame.
 */
export class MatrixDrawing {
  canvas = document.createElement("canvas");
  rows = 0;
  columns = 0;
  cell = 1; // CSS pixels
  side = 0; // CSS pixels for the images at the left and at the top
  #cells = document.createElement("canvas");
  /** What the images at the sides were drawn for. @type {number[] | null} */
  #drawnImages = null;

  /**
   * @param {number} width CSS pixels there are
   * @param {number} rows
   * @param {number} columns
   * @param {Uint8ClampedArray<ArrayBuffer>} pixels RGBA of every cell, row by row
   * @param {CellFrames} frames
   * @param {CellImages | null} images
   */
  draw(width, rows, columns, pixels, { positive, falseNegative }, images) {
    const withImages = images !== null && width / (columns + 1) >= MIN_IMAGE;
    const cell = Math.min(MAX_CELL, width / (columns + (withImages ? 1 : 0)));
    const side = withImages ? cell : 0;
    Object.assign(this, { rows, columns, cell, side });
    const [across, down] = [side + columns * cell, side + rows * cell];
    const { pen, resized } = sizeCanvas(this.canvas, across, down);
    // The images stay while only numbers change.
    const drawImages = resized || !withImages || this.#drawnImages !== images.rows;
    this.#drawnImages = withImages ? images.rows : null;
    if (drawImages) pen.clearRect(0, 0, across, down);
    else pen.clearRect(side, side, columns * cell, rows * cell);

    if (this.#cells.width !== columns || this.#cells.height !== rows) [this.#cells.width, this.#cells.height] = [columns, rows];
    penOf(this.#cells).putImageData(new ImageData(pixels, columns, rows), 0, 0);
    pen.imageSmoothingEnabled = false;
    pen.drawImage(this.#cells, side, side, columns * cell, rows * cell);
    this.#frame(pen, falseNegative, NEGATIVE);
    this.#frame(pen, positive, POSITIVE);
    if (!withImages || !drawImages) return;
    pen.imageSmoothingEnabled = true;
    images.rows.forEach((sprite, row) => images.sheet.draw(pen, sprite, 0.5, side + row * cell + 0.5, cell - 1));
    images.columns.forEach((sprite, column) => images.sheet.draw(pen, sprite, side + column * cell + 0.5, 0.5, cell - 1));
  }

  /**
   * @param {CanvasRenderingContext2D} pen
   * @param {ArrayLike<number>} cells
   * @param {string} color
   */
  #frame(pen, cells, color) {
    const { cell, side, columns } = this;
    pen.strokeStyle = color;
    pen.lineWidth = cell > 8 ? 2 : 1;
    const inset = pen.lineWidth / 2;
    const inner = cell - 2 * inset;
    pen.beginPath();
    for (let i = 0; i < cells.length; i++) {
      if (!cells[i]) continue;
      pen.rect(side + (i % columns) * cell + inset, side + Math.floor(i / columns) * cell + inset, inner, inner);
    }
    pen.stroke();
  }

  /**
   * The cell at a place of the canvas; null outside.
   *
   * @param {number} x CSS pixels
   * @param {number} y
   * @returns {[row: number, column: number] | null}
   */
  cellAt(x, y) {
    const [row, column] = [Math.floor((y - this.side) / this.cell), Math.floor((x - this.side) / this.cell)];
    return row >= 0 && row < this.rows && column >= 0 && column < this.columns ? [row, column] : null;
  }
}
