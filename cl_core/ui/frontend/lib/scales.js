/**
 * Values between `low` and `high` on a logarithmic axis.
 */
export class LogScale {
  /**
   * @param {number} low above 0
   * @param {number} high above `low`
   */
  constructor(low, high) {
    this.low = low;
    this.high = high;
  }

  /**
   * Where a value lies, 0 at `low` and 1 at `high`.
   *
   * @param {number} value
   */
  fraction(value) {
    return Math.log(value / this.low) / Math.log(this.high / this.low);
  }

  /**
   * The value at a fraction, which is clipped to [0, 1].
   *
   * @param {number} fraction
   */
  value(fraction) {
    return this.low * (this.high / this.low) ** Math.min(1, Math.max(0, fraction));
  }

  /**
   * `count + 1` values from `low` to `high`.
   *
   * @param {number} count
   */
  steps(count) {
    return Array.from({ length: count + 1 }, (_, i) => this.value(i / count));
  }

  /**
   * Whether a value lies on the axis; false for NaN.
   *
   * @param {number} value
   */
  has(value) {
    return value >= this.low && value <= this.high;
  }
}

/**
 * A function that maps [low, high] linearly to [from, to].
 *
 * @param {number} low
 * @param {number} high
 * @param {number} from
 * @param {number} to
 */
export function linear(low, high, from, to) {
  const span = high - low || 1;
  return (/** @type {number} */ value) => from + ((value - low) / span) * (to - from);
}

/**
 * Round numbers within [low, high], evenly spaced: for the marks of an axis.
 *
 * @param {number} low
 * @param {number} high above `low`
 * @param {number} [most] of them, about
 */
export function roundTicks(low, high, most = 6) {
  const rough = (high - low) / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((each) => each * power >= rough) ?? 10);
  const digits = Math.max(0, -Math.floor(Math.log10(step)));
  const ticks = [];
  for (let i = Math.ceil(low / step); i * step <= high; i++) ticks.push(Number((i * step).toFixed(digits)));
  return ticks;
}

/**
 * The largest size of some values, at least 1e-12.
 *
 * @param {Iterable<number>} values
 */
export function largestSize(values) {
  let largest = 1e-12;
  for (const value of values) largest = Math.max(largest, Math.abs(value));
  return largest;
}
