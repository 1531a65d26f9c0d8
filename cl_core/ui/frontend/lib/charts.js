// Small charts as SVG shapes; colors that follow the page are `currentColor`.

import { HIGHLIGHT, LINE, NEGATIVE } from "./colors.js";
import { formatNumber } from "./formats.js";
import { labelsThatFit } from "./geometry.js";
import { linear, roundTicks } from "./scales.js";
import { escapeXml, linePath } from "./svg.js";

/** @import { LogScale } from "./scales.js" */
/** @import { Place } from "../types.js" */

/** The line that marks the present place on the axis across; `moveCursor` sets where. */
const cursor = (/** @type {number} */ top, /** @type {number} */ bottom) =>
  `<line class="cl-now" y1="${top}" y2="${bottom}" stroke="${HIGHLIGHT}" stroke-width="2"/>`;

/** @param {number} x @param {number} y @param {string} anchor @param {number} size @param {string} text */
export const label = (x, y, anchor, size, text) =>
  `<text x="${x}" y="${y}" text-anchor="${anchor}" font-size="${size}" fill="currentColor">${escapeXml(text)}</text>`;

/** A mark of an axis, with the digits it has. @param {number} value */
const plain = (value) => String(value).replace("-", "−");

/** A curve over the epochs of a run. */
export const RUN_CURVE = { width: 260, height: 92, left: 34, right: 6, top: 8, bottom: 16 };

/**
 * Where an epoch lies on the axis across.
 *
 * @param {number} epoch
 * @param {number} last epoch of the run
 */
export function runCurveX(epoch, last) {
  return linear(0, last, RUN_CURVE.left, RUN_CURVE.width - RUN_CURVE.right)(epoch);
}

/**
 * @param {number[][]} points [epoch, value] each
 * @param {number} last epoch of the run
 * @param {number | null} level to compare with, drawn dotted
 */
export function runCurveShapes(points, last, level) {
  const { width, height, left, right, top, bottom } = RUN_CURVE;
  const values = [...points.map(([, value]) => value), ...(level === null ? [] : [level])];
  const [low, high] = [Math.min(0, ...values), Math.max(...values)];
  const y = linear(low, high, height - bottom, top);
  const across = (/** @type {number} */ at, /** @type {string} */ style) =>
    `<line x1="${left}" x2="${width - right}" y1="${at}" y2="${at}" ${style}/>`;
  return [
    ...[low, high].map((value) => label(left - 4, y(value) + 4, "end", 10, value.toFixed(2))),
    across(y(low), 'stroke="#888" stroke-opacity=".5"'),
    level === null ? "" : across(y(level), `stroke="${NEGATIVE}" stroke-dasharray="2 3"`),
    `<path d="${linePath(points.map(([epoch, value]) => [runCurveX(epoch, last), y(value)]))}" fill="none" stroke="${LINE}" stroke-width="1.8"/>`,
    cursor(top, height - bottom),
  ];
}

/** A curve over temperatures. */
export const TEMPERATURE_CURVE = { width: 240, height: 150, left: 40, right: 8, top: 10, bottom: 22 };
const TICKS = [0.01, 0.1, 1, 10];
const MIN_LOG_VALUE = 1e-6; // on a logarithmic axis

/**
 * Where a temperature lies on the axis across.
 *
 * @param {LogScale} scale
 * @param {number} temperature
 */
export function temperatureX(scale, temperature) {
  const { width, left, right } = TEMPERATURE_CURVE;
  return left + scale.fraction(temperature) * (width - left - right);
}

/**
 * The temperature at a place on the axis across.
 *
 * @param {LogScale} scale
 * @param {number} x
 */
export function temperatureAt(scale, x) {
  const { width, left, right } = TEMPERATURE_CURVE;
  return scale.value((x - left) / (width - left - right));
}

/**
 * @param {LogScale} scale
 * @param {number[]} temperatures
 * @param {number[]} values one each
 * @param {object} axis
 * @param {boolean} [axis.logarithmic]
 * @param {boolean} [axis.isFraction] from 0 to 1 at least
 * @param {{ value: number; name: string } | null} [axis.level] to compare with, drawn dotted
 * @param {number} [axis.overflow] the temperature below which half precision overflows
 */
