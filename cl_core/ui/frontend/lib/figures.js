import { decode } from "./decode.js";

/** @import { CardContent, Figure, FiguresValue, FigurePoint, Trace } from "../types.js" */

/** Plotly's names of number formats. */
const TYPES = {
  f8: Float64Array,
  f4: Float32Array,
  i4: Int32Array,
  i2: Int16Array,
  i1: Int8Array,
  u4: Uint32Array,
  u2: Uint16Array,
  u1: Uint8Array,
};

/**
 * The numbers of a trace, which Python may send as base64.
 *
 * @param {unknown} values a list, or {bdata, dtype}, or nothing
 * @returns {unknown[]}
 */
export function plainArray(values) {
  if (!values) return [];
  if (Array.isArray(values)) return values;
  const { bdata, dtype } = /** @type {{ bdata: string; dtype: keyof typeof TYPES }} */ (values);
  return Array.from(decode(bdata, /** @type {new (buffer: ArrayBuffer) => ArrayLike<number>} */ (TYPES[dtype])));
}

/**
 * Rows of a table with the points of every line.
 *
 * @param {Trace[]} traces
 * @returns {unknown[][]}
 */
export function traceRows(traces) {
  const rows = traces.flatMap((trace, i) => {
    const [xs, ys] = [plainArray(trace.x), plainArray(trace.y)];
    return ys.map((y, n) => [trace.name || `line ${i + 1}`, xs[n] ?? n, Array.isArray(y) ? y.join(" ") : y]);
  });
  return [["line", "x", "y"], ...rows];
}

/**
 * A layout in the page's colors.
 *
 * @param {Figure["layout"]} layout
 * @param {{ ink: string; faint: string; line: string; fill: string; font: string }} theme
 */
export function themedLayout(layout, theme) {
  const transparent = "rgba(0,0,0,0)";
  const axisLines = { gridcolor: theme.line, zerolinecolor: theme.line, linecolor: theme.line };
  const axes = Object.entries(layout)
    .filter(([name]) => /^[xy]axis\d*$/.test(name))
    .map(([name, axis]) => [name, { ...axisLines, .../** @type {object} */ (axis) }]);
  const font = { color: theme.ink, family: theme.font, size: 12 };
  return {
    ...layout,
    ...Object.fromEntries(axes),
    font,
    hoverlabel: { bgcolor: theme.fill, font },
    modebar: { bgcolor: transparent, color: theme.faint, activecolor: theme.ink },
    paper_bgcolor: transparent,
    plot_bgcolor: transparent,
    autosize: true,
  };
}

/**
 * What the card under the pointer shows for a word of a map; null where the figure has no card.
 *
 * @param {FiguresValue} value
 * @param {FigurePoint} point
 * @returns {CardContent | null}
 */
export function cardContent(value, point) {
  if (value.card !== "words" || typeof point.customdata !== "number") return null;
  return { title: value.names[point.customdata], lines: [value.lines[point.customdata]] };
}
