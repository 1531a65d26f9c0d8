import { csvText, fileName } from "../lib/csv.js";
import { flatten } from "../render/canvas.js";
import { build, buildButton, paperColor } from "../render/dom.js";
import { loadImage } from "../render/sheet.js";

/** @import { Scope } from "../lib/scope.js" */
/** @import { Strings } from "../types.js" */

const URL_LIFETIME_MS = 10_000; // until the browser has begun to save

/**
 * What can be saved of a figure; each kind that is there gets a button.
 *
 * @typedef {object} Saved
 * @property {() => string} name of the file, without its ending
 * @property {() => HTMLCanvasElement | Promise<HTMLCanvasElement>} [canvas]
 * @property {() => string | Promise<string>} [svg]
 * @property {() => unknown[][]} [csv] rows of cells
 */

/**
 * Buttons that save a figure as an image, a drawing or numbers.
 *
 * @param {Scope} scope
 * @param {Strings} strings
 * @param {Saved} saved
 */
export function saveButtons(scope, strings, saved) {
  const node = build("div", "cl-save");
  node.setAttribute("role", "group");
  node.setAttribute("aria-label", strings.label);
  /** @param {"png" | "svg" | "csv"} kind @param {() => Blob | Promise<Blob>} make */
  const addButton = (kind, make) => {
    const button = buildButton("cl-save-as", kind.toUpperCase(), strings[kind]);
    scope.listen(button, "click", async () => download(scope, await make(), `${saved.name()}.${kind}`));
    node.append(button);
  };
  const { canvas, svg, csv } = saved;
  if (canvas) addButton("png", async () => pngBlob(await canvas()));
  else if (svg) addButton("png", async () => pngBlob(await rasterize(await svg())));
  if (svg) addButton("svg", async () => new Blob([await svg()], { type: "image/svg+xml" }));
  if (csv) addButton("csv", () => new Blob([csvText(csv())], { type: "text/csv" }));
  return node;
}

/**
 * @param {Scope} scope
 * @param {Blob} blob
 * @param {string} name
 */
function download(scope, blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = fileName(name);
  link.click();
  const revoke = () => {
    forget();
    clearTimeout(timer);
    URL.revokeObjectURL(link.href);
  };
  const timer = setTimeout(revoke, URL_LIFETIME_MS);
  const forget = scope.onEnd(revoke);
}

/**
 * A canvas as PNG, on the page's background where it is transparent.
 *
 * @param {HTMLCanvasElement} canvas
 * @returns {Promise<Blob>}
 */
function pngBlob(canvas) {
  return new Promise((resolve, reject) => {
    const failed = new Error("the browser could not make a PNG of this figure");
    flatten([canvas], paperColor()).toBlob((blob) => (blob ? resolve(blob) : reject(failed)), "image/png");
  });
}

/**
 * A drawing as an image, with twice its resolution on the page.
 *
 * @param {string} svg
 */
async function rasterize(svg) {
  const image = await loadImage(`data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`);
  [image.width, image.height] = [2 * image.naturalWidth, 2 * image.naturalHeight];
  return flatten([image]);
}
