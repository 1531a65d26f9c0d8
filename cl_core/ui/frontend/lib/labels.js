/**
 * A text on a map. Lengths are CSS pixels; x and y are its middle.
 *
 * @typedef {object} Label
 * @property {number} x
 * @property {number} y
 * @property {string} text
 * @property {number} width
 * @property {number} height
 */

/**
 * The labels that fit: in their order, each that covers none before it and lies within the frame, moved inwards where it
 * would be cut off.
 *
 * @param {Label[]} labels the most important first
 * @param {number} width of the frame
 * @param {number} height
 * @param {number} most
 * @returns {Label[]}
 */
export function fittingLabels(labels, width, height, most) {
  /** @type {Label[]} */
  const placed = [];
  for (const label of labels) {
    if (placed.length === most) break;
    if (!(label.x > 0 && label.y > 0 && label.x < width && label.y < height)) continue;
    const x = Math.min(width - label.width / 2 - 4, Math.max(label.width / 2 + 4, label.x));
    const y = Math.min(height - label.height / 2 - 2, Math.max(label.height / 2 + 2, label.y));
    const moved = { ...label, x, y };
    if (!placed.some((other) => overlap(moved, other))) placed.push(moved);
  }
  return placed;
}

/** @param {Label} a @param {Label} b */
function overlap(a, b) {
  return Math.abs(a.x - b.x) < (a.width + b.width) / 2 && Math.abs(a.y - b.y) < (a.height + b.height) / 2;
}
