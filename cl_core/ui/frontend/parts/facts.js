import { candidatesAtChance, fill, formatNumber } from "../lib/formats.js";
import { build, explain } from "../render/dom.js";

/** @import { Strings } from "../types.js" */

/**
 * A number with its name, which explains itself; the pointer shows all digits.
 *
 * @param {string} key
 * @param {{ name: string; hint: string; text: string; exact: number | null }} fact
 */
export function factRow(key, { name, hint, text, exact }) {
  const row = build("div", "cl-fact");
  row.dataset.fact = key;
  const label = build("dt", "", name);
  const value = build("dd", "", text);
  value.title = String(exact);
  explain(label, hint);
  row.append(label, value);
  return row;
}

/**
 * `factRow` with the name and the hint that the strings have for the key.
 *
 * @param {Strings} strings
 * @param {string} key
 * @param {string} text
 * @param {number} exact
 */
export function namedFact(strings, key, text, exact) {
  return factRow(key, { name: strings[`fact.${key}`], hint: strings[`fact.${key}.hint`], text, exact });
}

/**
 * The chance level, which names its candidates: ln 63 = 4.14.
 *
 * @param {Strings} strings
 * @param {number | null} chance null where there is none
 */
export function chanceRow(strings, chance) {
  const names = { name: strings["fact.chance"], hint: strings["fact.chance.hint"] };
  if (chance === null) return factRow("chance", { ...names, text: "–", exact: null });
  const count = candidatesAtChance(chance);
  if (count !== null) names.hint += ` ${fill(strings["fact.chance.of"], { count, level: chance.toFixed(2) })}`;
  return factRow("chance", { ...names, text: formatNumber(chance), exact: chance });
}
