import { mean } from "./math.js";

/** @import { Points } from "../types.js" */

const FILL = 0.42; // of their area that images cover: groups stay apart
const REACH = 2; // cells between two images that may change places
const MAX_SWEEPS = 40;

/**
 * The side of a square cell for each of `count` images on an area.
 *
 * @param {number} width
 * @param {number} height
 * @param {number} count
 */
export function cellSide(width, height, count) {
  return Math.sqrt((FILL * width * height) / Math.max(1, count));
}

/**
 * Move each point to the middle of a cell of a grid, no two to the same one, so that the squares of all distances add up to
 * little: each takes the nearest free cell, then images change places where both together come nearer to their points. The sum
 * is within some percent of the least possible one (the optimal assignment), which takes seconds to find.
 *
 * @param {Points} points
 * @param {number} cell its side
 * @returns {Points}
 */
export function snapToGrid(points, cell) {
  const grid = new Cells(points, cell);
  grid.fill();
  grid.improve();
  return grid.places();
}

/**
 * The box around all points of some layouts.
 *
 * @param {Points[]} layouts
 */
export function boxOf(layouts) {
  const [left, right] = [Math.min(...layouts.map(({ xs }) => least(xs))), Math.max(...layouts.map(({ xs }) => most(xs)))];
  const [top, bottom] = [Math.min(...layouts.map(({ ys }) => least(ys))), Math.max(...layouts.map(({ ys }) => most(ys)))];
  return { left, right, top, bottom };
}

/**
 * Snapped layouts moved and scaled so that all images lie within a frame; cells stay square.
 *
 * @param {Points[]} layouts
 * @param {number} cell
 * @param {number} width of the frame
 * @param {number} height
 */
export function fitted(layouts, cell, width, height) {
  const { left, right, top, bottom } = boxOf(layouts);
  const factor = Math.min(width / (right - left + cell), height / (bottom - top + cell));
  const [x, y] = [width / 2 - (factor * (left + right)) / 2, height / 2 - (factor * (top + bottom)) / 2];
  const moved = layouts.map(({ xs, ys }) => ({ xs: xs.map((each) => factor * each + x), ys: ys.map((each) => factor * each + y) }));
  return { layouts: moved, factor };
}

/**
 * Layouts whose points stand on cells of their own and fill a frame. Distances on a map have no unit, so it may be wider than
 * high.
 *
 * @param {Points[]} given
 * @param {number} width of the frame
 * @param {number} height
 * @returns {{ layouts: Points[]; side: number; moved: number }} side: of a cell; moved: how far the points of the last layout
 *   moved on average, in cells
 */
export function snappedLayouts(given, width, height) {
  const cell = cellSide(width, height, given[0].xs.length);
  const stretched = stretch(given, width, height);
  const snapped = stretched.map((layout) => snapToGrid(layout, cell));
  const { layouts, factor } = fitted(snapped, cell, width, height);
  const last = snapped.length - 1;
  return { layouts, side: cell * factor, moved: meanDistance(stretched[last], snapped[last]) / cell };
}

/** @param {Points[]} layouts @param {number} width @param {number} height */
function stretch(layouts, width, height) {
  const { left, right, top, bottom } = boxOf(layouts);
  const [across, down] = [width / Math.max(right - left, 1e-9), height / Math.max(bottom - top, 1e-9)];
  return layouts.map(({ xs, ys }) => ({ xs: xs.map((x) => (x - left) * across), ys: ys.map((y) => (y - top) * down) }));
}

/** @param {Points} a @param {Points} b */
function meanDistance(a, b) {
  return a.xs.reduce((sum, x, i) => sum + Math.hypot(x - b.xs[i], a.ys[i] - b.ys[i]), 0) / a.xs.length;
}

class Cells {
  /** @type {Float64Array} */ #xs; // of the points, in cells
  /** @type {Float64Array} */ #ys;
  /** @type {Int32Array} */ #at; // the point in each cell, -1 for none
  /** @type {number} */ #across;
  /** @type {number} */ #down;
  /** @type {Points} */ #points;
  /** @type {number} */ #cell;
  /** @type {number} */ #left;
  /** @type {number} */ #top;