export function temperatureCurveShapes(scale, temperatures, values, { logarithmic, isFraction, level = null, overflow = 0 }) {
  const { width, height, left, right, top, bottom } = TEMPERATURE_CURVE;
  const base = height - bottom;
  const onAxis = (/** @type {number} */ value) => (logarithmic ? Math.log10(Math.max(value, MIN_LOG_VALUE)) : value);
  const heights = [...values, ...(level ? [level.value] : [])].map(onAxis);
  let low = logarithmic ? Math.min(...heights) : Math.min(0, ...heights);
  let high = Math.max(...heights, onAxis(MIN_LOG_VALUE));
  if (isFraction) [low, high] = [0, Math.max(1, high)];
  if (high - low < 1e-9) high = low + 1;
  const y = linear(low, high, base, top);
  const shapes = [];
  if (overflow > scale.low) {
    const end = temperatureX(scale, Math.min(scale.high, overflow));
    shapes.push(
      `<rect class="cl-overflow" x="${left}" y="${top}" width="${end - left}" height="${base - top}" fill="#999" fill-opacity=".18"/>`,
    );
  }
  for (const tick of TICKS) {
    const x = temperatureX(scale, tick);
    const anchor = tick === scale.low ? "start" : tick === scale.high ? "end" : "middle";
    shapes.push(
      `<line x1="${x}" x2="${x}" y1="${top}" y2="${base}" stroke="#888" stroke-opacity=".25"/>`,
      label(x, height - 6, anchor, 10.5, String(tick)),
    );
  }
  for (const end of [low, high]) {
    shapes.push(label(left - 4, y(end) + 4, "end", 10.5, formatNumber(logarithmic ? 10 ** end : end)));
  }
  if (level) {
    const at = y(onAxis(level.value));
    const title = `<title>${escapeXml(level.name)}</title>`;
    shapes.push(
      `<line x1="${left}" x2="${width - right}" y1="${at}" y2="${at}" stroke="${NEGATIVE}" stroke-dasharray="2 3">${title}</line>`,
    );
  }
  const path = linePath(values.map((value, i) => [temperatureX(scale, temperatures[i]), y(onAxis(value))]));
  return [...shapes, `<path d="${path}" fill="none" stroke="${LINE}" stroke-width="2"/>`, cursor(top, base)];
}

export const RUN_PLACES = { width: 620, height: 316, left: 62, right: 24, top: 14, bottom: 52 };

/**
 * Runs in the plane of uniformity and tolerance; the names that would cover others are told by the pointer alone.
 *
 * @param {(Place & { uniformity: number; tolerance: number })[]} places at least one
 * @param {{ uniformity: string; tolerance: string; uniformity_axis: string; tolerance_axis: string }} strings
 */
export function runPlacesShapes(places, strings) {
  const { width, height, left, right, top, bottom } = RUN_PLACES;
  const range = (/** @type {number[]} */ values) => {
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const margin = 0.08 * (high - low + 0.1);
    return [low - margin, high + margin];
  };
  const [x0, x1] = range(places.map((place) => place.uniformity));
  const [y0, y1] = range(places.map((place) => place.tolerance));
  const [x, y] = [linear(x0, x1, left, width - right), linear(y0, y1, height - bottom, top)];
  const ordered = [...places].sort((a, b) => Number(b.here) - Number(a.here)); // the page's run first: its name is written
  const labels = ordered.map((place) => {
    const [at, long] = [x(place.uniformity), 7 * place.label.length];
    return { left: at + 10 + long > width ? at - 10 - long : at + 10, top: y(place.tolerance), width: long };
  });
  const fits = labelsThatFit(labels, 13);
  const dots = ordered.map((place, i) => {
    const numbers = `${strings.uniformity} ${place.uniformity.toFixed(2)}, ${strings.tolerance} ${place.tolerance.toFixed(2)}`;
    const look = place.here ? `r="8" fill="${NEGATIVE}"` : `r="5" fill="${LINE}"`;
    const weight = place.here ? ' font-weight="700"' : "";
    const name = `<text x="${labels[i].left}" y="${labels[i].top + 4}" font-size="11.5" fill="currentColor"${weight}>${escapeXml(place.label)}</text>`;
    return (
      `<g><title>${escapeXml(`${place.name}: ${numbers}`)}</title>` +
      `<circle cx="${x(place.uniformity)}" cy="${y(place.tolerance)}" ${look} fill-opacity=".85"/>${fits[i] ? name : ""}</g>`
    );
  });
  const base = height - bottom;
  const marks = [
    ...roundTicks(x0, x1).map((tick) => label(x(tick), base + 16, "middle", 10.5, plain(tick))),
    ...roundTicks(y0, y1).map((tick) => label(left - 6, y(tick) + 4, "end", 10.5, plain(tick))),
  ];
  const turned = `transform="translate(14 ${height / 2}) rotate(-90)" text-anchor="middle" font-size="12" fill="currentColor"`;
  return [
    `<line x1="${left}" x2="${width - right}" y1="${height - bottom}" y2="${height - bottom}" stroke="#888"/>`,
    `<line x1="${left}" x2="${left}" y1="${top}" y2="${height - bottom}" stroke="#888"/>`,
    label(width / 2, height - 8, "middle", 12, strings.uniformity_axis),
    `<text ${turned}>${escapeXml(strings.tolerance_axis)}</text>`,
    ...marks,
    ...dots,
  ];
}
