// Many points drawn into one image: each is a small disc of pixels, written straight into memory.

/** @import { Points } from "../types.js" */

/**
 * The pixels of a disc as offsets from its center, for rows of `width` pixels.
 *
 * @param {number} radius
 * @param {number} width
 */
export function discOffsets(radius, width) {
  const offsets = [];
  for (let y = -radius; y <= radius; y++) {
    for (let x = -radius; x <= radius; x++) if (x * x + y * y <= radius * radius + radius * 0.4) offsets.push(y * width + x);
  }
  return Int32Array.from(offsets);
}

/**
 * Draw points; later ones cover earlier ones. Discs that cross the border are left out.
 *
 * @param {Uint32Array} pixels of the image, 0xAABBGGRR, cleared here
 * @param {number} width
 * @param {number} height
 * @param {Points} points in pixels
 * @param {Uint32Array} colors 0xAABBGGRR each; 0 is not drawn
 * @param {number} radius whole pixels
 */
export function splat(pixels, width, height, { xs, ys }, colors, radius) {
  pixels.fill(0);
  const offsets = discOffsets(radius, width);
  for (let i = 0; i < xs.length; i++) {
    const color = colors[i];
    const [x, y] = [xs[i] | 0, ys[i] | 0];
    if (color === 0 || x < radius || y < radius || x >= width - radius || y >= height - radius) continue;
    const center = y * width + x;
    for (let n = 0; n < offsets.length; n++) pixels[center + offsets[n]] = color;
  }
}
