import { RUN_CURVE, runCurveShapes, runCurveX } from "../lib/charts.js";
import { DIVERGING, ramp } from "../lib/colors.js";
import { decode } from "../lib/decode.js";
import { paintCells } from "../lib/panels.js";
import { cosinesAt } from "../lib/timeline.js";
import { penOf } from "../render/canvas.js";
import { build, buildSvg } from "../render/dom.js";

/** @import { SnapshotsValue, Strings } from "../types.js" */

/**
 * Beside a map over time: a matrix of cosines that moves with it, and the curves of the run.
 */
export class SnapshotPanel {
  node = build("aside", "cl-side");
  #strings;
  #canvas = build("canvas", "cl-moving");
  #cosines = new Int8Array(0);
  #last = 1;

  /** @param {Strings} strings */
  constructor(strings) {
    this.#strings = strings;
    this.node.hidden = true;
    this.#canvas.setAttribute("role", "img");
    this.#canvas.setAttribute("aria-label", strings.matrix);
  }

  /** @param {SnapshotsValue} snapshots */
  load(snapshots) {
    const size = snapshots.cells.length;
    this.#cosines = decode(snapshots.cosines, Int8Array);
    this.#last = snapshots.epochs.at(-1) ?? 1;
    [this.#canvas.width, this.#canvas.height] = [size, size];
    const title = build("h2", "cl-title", this.#strings.matrix);
    const curves = [...this.#curve("loss", snapshots.loss, snapshots.chance), ...this.#curve("std", snapshots.std, snapshots.even)];
    this.node.replaceChildren(title, this.#canvas, ...curves);
  }

  /** @param {string} kind @param {number[][]} points @param {number | null} level */
  #curve(kind, points, level) {
    if (points.length < 2) return [];
    const name = this.#strings[`curve.${kind}`];
    const shapes = runCurveShapes(points, this.#last, level);
    return [build("h2", "cl-title", name), buildSvg(RUN_CURVE.width, RUN_CURVE.height, shapes, name)];
  }

  /** @param {number} position between snapshots @param {number} epoch */
  show(position, epoch) {
    const size = this.#canvas.width;
    const cosines = cosinesAt(this.#cosines, size, position);
    const pixels = new Uint8ClampedArray(4 * cosines.length);
    paintCells(pixels, (i) => ramp(DIVERGING, (1 + cosines[i]) / 2));
    penOf(this.#canvas).putImageData(new ImageData(pixels, size, size), 0, 0);
    for (const line of this.node.querySelectorAll(".cl-now")) {
      const x = String(runCurveX(epoch, this.#last));
      line.setAttribute("x1", x);
      line.setAttribute("x2", x);
    }
  }
}
