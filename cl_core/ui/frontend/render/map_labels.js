import { fittingLabels } from "../lib/labels.js";

/** @import { Points, Region } from "../types.js" */

const SIZE = 12; // CSS pixels
const PADDING = 6;

/**
 * Names of regions over a map, in its text color, with a halo of its ground that keeps them legible on images.
 *
 * @param {CanvasRenderingContext2D} pen draws in device pixels
 * @param {HTMLElement} map
 * @param {Points} places of the points, device pixels
 * @param {Region[]} regions the most important first
 * @param {number} scale device pixels per CSS pixel
 * @param {number} most
 */
export function drawRegionNames(pen, map, { xs, ys }, regions, scale, most) {
  const { color, backgroundColor } = getComputedStyle(map);
  pen.save();
  pen.scale(scale, scale);
  pen.font = `600 ${SIZE}px system-ui, sans-serif`;
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  pen.lineJoin = "round";
  pen.lineWidth = 4;
  pen.strokeStyle = backgroundColor;
  pen.fillStyle = color;
  const labels = regions.map(({ point, name }) => {
    const size = { width: pen.measureText(name).width + PADDING, height: SIZE + PADDING };
    return { x: xs[point] / scale, y: ys[point] / scale, text: name, ...size };
  });
  const { width, height } = pen.canvas;
  for (const { x, y, text } of fittingLabels(labels, width / scale, height / scale, most)) {
    pen.strokeText(text, x, y);
    pen.fillText(text, x, y);
  }
  pen.restore();
}
