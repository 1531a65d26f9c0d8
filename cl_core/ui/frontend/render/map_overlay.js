// What lies over the points of a map: rings, lines to neighbors, trails, the lasso. Lengths are device pixels.

import { HIGHLIGHT, NEGATIVE, groupColor } from "../lib/colors.js";

/** @import { NeighborLines, Points } from "../types.js" */
/** @import { MapCanvas } from "./map_canvas.js" */
/** @import { Sheet } from "./sheet.js" */

const GAP = 1.5; // CSS pixels between a point and its ring
const NEIGHBOR_IMAGES = 8;
const NEIGHBOR_IMAGE = 22; // CSS pixels

/**
 * What is marked on a map; -1 is no point.
 *
 * @typedef {object} Marks
 * @property {number[]} batch
 * @property {NeighborLines | null} lines
 * @property {number} chosen
 * @property {number} hover
 * @property {number[][] | null} lasso CSS pixels
 * @property {Sheet | null} sheet draws the neighbors as images
 */

/**
 * Draw all marks but trails, every ring as large as its point is drawn.
 *
 * @param {CanvasRenderingContext2D} pen
 * @param {MapCanvas} canvas
 * @param {Marks} marks
 */
export function drawMarks(pen, canvas, { batch, lines, chosen, hover, lasso, sheet }) {
  const { scale, places } = canvas;
  /** @param {number} i @param {string} color @param {number} width @param {number} [image] */
  const ring = (i, color, width, image = 0) => {
    const { size } = canvas;
    const line = { color, width, scale };
    drawRing(pen, places.xs[i], places.ys[i], { ...size, image: Math.max(size.image, image) }, line);
  };
  for (const i of batch) ring(i, "#000000", 3);
  for (const i of batch) ring(i, "#ffffff", 1.2);
  if (lines) {
    drawNeighborLines(pen, places, lines.from, lines.to, scale);
    const size = sheet ? Math.max(NEIGHBOR_IMAGE * scale, canvas.size.image) : 0;
    const nearest = lines.to.slice(0, NEIGHBOR_IMAGES);
    if (sheet) drawThumbnails(pen, sheet, places, nearest, size);
    lines.to.forEach((i, rank) => ring(i, NEGATIVE, 2, rank < NEIGHBOR_IMAGES ? size : 0));
  }
  if (chosen >= 0) ring(chosen, NEGATIVE, 3);
  if (hover >= 0) ring(hover, HIGHLIGHT, 3);
  if (lasso) drawLasso(pen, lasso, scale);
}

/**
 * A ring that follows the size in which its point is drawn: a circle around a disc, a square around an image.
 *
 * @param {CanvasRenderingContext2D} pen
 * @param {number} x
 * @param {number} y
 * @param {{ radius: number; image: number }} size radius of the disc; side of the image, 0 where there is none
 * @param {{ color: string; width: number; scale: number }} line
 */
export function drawRing(pen, x, y, size, { color, width, scale }) {
  pen.strokeStyle = color;
  pen.lineWidth = width * scale;
  const distance = GAP * scale + pen.lineWidth / 2;
  pen.beginPath();
  if (size.image) {
    const half = size.image / 2 + distance;
    pen.rect(x - half, y - half, 2 * half, 2 * half);
  } else pen.arc(x, y, size.radius + distance, 0, 2 * Math.PI);
  pen.stroke();
}

/**
 * Lines from a point to its neighbors, the three nearest bold.
 *
 * @param {CanvasRenderingContext2D} pen
 * @param {Points} places
 * @param {number} from
 * @param {number[]} to nearest first
 * @param {number} scale
 */
export function drawNeighborLines(pen, { xs, ys }, from, to, scale) {
  pen.strokeStyle = NEGATIVE;
  to.forEach((i, rank) => {
    pen.lineWidth = (rank < 3 ? 2.2 : 1.3) * scale;
    pen.beginPath();
    pen.moveTo(xs[from], ys[from]);
    pen.lineTo(xs[i], ys[i]);
    pen.stroke();
  });
}

/**
 * The way of every point through the snapshots so far.
 *
 * @param {CanvasRenderingContext2D} pen
 * @param {Points[]} snapshots the places at each snapshot so far, then the present ones
 * @param {Uint16Array} groups
 * @param {number} scale
 * @param {(index: number) => boolean} accept
 */
export function drawTrails(pen, snapshots, groups, scale, accept) {
  pen.globalAlpha = 0.35;
  pen.lineWidth = scale;
  for (let i = 0; i < groups.length; i++) {
    if (!accept(i)) continue;
    pen.strokeStyle = groupColor(groups[i]);
    pen.beginPath();
    for (const { xs, ys } of snapshots) pen.lineTo(xs[i], ys[i]);
    pen.stroke();
  }
  pen.globalAlpha = 1;
}

/**
 * @param {CanvasRenderingContext2D} pen
 * @param {number[][]} path [x, y] each, CSS pixels
 * @param {number} scale
 */
export function drawLasso(pen, path, scale) {
  pen.strokeStyle = HIGHLIGHT;
  pen.fillStyle = "rgb(230 159 0 / .15)";
  pen.lineWidth = 2 * scale;
  pen.beginPath();
  for (const [x, y] of path) pen.lineTo(x * scale, y * scale);
  pen.closePath();
  pen.fill();
  pen.stroke();
}

/**
 * Small images of some points.
 *
 * @param {CanvasRenderingContext2D} pen
 * @param {Sheet} sheet
 * @param {Points} places
 * @param {number[]} indices
 * @param {number} size
 */
export function drawThumbnails(pen, sheet, { xs, ys }, indices, size) {
  for (const i of indices) sheet.draw(pen, i, xs[i] - size / 2, ys[i] - size / 2, size);
}
