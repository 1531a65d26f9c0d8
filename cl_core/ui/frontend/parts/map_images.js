import { fetchJson } from "../lib/page.js";
import { loadSheet } from "../render/sheet.js";

/** @import { Scope } from "../lib/scope.js" */
/** @import { Sheet } from "../render/sheet.js" */
/** @import { Sprites } from "../types.js" */

/**
 * The images and names of a map's points, which come after the first drawing: only the pointer needs them. What is loaded
 * stays while its address stays.
 */
export class MapImages {
  /** @type {Sheet | null} */ sheet = null;
  /** @type {string[] | null} */ names = null;
  #sheetUrl = "";
  #namesUrl = "";
  #scope;

  /** @param {Scope} scope */
  constructor(scope) {
    this.#scope = scope;
  }

  /**
   * @param {Sprites} sprites
   * @param {string[] | string} names themselves or their address
   * @param {() => void} onSheet called when the images of a new address are there
   * @param {() => void} [onNames] called when the names are
   */
  load(sprites, names, onSheet, onNames = () => {}) {
    if (sprites.url !== this.#sheetUrl) {
      [this.sheet, this.#sheetUrl] = [null, sprites.url];
      loadSheet(sprites).then(
        (sheet) => {
          if (this.#scope.ended || this.#sheetUrl !== sprites.url) return;
          this.sheet = sheet;
          onSheet();
        },
        () => {
          if (this.#sheetUrl === sprites.url) this.#sheetUrl = ""; // asked for again when the map is drawn anew
        },
      );
    }
    if (typeof names !== "string") [this.names, this.#namesUrl] = [names, ""];
    else if (names !== this.#namesUrl) {
      [this.names, this.#namesUrl] = [null, names];
      this.#fetchNames(names, onNames);
    }
  }

  /** @param {string} url @param {() => void} onNames */
  async #fetchNames(url, onNames) {
    try {
      const names = await fetchJson(url, this.#scope.signal);
      if (this.#namesUrl !== url || this.#scope.ended) return;
      this.names = names;
      onNames();
    } catch {
      if (this.#namesUrl === url) this.#namesUrl = ""; // as above
    }
  }
}
