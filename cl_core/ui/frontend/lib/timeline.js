/**
 * The two snapshots around a position, and how far it is from the first to the second.
 *
 * @param {number} position 0 to count - 1; whole numbers are snapshots
 * @param {number} count of snapshots
 */
export function around(position, count) {
  const clipped = Math.min(count - 1, Math.max(0, position));
  const low = Math.floor(clipped);
  return { low, high: Math.min(count - 1, low + 1), fraction: clipped - low };
}

/**
 * The epoch at a position between snapshots.
 *
 * @param {number[]} epochs of the snapshots
 * @param {number} position
 */
export function epochAt(epochs, position) {
  const { low, high, fraction } = around(position, epochs.length);
  return epochs[low] + fraction * (epochs[high] - epochs[low]);
}

/**
 * @param {number} epoch
 */
export function formatEpoch(epoch) {
  return epoch.toFixed(epoch >= 10 ? 0 : 1);
}

/**
 * The mean of two matrices of a stack, weighted by the position between them.
 *
 * @param {Int8Array} cosines (S, M, M) in 127ths
 * @param {number} size M
 * @param {number} position
 * @returns {Float32Array} (M, M)
 */
export function cosinesAt(cosines, size, position) {
  const span = size * size;
  const { low, high, fraction } = around(position, cosines.length / span);
  return Float32Array.from({ length: span }, (_, i) => {
    return (cosines[low * span + i] * (1 - fraction) + cosines[high * span + i] * fraction) / 127;
  });
}
