const POINTS_A_CELL = 2;
const MAX_SIDE = 2048; // cells along the longer side

/**
 * Points sorted into square cells, to find the nearest one without looking at all.
 */
export class PointGrid {
  /**
   * @param {Float32Array} xs
   * @param {Float32Array} ys
   */
  constructor(xs, ys) {
    this.xs = xs;
    this.ys = ys;
    const count = xs.length;
    let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
    for (let i = 0; i < count; i++) {
      if (xs[i] < left) left = xs[i];
      if (xs[i] > right) right = xs[i];
      if (ys[i] < top) top = ys[i];
      if (ys[i] > bottom) bottom = ys[i];
    }
    if (!(left <= right && top <= bottom)) [left, top, right, bottom] = [0, 0, 0, 0];
    this.left = left;
    this.top = top;
    const [width, height] = [right - left, bottom - top];
    const side = Math.min(MAX_SIDE, Math.max(1, Math.ceil(Math.sqrt(count / POINTS_A_CELL))));
    this.cell = Math.max(width, height) / side || 1;
    this.columns = Math.max(1, Math.ceil(width / this.cell));
    this.rows = Math.max(1, Math.ceil(height / this.cell));
    // A counting sort: the points of cell c are order[starts[c]] to order[starts[c + 1] - 1], by rising index.
    const cells = new Int32Array(count);
    this.starts = new Int32Array(this.columns * this.rows + 1);
    for (let i = 0; i < count; i++) {
      cells[i] = this.#row(ys[i]) * this.columns + this.#column(xs[i]);
      this.starts[cells[i] + 1] += 1;
    }
    for (let c = 1; c < this.starts.length; c++) this.starts[c] += this.starts[c - 1];
    const next = this.starts.slice(0, -1);
    this.order = new Int32Array(count);
    for (let i = 0; i < count; i++) this.order[next[cells[i]]++] = i;
  }

  /** @param {number} x */
  #column(x) {
    return Math.min(this.columns - 1, Math.max(0, Math.floor((x - this.left) / this.cell) | 0));
  }

  /** @param {number} y */
  #row(y) {
    return Math.min(this.rows - 1, Math.max(0, Math.floor((y - this.top) / this.cell) | 0));
  }

  /**
   * The nearest point closer than `reach`; of several equally near ones the first. Looks at the cells around the place,
   * ring by ring, until no farther ring can hold a nearer point.
   *
   * @param {number} x
   * @param {number} y
   * @param {number} reach may be Infinity
   * @param {((index: number) => boolean) | null} [accept] which points count; all by default
   * @returns {number} its index, or -1
   */
  nearest(x, y, reach, accept = null) {
    const { xs, ys, cell, columns, rows, starts, order } = this;
    const [column, row] = [Math.floor((x - this.left) / cell), Math.floor((y - this.top) / cell)];
    // From the place to the nearest side of its own cell: ring n begins (n - 1) cells farther away.
    const [dx, dy] = [x - this.left - column * cell, y - this.top - row * cell];
    const edge = Math.max(0, Math.min(dx, dy, cell - dx, cell - dy));
    const first = Math.max(0, -column, column - columns + 1, -row, row - rows + 1);
    const last = Math.max(column, columns - 1 - column, row, rows - 1 - row);
    let best = reach * reach;
    let found = -1;
    /** @param {number} c */
    const search = (c) => {
      for (let n = starts[c]; n < starts[c + 1]; n++) {
        const i = order[n];
        const distance = (xs[i] - x) ** 2 + (ys[i] - y) ** 2;
        const nearer = distance < best || (distance === best && found >= 0 && i < found);
        if (nearer && (!accept || accept(i))) [best, found] = [distance, i];
      }
    };
    for (let ring = first; ring <= last; ring++) {
      if (ring > 0) {
        const bound = (ring - 1) * cell + edge;
        if (bound * bound > best) break;
      }
      const [left, right] = [Math.max(0, column - ring), Math.min(columns - 1, column + ring)];
      for (let r = Math.max(0, row - ring); r <= Math.min(rows - 1, row + ring); r++) {
        if (Math.abs(r - row) === ring) {
          for (let c = left; c <= right; c++) search(r * columns + c);
        } else {
          if (column - ring >= 0 && column - ring < columns) search(r * columns + column - ring);
          if (ring > 0 && column + ring < columns && column + ring >= 0) search(r * columns + column + ring);
        }
      }
    }
    return found;
  }
}
