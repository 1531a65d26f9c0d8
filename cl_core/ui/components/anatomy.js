// The losses taken apart where a slider must not wait. Tests hold every number equal to `cl_core/losses/anatomy.py`.

// table: {rows, columns, cosines, positive, negative}, flat arrays row by row; form: {kind, temperature, log_z, log_kq}.
// Gives what `Anatomy` has: scaled, logProbabilities, share and gradient as flat arrays, terms by row, anchors, loss.
function anatomy(table, form) {
  const { rows, columns, cosines, positive, negative } = table;
  const size = rows * columns;
  const parts = {
    scaled: new Float64Array(size), logProbabilities: new Float64Array(size).fill(-Infinity),
    share: new Float64Array(size), gradient: new Float64Array(size), terms: new Float64Array(rows), anchors: 0, loss: 0,
  };
  const t = form.kind === "cosine" ? 1 : form.temperature;
  for (let i = 0; i < size; i++) parts.scaled[i] = cosines[i] / t - (form.log_z || 0) - (form.log_kq || 0);
  for (let row = 0; row < rows; row++) {
    const positives = [], negatives = [];
    for (let i = row * columns; i < (row + 1) * columns; i++) {
      if (positive[i]) positives.push(i);
      else if (negative[i]) negatives.push(i);
    }
    if (positives.length) parts.anchors += 1;
    PARTS[form.kind](parts, positives, negatives, t);
    for (const i of [...positives, ...negatives]) parts.terms[row] += parts.share[i];
  }
  const count = Math.max(1, parts.anchors);
  for (let i = 0; i < size; i++) parts.share[i] /= count;
  parts.loss = parts.terms.reduce((sum, term) => sum + term, 0) / count;
  return parts;
}

function logSumExp(values, at) {
  let top = -Infinity;
  for (const i of at) top = Math.max(top, values[i]);
  if (top === -Infinity) return top;
  let sum = 0;
  for (const i of at) sum += Math.exp(values[i] - top);
  return top + Math.log(sum);
}

function logSigmoid(x) {
  return x >= 0 ? -Math.log1p(Math.exp(-x)) : x - Math.log1p(Math.exp(x));
}

// Each fills one row's probabilities, gradient and, not yet divided by the number of anchors, share.
const PARTS = {
  out(parts, positives, negatives, t) {
    softmaxRow(parts, positives, negatives, t, (i) => [-parts.logProbabilities[i] / positives.length, 1 / positives.length]);
  },
  in(parts, positives, negatives, t) {
    insideRow(parts, positives, negatives, t, Math.log(positives.length));
  },
  "in-sum"(parts, positives, negatives, t) {
    insideRow(parts, positives, negatives, t, 0);
  },
  views(parts, positives, negatives, t) {
    const { scaled } = parts;
    const rest = logSumExp(scaled, negatives);
    const count = positives.length;
    const own = positives.map((i) => logAddExp(scaled[i], rest));
    const meanOwn = own.reduce((sum, value) => sum + value, 0) / count;
    positives.forEach((i, n) => {
      parts.logProbabilities[i] = scaled[i] - own[n];
      parts.share[i] = (own[n] - scaled[i]) / count;
      parts.gradient[i] = (Math.exp(scaled[i] - own[n]) - 1) / count / t;
    });
    for (const i of negatives) {
      parts.logProbabilities[i] = scaled[i] - meanOwn;
      parts.gradient[i] = own.reduce((sum, value) => sum + Math.exp(scaled[i] - value), 0) / count / t;
    }
  },
  ratio(parts, positives, negatives, t) {
    const bottom = logSumExp(parts.scaled, negatives);
    for (const i of [...positives, ...negatives]) parts.logProbabilities[i] = parts.scaled[i] - bottom;
    for (const i of positives) {
      parts.share[i] = -parts.logProbabilities[i];
      parts.gradient[i] = -1 / t;
    }
    for (const i of negatives) parts.gradient[i] = positives.length * Math.exp(parts.logProbabilities[i]) / t;
  },
  nce(parts, positives, negatives, t) {
    for (const i of positives) {
      parts.logProbabilities[i] = logSigmoid(parts.scaled[i]);
      parts.gradient[i] = -Math.exp(logSigmoid(-parts.scaled[i])) / t;
    }
    for (const i of negatives) {
      parts.logProbabilities[i] = logSigmoid(-parts.scaled[i]);
      parts.gradient[i] = Math.exp(logSigmoid(parts.scaled[i])) / t;
    }
    for (const i of [...positives, ...negatives]) parts.share[i] = -parts.logProbabilities[i];
  },
  cosine(parts, positives) {
    for (const i of positives) {
      parts.logProbabilities[i] = 0;
      parts.share[i] = -parts.scaled[i];
      parts.gradient[i] = -1;
    }
  },
};

function logAddExp(a, b) {
  const top = Math.max(a, b);
  return top === -Infinity ? top : top + Math.log(Math.exp(a - top) + Math.exp(b - top));
}

// ofPositive: where a positive is -> [its share of the row's loss, its part of what the row pulls].
function softmaxRow(parts, positives, negatives, t, ofPositive) {
  const compared = [...positives, ...negatives];
  const bottom = logSumExp(parts.scaled, compared);
  for (const i of compared) parts.logProbabilities[i] = parts.scaled[i] - bottom;
  if (!positives.length) return;
  for (const i of compared) parts.gradient[i] = Math.exp(parts.logProbabilities[i]) / t;
  for (const i of positives) {
    const [share, pull] = ofPositive(i);
    parts.share[i] = share;
    parts.gradient[i] -= pull / t;
  }
}

function insideRow(parts, positives, negatives, t, logCount) {
  let top = null;
  softmaxRow(parts, positives, negatives, t, (i) => {
    top ??= logSumExp(parts.logProbabilities, positives);
    const part = Math.exp(parts.logProbabilities[i] - top);
    return [(logCount - top) * part, part];
  });
}
