/**
 * A line drawn in one go: its points [x, y], from 0 to 1 across the pad.
 *
 * @typedef {{ color: string; width: number; points: number[][] }} Stroke
 */

/**
 * The strokes of a drawing, with undo.
 */
export class Strokes {
  /** @type {Stroke[]} */ list = [];

  get empty() {
    return !this.list.length;
  }

  /** @param {string} color @param {number} width fraction of the pad @param {number} x @param {number} y */
  begin(color, width, x, y) {
    this.list.push({ color, width, points: [[x, y]] });
  }

  /** @param {number} x @param {number} y */
  extend(x, y) {
    this.list.at(-1)?.points.push([x, y]);
  }

  undo() {
    this.list.pop();
  }

  clear() {
    this.list = [];
  }
}

/**
 * Draw strokes on white.
 *
 * @param {CanvasRenderingContext2D} pen
 * @param {Stroke[]} strokes
 * @param {number} side of the square, in pixels
 */
export function drawStrokes(pen, strokes, side) {
  pen.fillStyle = "#ffffff";
  pen.fillRect(0, 0, side, side);
  pen.lineCap = pen.lineJoin = "round";
  for (const { color, width, points } of strokes) {
    pen.strokeStyle = color;
    pen.lineWidth = width * side;
    pen.beginPath();
    const [[x, y]] = points;
    pen.moveTo(x * side, y * side);
    pen.lineTo(x * side, y * side); // a dot, where the pointer did not move
    for (const [u, v] of points) pen.lineTo(u * side, v * side);
    pen.stroke();
  }
}
