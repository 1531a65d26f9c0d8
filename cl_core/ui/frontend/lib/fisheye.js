/**
 * How a lens changes what lies at a distance from its middle: images there move outwards and grow.
 *
 * @param {number} distance from the middle, in radii of the lens
 * @param {number} strength 0 for none
 * @returns {{ distance: number; scale: number }} the new distance, in radii, and the factor of the size
 */
export function fisheye(distance, strength) {
  if (!(distance < 1)) return { distance, scale: 1 };
  const moved = ((strength + 1) * distance) / (strength * distance + 1);
  return { distance: moved, scale: (strength + 1) / (strength * distance + 1) ** 2 };
}
