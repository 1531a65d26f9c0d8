import { NEGATIVE, POSITIVE } from "./colors.js";

/** @import { CellFrames } from "../types.js" */

const NAMESPACE = "http://www.w3.org/2000/svg"; // an identifier; nothing is fetched from it

/**
 * @param {unknown} text
 */
export function escapeXml(text) {
  return String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}

/**
 * A drawing as text.
 *
 * @param {number} width
 * @param {number} height
 * @param {string[]} shapes elements as text
 * @param {string} [label] for screen readers
 */
export function svgText(width, height, shapes, label) {
  const described = label ? ` role="img" aria-label="${escapeXml(label)}"` : "";
  const size = `viewBox="0 0 ${width} ${height}" width="${width}" height="${height}"`;
  return `<svg xmlns="${NAMESPACE}" ${size}${described}>${shapes.join("")}</svg>`;
}

/**
 * A path through points.
 *
 * @param {number[][]} points [x, y] each
 */
export function linePath(points) {
  return points.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");
}

/**
 * A matrix of colored cells as a drawing, positives and false negatives framed.
 *
 * @param {{ rows: number; columns: number } & CellFrames} table
 * @param {Uint8ClampedArray} pixels RGBA of every cell, row by row
 * @param {string} background a shape below the cells
 */
export function matrixSvg({ rows, columns, positive, falseNegative }, pixels, background) {
  const side = 10;
  const shapes = [background];
  for (let i = 0; i < rows * columns; i++) {
    const [x, y] = [(i % columns) * side, Math.floor(i / columns) * side];
    const [red, green, blue, alpha] = pixels.subarray(4 * i, 4 * i + 4);
    const color = positive[i] ? POSITIVE : falseNegative[i] ? NEGATIVE : "";
    const frame = color && ` stroke="${color}" stroke-width="1.5"`;
    const fill = `fill="rgb(${red},${green},${blue})" fill-opacity="${(alpha / 255).toFixed(2)}"`;
    shapes.push(`<rect x="${x}" y="${y}" width="${side}" height="${side}" ${fill}${frame}/>`);
  }
  return svgText(columns * side, rows * side, shapes);
}
