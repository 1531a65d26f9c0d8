// A row's loss as a formula made of its numbers; `parts/formula.js` turns it into elements.

import { comparedCells } from "./anatomy.js";
import { fill, formatNumber } from "./formats.js";

/** @import { Anatomy, Form, FormulaNode, Strings, Table } from "../types.js" */

/** Each loss in symbols. */
const SYMBOLS = {
  one: "ℓ_{i} = −log ( e^{sᵢₚ/t} / Σ_{k} e^{sᵢₖ/t} )",
  out: "ℓ_{i} = 1/|P| Σ_{p} −log ( e^{sᵢₚ/t} / Σ_{k} e^{sᵢₖ/t} )",
  in: "ℓ_{i} = −log ( 1/|P| Σ_{p} e^{sᵢₚ/t} / Σ_{k} e^{sᵢₖ/t} )",
  "in-sum": "ℓ_{i} = −log ( Σ_{p} e^{sᵢₚ/t} / Σ_{k} e^{sᵢₖ/t} )",
  views: "ℓ_{i} = 1/|P| Σ_{p} −log ( e^{sᵢₚ/t} / ( e^{sᵢₚ/t} + Σ_{n} e^{sᵢₙ/t} ) )",
  ratio: "ℓ_{i} = −log ( e^{sᵢₚ/t} / Σ_{n} e^{sᵢₙ/t} )",
  nce: "ℓ_{i} = −log σ( sᵢₚ/t − log Z − log kq ) − Σ_{n} log σ( −( sᵢₙ/t − log Z − log kq ) )",
  weighted: "ℓ_{i} = −w sᵢₚ/t + log Σ_{n} e^{sᵢₙ/t}",
  hard: "ℓ_{i} = −log ( e^{sᵢₚ/t} / ( e^{sᵢₚ/t} + Ñ ) ),  Ñ = max( ( Σ_{n} wₙ e^{sᵢₙ/t} − M τ e^{sᵢₚ/t} ) / ( 1 − τ ), M e^{−1/t} )",
  sigmoid: "ℓ_{i} = −log σ( sᵢₚ/t + b ) − Σ_{n} log σ( −( sᵢₙ/t + b ) )",
  correlation: "ℓ_{i} = ( 1 − Cᵢᵢ )² + λ Σ_{j} Cᵢⱼ²",
  covariance: "ℓ_{i} = ( λ · |zᵢ − z′ᵢ|² + μ · max(0, 1 − σᵢ) + ν Σ_{j} ( Cᵢⱼ² + C′ᵢⱼ² ) ) / D",
  cosine: "ℓ_{i} = −cos( pᵢ, sg( zⱼ ) )",
};

/**
 * The row's loss in symbols, simpler where there is one positive.
 *
 * @param {Form} form
 * @param {number} positives how many the row has
 */
export function symbols(form, positives) {
  if (form.kind === "ratio" && form.sigma) return SYMBOLS.weighted;
  return SYMBOLS[form.kind === "out" && positives === 1 ? "one" : form.kind];
}

/** @param {string} text @returns {FormulaNode} */
const sign = (text) => ({ kind: "sign", text });
/** @param {string} text @returns {FormulaNode} */
const number = (text) => ({ kind: "number", text });

/**
 * The row's loss with its numbers: the chosen pair, the largest terms, the others as one sum.
 *
 * @param {{ table: Table; parts: Anatomy; form: Form; row: number; column: number; limit: number; strings: Strings }} given
 *     limit: terms of one sum
 * @returns {FormulaNode[]}
 */
