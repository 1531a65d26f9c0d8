import { decode } from "./decode.js";
import { largestSimilarity } from "./temperature.js";

/** @import { Anatomy, CellFrames, Panel, PanelValue } from "../types.js" */

/**
 * One similarity matrix as Python sends it, ready to compute with.
 *
 * @param {PanelValue} value
 * @param {string[]} roles what a cell's code stands for, such as "view.positive_class"
 * @param {boolean} withImages whether the rows have images, the first of the sheet
 * @returns {Panel}
 */
export function readPanel(value, roles, withImages) {
  const codes = decode(value.roles, Uint8Array);
  const isPart = (/** @type {string} */ part) => Uint8Array.from(codes, (code) => Number(partOf(roles[code]).startsWith(part)));
  const table = {
    rows: value.rows,
    columns: value.columns.length,
    cosines: decode(value.cosines, Float32Array),
    positive: isPart("positive"),
    negative: isPart("negative"),
    ...(value.contribution && value.gradient
      ? { given: { contribution: decode(value.contribution, Float32Array), gradient: decode(value.gradient, Float32Array) } }
      : {}),
  };
  return {
    name: value.name,
    rowNames: value.rowNames,
    columns: value.columns,
    form: value.form,
    chance: value.chance,
    codes,
    falseNegative: isPart("negative_class"),
    table,
    largest: largestSimilarity(table),
    rowSprites: withImages ? (value.rowSprites ?? Array.from({ length: value.rows }, (_, row) => row)) : [],
    columnSprites: value.columns.map((column) => column.sprite),
    pixels: new Uint8ClampedArray(4 * table.rows * table.columns),
  };
}

/**
 * @param {Panel} panel
 * @returns {CellFrames}
 */
export function framesOf({ table, falseNegative }) {
  return { positive: table.positive, falseNegative };
}

/**
 * The part of a role in the loss: "positive", "negative_class", "self" ...
 *
 * @param {string} role
 */
export function partOf(role) {
  return role.slice(role.indexOf(".") + 1);
}

/**
 * The first positive of a row, or its first column.
 *
 * @param {Panel} panel
 * @param {number} row
 */
export function firstPositive({ table }, row) {
  const start = row * table.columns;
  return Math.max(0, table.positive.subarray(start, start + table.columns).findIndex(Boolean));
}

/**
 * How many of the candidates of an anchor are positives, or negatives.
 *
 * @param {Panel["table"]} table
 * @param {"positive" | "negative"} part
 * @param {number} row
 */
export function countInRow(table, part, row) {
  const start = row * table.columns;
  return table[part].subarray(start, start + table.columns).reduce((sum, is) => sum + is, 0);
}

/**
 * Paint every cell; `colorOf` gives RGB, or null for a cell that the loss does not look at.
 *
 * @param {Uint8ClampedArray} pixels RGBA
 * @param {(cell: number) => ArrayLike<number> | null} colorOf
 */
export function paintCells(pixels, colorOf) {
  for (let i = 0; i < pixels.length / 4; i++) {
    const color = colorOf(i);
    pixels[4 * i] = color ? color[0] : 128;
    pixels[4 * i + 1] = color ? color[1] : 128;
    pixels[4 * i + 2] = color ? color[2] : 128;
    pixels[4 * i + 3] = color ? 255 : 46;
  }
}

/**
 * Every number of a matrix as a table, one row a cell.
 *
 * @param {Panel} panel
 * @param {Anatomy} parts
 * @returns {unknown[][]}
 */
export function cellRows({ table, rowNames, columns }, parts) {
  const rows = Array.from(table.cosines, (cosine, i) => {
    const names = [rowNames[Math.floor(i / table.columns)], columns[i % table.columns].caption];
    const numbers = [cosine, parts.scaled[i], Math.exp(parts.logProbabilities[i]), parts.contribution[i], parts.gradient[i]];
    return [...names, ...numbers, table.positive[i], Number(table.positive[i] || table.negative[i])];
  });
  const head = ["row", "column", "similarity", "scaled", "probability", "contribution", "gradient", "positive", "compared"];
  return [head, ...rows];
}
