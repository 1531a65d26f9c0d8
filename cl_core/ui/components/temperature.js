// What the temperature does to the negatives. Tests hold every number equal to `cl_core/losses/temperature.py`.

const HALF_MAX = 65504, SINGLE_MAX = 3.4028234663852886e38;

// Of one row: the negatives' parts of the push (0 elsewhere), exp of their entropy, the hardest negative, the positives' pull.
function pushes(table, parts, row) {
  const { columns, positive, negative } = table;
  const start = row * columns;
  const weights = new Float64Array(columns);
  let sum = 0, pull = 0;
  for (let j = 0; j < columns; j++) {
    if (negative[start + j]) sum += weights[j] = Math.abs(parts.gradient[start + j]);
    else if (positive[start + j]) pull -= parts.gradient[start + j];
  }
  let entropy = 0, hardest = -1;
  for (let j = 0; j < columns; j++) {
    if (!negative[start + j]) continue;
    if (sum > 0) weights[j] /= sum;
    if (weights[j] > 0) entropy -= weights[j] * Math.log(weights[j]);
    if (hardest < 0 || weights[j] > weights[hardest]) hardest = j;
  }
  return { weights, effective: Math.exp(entropy), hardest, hardestContribution: hardest < 0 ? 0 : weights[hardest], pull };
}

// Means over the anchors that have a positive.
function overview(table, parts) {
  const mean = { loss: parts.loss, probability: 0, effective: 0, hardest: 0, pull: 0 };
  for (let row = 0; row < table.rows; row++) {
    const here = pushes(table, parts, row);
    let probability = 0, any = false;
    for (let i = row * table.columns; i < (row + 1) * table.columns; i++) {
      if (table.positive[i]) { probability += Math.exp(parts.logProbabilities[i]); any = true; }
    }
    if (!any) continue;
    mean.probability += probability / parts.anchors;
    mean.effective += here.effective / parts.anchors;
    mean.hardest += here.hardestContribution / parts.anchors;
    mean.pull += here.pull / parts.anchors;
  }
  return mean;
}

// The largest similarity the loss looks at.
function largestSimilarity(table) {
  let top = 0;
  table.cosines.forEach((value, i) => { if (table.positive[i] || table.negative[i]) top = Math.max(top, value); });
  return top;
}
