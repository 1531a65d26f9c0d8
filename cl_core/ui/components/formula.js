// Formulas made of live numbers. A term is a button that knows its column.

// "s_{ij}/t" and "e^{x}" as elements.
function written(text) {
  const node = document.createElement("span");
  for (const piece of text.split(/([_^]\{[^}]*\})/)) {
    if (/^[_^]\{/.test(piece)) node.append(build(piece[0] === "_" ? "sub" : "sup", "", piece.slice(2, -1)));
    else if (piece) node.append(piece);
  }
  return node;
}

// A number of at most four digits, for reading.
function shown(value) {
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  const size = Math.abs(value);
  let text;
  if (size === 0) text = "0";
  else if (size >= 1e5 || size < 1e-3) text = value.toExponential(1).replace("e+", "e");
  else text = size >= 100 ? value.toFixed(0) : size >= 10 ? value.toFixed(1) : value.toFixed(3);
  return text.replace("-", "−");
}

function term(text, column, className, hint) {
  const node = build("button", `cl-term ${className}`);
  node.type = "button";
  node.dataset.column = column;
  node.title = hint;
  node.append(written(text));
  return node;
}

function fraction(top, bottom) {
  const node = build("span", "cl-fraction");
  const [above, below] = [build("span", "cl-above"), build("span", "cl-below")];
  above.append(...top);
  below.append(...bottom);
  node.append(above, below);
  return node;
}

function joined(nodes, between) {
  return nodes.flatMap((node, i) => (i ? [build("span", "cl-sign", between), node] : [node]));
}

// The row's loss as the formula with its numbers. here: {row, column, table, parts, form, most}; words: texts.
function liveFormula({ row, column, table, parts, form, most, words }) {
  const { columns, positive, negative, cosines } = table;
  const start = row * columns;
  const positives = [], negatives = [];
  for (let j = 0; j < columns; j++) {
    if (positive[start + j]) positives.push(j);
    else if (negative[start + j]) negatives.push(j);
  }
  const t = String(Number(form.temperature.toPrecision(3)));
  const isPositive = (j) => positive[start + j];
  const name = (j) => (isPositive(j) ? "cl-is-positive" : "cl-is-negative");
  const power = (j) => term(`e^{${shown(cosines[start + j])}/${t}}`, j, name(j), `= ${shown(Math.exp(parts.scaled[start + j]))}`);
  if (!positives.length) return [build("span", "cl-said", words.no_positive)];

  // The chosen pair first, then the largest; the rest as one sum.
  const largest = (list, count) => {
    const sorted = [...list].sort((a, b) => parts.scaled[start + b] - parts.scaled[start + a]);
    const kept = sorted.slice(0, count);
    if (list.includes(column) && !kept.includes(column)) kept[kept.length - 1] = column;
    return [kept, sorted.filter((j) => !kept.includes(j))];
  };
  const sum = (list) => {
    const [kept, rest] = largest(list, most);
    const nodes = kept.map(power);
    if (rest.length) {
      const total = rest.reduce((all, j) => all + Math.exp(parts.scaled[start + j]), 0);
      nodes.push(build("span", "cl-rest", say(words.rest, { count: rest.length, sum: shown(total) })));
    }
    return joined(nodes, "+");
  };
  const chosen = isPositive(column) ? column : positives[0];
  const end = [build("span", "cl-sign", "="), build("strong", "cl-result", shown(parts.terms[row]))];
  const log = build("span", "cl-sign", "−log");
  const result = (probability) => [build("span", "cl-sign", "="), log.cloneNode(true), build("span", "", shown(probability))];

  if (form.kind === "cosine") {
    const pair = term(shown(cosines[start + chosen]), chosen, name(chosen), words.cosine);
    return [build("span", "cl-sign", "−"), written("cos( pᵢ, "), stopGradient(words), written("( zⱼ ) ) = −"), pair, ...end];
  }
  if (form.kind === "nce") {
    const off = shown((form.log_z || 0) + (form.log_kq || 0));
    const sigma = (j, sign) => term(`σ(${sign}(${shown(cosines[start + j])}/${t} − ${off}))`, j, name(j),
      `= ${shown(Math.exp(parts.logProbabilities[start + j]))}`);
    const [kept, rest] = largest(negatives, Math.max(2, most - 2));
    const nodes = positives.flatMap((j) => [log.cloneNode(true), sigma(j, "")]);
    for (const j of kept) nodes.push(log.cloneNode(true), sigma(j, "−"));
    if (rest.length) {
      const total = rest.reduce((all, j) => all - parts.logProbabilities[start + j], 0);
      nodes.push(build("span", "cl-rest", say(words.rest, { count: rest.length, sum: shown(total) })));
    }
    return [...nodes, ...end];
  }
  if (form.kind === "in" || form.kind === "in-sum") {
    const top = [...(form.kind === "in" ? [written(`1/${positives.length} (`)] : []), ...sum(positives),
      ...(form.kind === "in" ? [build("span", "cl-sign", ")")] : [])];
    return [log, fraction(top, sum([...positives, ...negatives])), ...end];
  }
  const bottom = form.kind === "ratio" ? negatives : form.kind === "views" ? [chosen, ...negatives] : [...positives, ...negatives];
  const one = [log, fraction([power(chosen)], sum(bottom)), ...result(Math.exp(parts.logProbabilities[start + chosen]))];
  if (positives.length === 1) return [...one, ...end];
  const own = -parts.logProbabilities[start + chosen];
  return [...one, build("span", "cl-sign", "="), build("span", "", shown(own)), build("br", ""),
    build("span", "cl-said", say(words.mean_of, { count: positives.length })), ...end];
}

function stopGradient(words) {
  const node = build("abbr", "cl-stop", "sg");
  node.title = words.stop_gradient;
  return node;
}

const SYMBOLS = {
  one: "ℓ_{i} = −log ( e^{sᵢₚ/t} / Σ_{k} e^{sᵢₖ/t} )",
  out: "ℓ_{i} = 1/|P| Σ_{p} −log ( e^{sᵢₚ/t} / Σ_{k} e^{sᵢₖ/t} )",
  in: "ℓ_{i} = −log ( 1/|P| Σ_{p} e^{sᵢₚ/t} / Σ_{k} e^{sᵢₖ/t} )",
  "in-sum": "ℓ_{i} = −log ( Σ_{p} e^{sᵢₚ/t} / Σ_{k} e^{sᵢₖ/t} )",
  views: "ℓ_{i} = 1/|P| Σ_{p} −log ( e^{sᵢₚ/t} / ( e^{sᵢₚ/t} + Σ_{n} e^{sᵢₙ/t} ) )",
  ratio: "ℓ_{i} = −log ( e^{sᵢₚ/t} / Σ_{n} e^{sᵢₙ/t} )",
  nce: "ℓ_{i} = −log σ( sᵢₚ/t − log Z − log kq ) − Σ_{n} log σ( −( sᵢₙ/t − log Z − log kq ) )",
  cosine: "ℓ_{i} = −cos( pᵢ, sg( zⱼ ) )",
};

// The row's loss in symbols, simpler where there is one positive.
function symbols(form, positives) {
  return written(SYMBOLS[form.kind === "out" && positives === 1 ? "one" : form.kind]);
}
