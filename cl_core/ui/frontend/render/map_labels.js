import { fittingLabels } from "../lib/labels.js";

const SIZE = 12; // CSS pixels
const PADDING = 6;

/**
 * Names of regions over a map, with a halo that keeps them legible on images.
 *
 * @param {CanvasRenderingContext2D} pen draws in device pixels
 * @param {{ x: number; y: number; text: string }[]} names device pixels, the most important first
 * @param {number} scale device pixels per CSS pixel
 * @param {{ ink: string; halo: string }} colors
 * @param {number} most
 */
export function drawLabels(pen, names, scale, colors, most) {
  pen.save();
  pen.scale(scale, scale);
  pen.font = `600 ${SIZE}px system-ui, sans-serif`;
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  pen.lineJoin = "round";
  pen.lineWidth = 4;
  pen.strokeStyle = colors.halo;
  pen.fillStyle = colors.ink;
  const labels = names.map(({ x, y, text }) => {
    return { x: x / scale, y: y / scale, text, width: pen.measureText(text).width + PADDING, height: SIZE + PADDING };
  });
  const { width, height } = pen.canvas;
  for (const { x, y, text } of fittingLabels(labels, width / scale, height / scale, most)) {
    pen.strokeText(text, x, y);
    pen.fillText(text, x, y);
  }
  pen.restore();
}
