import { build } from "../render/dom.js";

/** @import { Sheet } from "../render/sheet.js" */

const TILE = 72;
const [WIDTH, HEIGHT] = [130, 146]; // with its distance to the point

/**
 * What a point of a map is, beside it.
 */
export class MapCard {
  node = build("div", "cl-card");

  constructor() {
    this.hide();
  }

  hide() {
    this.node.hidden = true;
  }

  /** @param {{ sheet: Sheet | null; index: number; name: string; detail: string }} point */
  show({ sheet, index, name, detail }) {
    const tile = sheet ? [sheet.tileElement(index, TILE)] : [];
    const lines = [build("div", "cl-card-name", name), ...(detail ? [build("div", "cl-card-group", detail)] : [])];
    this.node.replaceChildren(...tile, ...lines);
    this.node.hidden = false;
  }

  /**
   * Beside a point; hidden while that is outside of the frame.
   *
   * @param {number} x of the point in the frame, CSS pixels
   * @param {number} y
   * @param {{ width: number; height: number }} frame
   */
  place(x, y, { width, height }) {
    this.node.hidden = x < 0 || y < 0 || x > width || y > height;
    const [left, top] = [Math.min(Math.max(0, x - 50), width - WIDTH), y > HEIGHT + 4 ? y - HEIGHT : y + 20];
    this.node.style.transform = `translate(${left}px,${top}px)`;
  }
}
