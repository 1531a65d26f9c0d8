/**
 * `template` with its {placeholders} filled in, whole numbers in groups of three digits; a placeholder without a value stays.
 *
 * @param {string} template
 * @param {Record<string, string | number>} values
 */
export function fill(template, values) {
  const write = (/** @type {string | number} */ value) => (Number.isInteger(value) ? value.toLocaleString("en") : String(value));
  return template.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? write(values[name]) : whole));
}

/**
 * A number with at most four digits and a true minus sign.
 *
 * @param {number} value
 */
export function formatNumber(value) {
  if (Number.isNaN(value)) return "–";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  const size = Math.abs(value);
  let text;
  if (size === 0) text = "0";
  else if (size >= 1e5 || size < 1e-3) text = value.toExponential(1).replace("e+", "e");
  else if (size >= 100) text = value.toFixed(0);
  else text = value.toFixed(size >= 10 ? 1 : 3);
  return text.replaceAll("-", "−");
}

/**
 * @param {number} fraction 0 to 1
 */
export function formatPercent(fraction) {
  return `${(100 * fraction).toFixed(1)} %`;
}

/**
 * e^exponent, as a power of ten where it is large.
 *
 * @param {number} exponent
 */
export function formatExponential(exponent) {
  return exponent > 20 ? `10^${(exponent / Math.LN10).toFixed(1)}` : formatNumber(Math.exp(exponent));
}

/**
 * Paragraphs of a text with **strong** and *emphasized* parts.
 *
 * @param {string} text
 * @returns {{ tag: "strong" | "em" | ""; text: string }[][]} the parts of each paragraph
 */
export function parseEmphasis(text) {
  return text.split("\n\n").map((paragraph) =>
    paragraph
      .split(/(\*\*[^*]+\*\*|\*[^*]+\*)/)
      .filter(Boolean)
      .map((part) => {
        if (part.startsWith("**")) return { tag: "strong", text: part.slice(2, -2) };
        return part.length > 2 && part.startsWith("*") ? { tag: "em", text: part.slice(1, -1) } : { tag: "", text: part };
      }),
  );
}

/**
 * The parts of a text such as "s_{ij}/t" or "e^{x}".
 *
 * @param {string} text
 * @returns {{ tag: "sub" | "sup" | ""; text: string }[]}
 */
export function parseScripts(text) {
  return text
    .split(/([_^]\{[^}]*\})/)
    .filter(Boolean)
    .map((part) => {
      if (!/^[_^]\{/.test(part)) return { tag: "", text: part };
      return { tag: part[0] === "_" ? "sub" : "sup", text: part.slice(2, -1) };
    });
}

/**
 * The number of equally likely candidates whose loss is a chance level: N for ln N; null where it is of another kind.
 *
 * @param {number} chance in nats
 */
export function candidatesAtChance(chance) {
  const count = Math.exp(chance);
  const whole = Math.round(count);
  return whole > 1 && Math.abs(count - whole) < 1e-3 * whole ? whole : null;
}
