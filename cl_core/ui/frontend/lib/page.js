// What the page's head script (`links.js`) offers to components.

/** @import { Numbered } from "../types.js" */

/**
 * What the page's address holds for a control that only the browser sets; null where it says nothing.
 *
 * @param {string} name
 */
export function readLink(name) {
  return globalThis.contrastiveLink?.get(name) ?? null;
}

/**
 * Write the state of a control into the page's address; the default is left out.
 *
 * @param {string} name
 * @param {string | number | boolean | null} value
 * @param {string | number | boolean | null} [fallback] the default
 */
export function writeLink(name, value, fallback = null) {
  globalThis.contrastiveLink?.set(name, value, fallback);
}

/**
 * The address of a file of this app. Python sends paths from the app's root, which a proxy may serve under a prefix.
 *
 * @param {string} path "/gradio_api/...", or a whole address, which stays as it is
 */
export function fileUrl(path) {
  return globalThis.contrastiveLink?.url(path) ?? path;
}

/**
 * JSON that the app serves.
 *
 * @param {string} path as `fileUrl` takes it
 * @param {AbortSignal} signal
 */
export async function fetchJson(path, signal) {
  const response = await fetch(fileUrl(path), { signal });
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return response.json();
}

/**
 * The answers of the server that are to be drawn. Each call for an answer has a number; an answer that comes after that of
 * a later call is skipped, as is one that holds nothing but its number.
 */
export class Answers {
  #latest = 0;

  /**
   * Whether to draw a value; only the numbers of earlier values count.
   *
   * @param {Numbered | null | undefined} value
   */
  accept(value) {
    if (!value || (value.turn ?? 0) < this.#latest) return false;
    this.#latest = value.turn ?? 0;
    return Object.keys(value).some((key) => key !== "turn");
  }
}