  /** @param {Points} points @param {number} cell */
  constructor(points, cell) {
    [this.#points, this.#cell] = [points, cell];
    const { xs, ys } = points;
    const reach = Math.ceil(Math.sqrt(xs.length)) + 2; // cells around the points: enough for all of them
    const [left, right, top, bottom] = [least(xs), most(xs), least(ys), most(ys)].map((value) => value / cell);
    [this.#left, this.#top] = [left - reach, top - reach];
    this.#across = Math.ceil(right - left) + 2 * reach;
    this.#down = Math.ceil(bottom - top) + 2 * reach;
    this.#xs = Float64Array.from(xs, (x) => x / cell - this.#left);
    this.#ys = Float64Array.from(ys, (y) => y / cell - this.#top);
    this.#at = new Int32Array(this.#across * this.#down).fill(-1);
  }

  /** Give each point the nearest free cell; those in the middle choose first, so that the others move outwards. */
  fill() {
    const [xs, ys] = [this.#xs, this.#ys];
    const [midX, midY] = [mean(xs), mean(ys)];
    const distance = xs.map((x, i) => (x - midX) ** 2 + (ys[i] - midY) ** 2);
    const order = Uint32Array.from(xs, (_, i) => i).sort((a, b) => distance[a] - distance[b]);
    for (const i of order) this.#at[this.#nearestFree(xs[i], ys[i])] = i;
  }

  /** Let points change places, or move to a free cell, until that brings none nearer. */
  improve() {
    let changed = true;
    for (let sweep = 0; changed && sweep < MAX_SWEEPS; sweep++) {
      changed = false;
      for (let cell = 0; cell < this.#at.length; cell++) {
        if (this.#at[cell] >= 0 && this.#improveAt(cell)) changed = true;
      }
    }
  }

  /** @returns {Points} the middles of the cells */
  places() {
    const target = { xs: this.#points.xs.slice(), ys: this.#points.ys.slice() };
    this.#at.forEach((i, cell) => {
      if (i < 0) return;
      target.xs[i] = ((cell % this.#across) + 0.5 + this.#left) * this.#cell;
      target.ys[i] = (Math.floor(cell / this.#across) + 0.5 + this.#top) * this.#cell;
    });
    return target;
  }

  /** The squared distance between a point and the middle of a cell. @param {number} i @param {number} cell */
  #cost(i, cell) {
    const column = cell % this.#across;
    const row = (cell - column) / this.#across;
    return (column + 0.5 - this.#xs[i]) ** 2 + (row + 0.5 - this.#ys[i]) ** 2;
  }

  /** @param {number} cell */
  #improveAt(cell) {
    const i = this.#at[cell];
    const [column, row] = [cell % this.#across, Math.floor(cell / this.#across)];
    const own = this.#cost(i, cell);
    let [gain, best] = [1e-9, -1];
    for (let r = Math.max(0, row - REACH); r <= Math.min(this.#down - 1, row + REACH); r++) {
      for (let c = Math.max(0, column - REACH); c <= Math.min(this.#across - 1, column + REACH); c++) {
        const other = r * this.#across + c;
        const j = this.#at[other];
        if (j === i) continue;
        const change = own - this.#cost(i, other) + (j < 0 ? 0 : this.#cost(j, other) - this.#cost(j, cell));
        if (change > gain) [gain, best] = [change, other];
      }
    }
    if (best < 0) return false;
    [this.#at[cell], this.#at[best]] = [this.#at[best], i];
    return true;
  }

  /** The free cell whose middle is nearest to a place. @param {number} x @param {number} y */
  #nearestFree(x, y) {
    const [column, row] = [Math.floor(x), Math.floor(y)];
    let [best, found] = [Infinity, -1];
    /** @param {number} c @param {number} r */
    const consider = (c, r) => {
      if (c < 0 || r < 0 || c >= this.#across || r >= this.#down || this.#at[r * this.#across + c] >= 0) return;
      const distance = (c + 0.5 - x) ** 2 + (r + 0.5 - y) ** 2;
      if (distance < best) [best, found] = [distance, r * this.#across + c];
    };
    // Rings around the cell, until the next one is farther away than what was found.
    for (let ring = 0; ring === 0 || (ring - 0.5) ** 2 <= best; ring++) {
      for (let c = column - ring; c <= column + ring; c++) {
        consider(c, row - ring);
        if (ring) consider(c, row + ring);
      }
      for (let r = row - ring + 1; r < row + ring; r++) {
        consider(column - ring, r);
        consider(column + ring, r);
      }
    }
    return found;
  }
}

const least = (/** @type {Float32Array} */ values) => values.reduce((a, b) => Math.min(a, b), Infinity);
const most = (/** @type {Float32Array} */ values) => values.reduce((a, b) => Math.max(a, b), -Infinity);
