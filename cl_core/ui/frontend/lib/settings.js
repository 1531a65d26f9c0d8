// How settings are described in a form.

/** @import { Setting } from "../types.js" */

/**
 * The bounds of a number and the default of a setting, such as "0 < x <= 100 · default 0.2".
 *
 * @param {Setting} setting
 * @param {(value: string) => string} nameDefault
 */
export function boundsOf({ kind, low, high, above, below, default: usual }, nameDefault) {
  const parts = [];
  if (kind === "whole" || kind === "number") {
    const [first, last] = [low, high].map((value) => (value === null ? "" : value.toLocaleString("en")));
    if (first && last && !above && !below) parts.push(`${first} – ${last}`);
    else if (first && last) parts.push(`${first} ${above ? "<" : "≤"} x ${below ? "<" : "≤"} ${last}`);
  }
  if (kind !== "flag") parts.push(nameDefault(usual));
  return parts.join(" · ");
}