export function rowFormula({ table, parts, form, row, column, limit, strings }) {
  const start = row * table.columns;
  const cells = comparedCells(table, row);
  const positives = cells.positives.map((i) => i - start);
  const negatives = cells.negatives.map((i) => i - start);
  if (!positives.length) return [{ kind: "note", text: strings.no_positive }];
  const scaled = (/** @type {number} */ j) => parts.scaled[start + j];
  const cosine = (/** @type {number} */ j) => formatNumber(table.cosines[start + j]);
  const t = String(Number(form.temperature.toPrecision(3)));

  /** @param {number} j @param {string} text @param {string} hint @returns {FormulaNode} */
  const term = (j, text, hint) => ({ kind: "term", text, column: j, positive: Boolean(table.positive[start + j]), hint });
  const power = (/** @type {number} */ j) => term(j, `e^{${cosine(j)}/${t}}`, `= ${formatNumber(Math.exp(scaled(j)))}`);

  /** The largest `count` columns of a list, the chosen one among them, and the others. @param {number[]} list @param {number} count */
  const largest = (list, count) => {
    const sorted = [...list].sort((a, b) => scaled(b) - scaled(a));
    const top = sorted.slice(0, count);
    if (list.includes(column) && !top.includes(column)) top[top.length - 1] = column;
    return { top, rest: sorted.filter((j) => !top.includes(j)) };
  };
  /** @param {number[]} rest @param {(j: number) => number} value @returns {FormulaNode[]} */
  const others = (rest, value) => {
    if (!rest.length) return [];
    const sum = rest.reduce((total, j) => total + value(j), 0);
    return [{ kind: "rest", text: fill(strings.rest, { count: rest.length, sum: formatNumber(sum) }) }];
  };
  /** @param {number[]} list */
  const sum = (list) => {
    const { top, rest } = largest(list, limit);
    const terms = [...top.map(power), ...others(rest, (j) => Math.exp(scaled(j)))];
    return terms.flatMap((node, i) => (i ? [sign("+"), node] : [node]));
  };

  const chosen = positives.includes(column) ? column : positives[0];
  /** @type {FormulaNode[]} */
  const end = [sign("="), { kind: "result", text: formatNumber(parts.terms[row]) }];
  const minusLog = sign("−log");
  switch (form.kind) {
    case "cosine": {
      /** @type {FormulaNode} */
      const stop = { kind: "stop", hint: strings.stop_gradient };
      return [sign("−"), number("cos( pᵢ, "), stop, number("( zⱼ ) ) = −"), term(chosen, cosine(chosen), strings.cosine), ...end];
    }
    case "correlation":
    case "covariance": {
      const part = (/** @type {number} */ j) => parts.contribution[start + j];
      const text = (/** @type {number} */ j) => {
        if (form.kind === "covariance") return formatNumber(part(j));
        return positives.includes(j) ? `(1 − ${cosine(j)})²` : `${form.weight} · ${cosine(j)}²`;
      };
      const sorted = [...negatives].sort((a, b) => part(b) - part(a));
      const top = sorted.slice(0, limit);
      if (negatives.includes(column) && !top.includes(column)) top[top.length - 1] = column;
      const left = sorted.filter((j) => !top.includes(j));
      const terms = [...positives, ...top].map((j) => term(j, text(j), `= ${formatNumber(part(j))}`));
      return [...terms, ...others(left, part)].flatMap((node, i) => (i ? [sign("+"), node] : [node])).concat(end);
    }
    case "hard": {
      const [own, all] = [scaled(chosen), scaled(chosen) - parts.logProbabilities[start + chosen]];
      const estimate = Math.exp(all + Math.log1p(-Math.exp(own - all)));
      const bottom = [power(chosen), sign("+"), number(formatNumber(estimate))];
      const mean = positives.length > 1 ? [{ kind: /** @type {const} */ ("note"), text: fill(strings.mean_of, { count: positives.length }) }] : [];
      return [minusLog, { kind: "fraction", top: [power(chosen)], bottom }, ...mean, ...end];
    }
    case "nce":
    case "sigmoid": {
      const shift = (form.log_z ?? 0) + (form.log_kq ?? 0) - (form.bias ?? 0);
      const offset = `${shift < 0 ? "+" : "−"} ${formatNumber(Math.abs(shift))}`;
      const logProbability = (/** @type {number} */ j) => parts.logProbabilities[start + j];
      const sigma = (/** @type {number} */ j, /** @type {string} */ minus) =>
        term(j, `σ(${minus}(${cosine(j)}/${t} ${offset}))`, `= ${formatNumber(Math.exp(logProbability(j)))}`);
      const { top, rest } = largest(negatives, Math.max(2, limit - 2));
      const terms = [...positives.map((j) => sigma(j, "")), ...top.map((j) => sigma(j, "−"))];
      return [...terms.flatMap((node) => [minusLog, node]), ...others(rest, (j) => -logProbability(j)), ...end];
    }
    case "in":
    case "in-sum": {
      const inside = sum(positives);
      const top = form.kind === "in" ? [number(`1/${positives.length} (`), ...inside, sign(")")] : inside;
      return [minusLog, { kind: "fraction", top, bottom: sum([...positives, ...negatives]) }, ...end];
    }
    default: {
      if (form.kind === "ratio" && form.sigma) {
        const weight = -parts.gradient[start + chosen] * form.temperature;
        const pull = [sign("−"), number(formatNumber(weight)), sign("·"), term(chosen, `${cosine(chosen)}/${t}`, strings.cosine)];
        return [...pull, sign("+ log ("), ...sum(negatives), sign(")"), ...end];
      }
      const bottoms = { ratio: negatives, views: [chosen, ...negatives], out: [...positives, ...negatives] };
      const own = parts.logProbabilities[start + chosen];
      /** @type {FormulaNode[]} */
      const one = [
        minusLog,
        { kind: "fraction", top: [power(chosen)], bottom: sum(bottoms[form.kind]) },
        ...[sign("="), minusLog, number(formatNumber(Math.exp(own)))],
      ];
      if (positives.length === 1) return [...one, ...end];
      const mean = fill(strings.mean_of, { count: positives.length });
      return [...one, sign("="), number(formatNumber(-own)), { kind: "break" }, { kind: "note", text: mean }, ...end];
    }
  }
}
