import { build } from "../render/dom.js";

/**
 * A number with its name; the pointer shows what it means and all its digits.
 *
 * @param {string} key
 * @param {{ name: string; hint: string; text: string; exact: number | null }} fact
 */
export function factRow(key, { name, hint, text, exact }) {
  const row = build("div", "cl-fact");
  row.dataset.fact = key;
  const label = build("dt", "", name);
  label.title = hint;
  const value = build("dd", "", text);
  value.title = String(exact);
  row.append(label, value);
  return row;
}
