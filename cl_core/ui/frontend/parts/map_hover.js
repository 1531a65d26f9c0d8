import { fill } from "../lib/formats.js";
import { detailOf } from "../lib/scenes.js";
import { MapCard } from "./map_card.js";

/** @import { MapPlane } from "./map_plane.js" */

const EDGE = 12; // CSS pixels between a point chosen by a key and the frame

/**
 * The point of a map under the pointer, or chosen by an arrow key: a card beside it names its image.
 */
export class MapHover {
  #card = new MapCard();
  #plane;
  #naming;

  /**
   * @param {MapPlane} plane
   * @param {object} naming
   * @param {() => string} naming.map the map's label
   * @param {(index: number) => string} naming.point
   * @param {string} naming.at the label at a point, with its {name}
   */
  constructor(plane, naming) {
    this.#plane = plane;
    this.#naming = naming;
    plane.node.append(this.#card.node);
  }

  /** @param {number} i -1 is none */
  show(i) {
    const { scene, marks } = this.#plane;
    if (i === marks.hover || !scene) return;
    marks.hover = i;
    this.refresh();
    this.#plane.drawMarks();
  }

  /** Name the point again: its name may have come since. */
  refresh() {
    const { scene, marks, node } = this.#plane;
    if (marks.hover < 0 || !scene) {
      this.#card.hide();
      node.setAttribute("aria-label", this.#naming.map());
      return;
    }
    const name = this.#naming.point(marks.hover);
    this.#card.show({ sheet: marks.sheet, index: marks.hover, name, detail: detailOf(scene, marks.hover) });
    this.place();
    node.setAttribute("aria-label", fill(this.#naming.at, { name }));
  }

  /** Put the card where the point is drawn. */
  place() {
    const { marks, view } = this.#plane;
    if (marks.hover < 0) return;
    const { x, y } = this.#plane.placeOf(marks.hover);
    this.#card.place(x, y, view);
  }

  /** The point in a direction from the present one. @param {[number, number]} direction */
  step(direction) {
    this.show(this.#plane.neighborTowards(direction));
    this.#bringIntoView();
  }

  /** Move the map so far that the point lies within the frame. */
  #bringIntoView() {
    const { marks, scene, view } = this.#plane;
    if (marks.hover < 0 || !scene) return;
    const { xs, ys } = scene.points; // as the view is now: the drawing may be of a moment before
    const [x, y] = [view.left + xs[marks.hover] * view.unit, view.top + ys[marks.hover] * view.unit];
    const within = (/** @type {number} */ place, /** @type {number} */ size) => Math.min(size - EDGE, Math.max(EDGE, place));
    const [across, down] = [within(x, view.width), within(y, view.height)];
    view.pan(across - x, down - y);
    this.#card.place(across, down, view); // where it will be drawn
    this.#plane.drawSoon();
  }
}
