import { fileUrl } from "../lib/page.js";
import { penOf } from "./canvas.js";

/** @import { Sprites } from "../types.js" */

/**
 * @param {string} url
 * @returns {Promise<HTMLImageElement>} once it is loaded
 */
export function loadImage(url) {
  return new Promise((resolve, reject) => {
    const image = new Image();
    image.onload = () => resolve(image);
    image.onerror = () => reject(new Error("an image did not load"));
    image.src = url;
  });
}

/**
 * @param {Sprites} sprites
 */
export async function loadSheet(sprites) {
  return new Sheet(await loadImage(fileUrl(sprites.url)), sprites.columns, sprites.ground);
}

/**
 * A loaded sheet of equally large square images, row by row.
 */
export class Sheet {
  /**
   * @param {HTMLImageElement} image
   * @param {number} columns
   * @param {Sprites["ground"]} [ground] the color on which the images stand, where the sheet leaves it out
   */
  constructor(image, columns, ground = "") {
    this.ground = ground;
    this.image = image;
    this.columns = columns;
    this.tile = image.width / columns;
  }

  /**
   * Draw one image; -1 is none.
   *
   * @param {CanvasRenderingContext2D} pen
   * @param {number} index
   * @param {number} x
   * @param {number} y
   * @param {number} size
   */
  draw(pen, index, x, y, size) {
    if (index < 0) return;
    const { image, columns, tile } = this;
    pen.drawImage(image, (index % columns) * tile, Math.floor(index / columns) * tile, tile, tile, x, y, size, size);
  }

  /**
   * One image as an element.
   *
   * @param {number} index
   * @param {number} side CSS pixels
   */
  tileElement(index, side) {
    const canvas = document.createElement("canvas");
    canvas.className = "cl-tile";
    canvas.width = canvas.height = Math.round(side * (window.devicePixelRatio || 1));
    canvas.style.width = canvas.style.height = `${side}px`;
    if (this.ground) canvas.style.background = this.ground;
    this.draw(penOf(canvas), index, 0, 0, canvas.width);
    return canvas;
  }
}
