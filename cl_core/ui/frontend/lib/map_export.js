import { pixelHex } from "./colors.js";
import { escapeXml, svgText } from "./svg.js";

/** @import { Points, Scene } from "../types.js" */

/**
 * A map as a drawing.
 *
 * @param {Points} places in pixels of the drawing
 * @param {Uint32Array} colors 0xAABBGGRR
 * @param {{ width: number; height: number; background: string }} page background: a shape
 * @param {(index: number) => boolean} accept which points are drawn
 * @param {(index: number) => string} nameOf
 */
export function mapSvg({ xs, ys }, colors, { width, height, background }, accept, nameOf) {
  const circles = Array.from(xs, (x, i) => {
    if (!accept(i)) return "";
    const circle = `<circle cx="${x.toFixed(1)}" cy="${ys[i].toFixed(1)}" r="2.5" fill="${pixelHex(colors[i])}">`;
    return `${circle}<title>${escapeXml(nameOf(i))}</title></circle>`;
  });
  return svgText(width, height, [background, ...circles]);
}

/**
 * A map as a table. Coordinates point up, as Python has them.
 *
 * @param {Scene} scene
 * @param {(index: number) => string} nameOf
 * @param {Set<number>} selected
 * @returns {unknown[][]}
 */
export function mapRows({ points, groups, groupNames, score }, nameOf, selected) {
  const rows = Array.from(points.xs, (x, i) => {
    const group = groups ? groupNames[groups[i]] : "";
    return [i, nameOf(i), x, -points.ys[i], group, score ? score[i] : "", Number(selected.has(i))];
  });
  return [["id", "name", "x", "y", "group", "score", "selected"], ...rows];
}
