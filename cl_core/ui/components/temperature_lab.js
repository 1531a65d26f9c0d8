// What the temperature does to a batch, computed here: a slider must not wait. `element` and `props` come from Gradio.
const words = props.words;
const [LOWEST_T, HIGHEST_T] = props.temperatures;
const T_STEPS = 300;
const CURVE_STEPS = 48;
const CURVES_A_FRAME = 6;
const BAR_HEIGHTS = { probability: 110, image: 22, gradient: 90, gap: 6 };
const SMALLEST_BAR = 15;
const GREEN = "#009e73", ORANGE = "#d55e00", BLUE = "#0072b2";

const summary = build("div", "cl-summary");
const controls = build("div", "cl-controls");
const networks = build("fieldset", "cl-chips");
const slider = build("div", "cl-temperature");
const sliderLabel = build("label", "cl-name", words.slider);
const number = document.createElement("input");
Object.assign(number, { type: "number", min: LOWEST_T, max: HIGHEST_T, step: "any", className: "cl-number" });
const own = build("button", "cl-own", words.own);
own.type = "button";
const range = document.createElement("input");
Object.assign(range, { type: "range", min: 0, max: T_STEPS, step: 1 });
range.setAttribute("aria-label", words.slider);
sliderLabel.append(number);
const ends = build("div", "cl-ends");
ends.append(build("span", "", say(words.low, { t: LOWEST_T })), build("span", "", say(words.high, { t: HIGHEST_T })));
slider.append(sliderLabel, own, range, ends);
controls.append(networks, slider);

const body = build("div", "cl-body");
const matrixBox = build("div", "");
const details = build("aside", "cl-details");
body.append(matrixBox, details);
const rowBox = build("section", "cl-rowbox");
const rowTitle = build("h3", "cl-title", words.row);
const bars = document.createElement("canvas");
bars.className = "cl-bars";
bars.setAttribute("role", "img");
const legend = build("p", "cl-keys", words.row_hint);
rowBox.append(rowTitle, bars, legend);
const curves = build("div", "cl-curves");
const places = build("section", "cl-places");
root.replaceChildren(summary, controls, body, rowBox, build("h3", "cl-title", words.curves), curves, places);

let shownValue = null;
let networksOf = []; // untrained, trained
let sheet = null;
let turn = 0;
let width = 0; // of the view: asking while drawing would lay the page out anew
const state = { network: 1, row: 0, column: 0, t: null, drawn: false };

const panel = matrixPanel(words.matrix, words.keys, {
  point: (row, column) => pick(row, column, false),
  pick: (row, column) => pick(row, column, true),
  here: () => [state.row, state.column],
});
matrixBox.append(panel.node);

function current() { return networksOf[state.network]; }
function temperature() { return state.t === null ? current().form.temperature : state.t; }
function formAt(t) { return { ...current().form, temperature: t }; }

function unpack(sent) {
  const codes = unpacked(sent.roles, Uint8Array);
  const is = (part) => Uint8Array.from(codes, (code) => Number(shownValue.roles[code].split(".")[1].startsWith(part)));
  const table = { rows: sent.rows, columns: sent.columns.length, cosines: unpacked(sent.cosines, Float32Array),
    positive: is("positive"), negative: is("negative") };
  return { ...sent, table, parts: null, curve: null, top: largestSimilarity(table),
    rowSprites: Array.from({ length: sent.rows }, (_, i) => i), columnSprites: sent.columns.map((each) => each.sprite) };
}

// One frame: everything that follows the slider.
function paint() {
  const here = current();
  const { table } = here;
  here.parts = anatomy(table, formAt(temperature()));
  here.pixels ??= new Uint8ClampedArray(4 * table.rows * table.columns);
  const top = here.form.kind === "ratio" ? 1 / Math.max(1, Math.exp(here.parts.logProbabilities.reduce((most, value) => Math.max(most, value), 0))) : 1;
  for (let i = 0; i < table.rows * table.columns; i++) {
    const looked = table.positive[i] || table.negative[i];
    const shade = looked ? RISING_STEPS[Math.min(255, Math.round(255 * Math.sqrt(top * Math.exp(here.parts.logProbabilities[i]))))] : null;
    here.pixels[4 * i] = shade ? shade[0] : 128;
    here.pixels[4 * i + 1] = shade ? shade[1] : 128;
    here.pixels[4 * i + 2] = shade ? shade[2] : 128;
    here.pixels[4 * i + 3] = shade ? 255 : 46;
  }
  panel.draw(table.rows, table.columns, here.pixels, table.positive,
    sheet && { sheet, sprites: shownValue.sprites, rows: here.rowSprites, columns: here.columnSprites });
  panel.mark(state.row, state.column);
  here.means = overview(table, here.parts);
  describe();
  moveCursors();
}
const RISING_STEPS = Array.from({ length: 256 }, (_, i) => ramp(RISING, i / 255));

function fact(key, text, exact, mood) {
  const row = build("div", "cl-fact");
  row.dataset.fact = key;
  const label = build("dt", "", words[`fact.${key}`]);
  label.title = words[`fact.${key}.hint`];
  const value = build("dd", mood || "", text);
  value.title = String(exact);
  row.append(label, value);
  return row;
}

const percent = (value) => `${(100 * value).toFixed(1)} %`;

function describe() {
  const here = current();
  const { table, parts } = here;
  const start = state.row * table.columns;
  const row = pushes(table, parts, state.row);
  const { means } = here;
  const negatives = table.negative.subarray(start, start + table.columns).reduce((sum, is) => sum + is, 0);
  let probability = 0;
  for (let j = 0; j < table.columns; j++) if (table.positive[start + j]) probability += Math.exp(parts.logProbabilities[start + j]);
  const pair = build("div", "cl-pair");
  if (sheet) pair.append(drawnTile(sheet, shownValue.sprites, state.row, 56));
  const said = build("div", "cl-said");
  said.append(build("div", "cl-which", say(words.anchor, { name: here.rowNames[state.row] })));
  if (row.hardest >= 0) {
    const hardest = here.columns[row.hardest];
    said.append(build("div", "", say(words.hardest, { name: hardest.caption, share: percent(row.hardestContribution) })));
    pair.append(said);
    if (sheet && hardest.sprite >= 0) pair.append(drawnTile(sheet, shownValue.sprites, hardest.sprite, 56));
  } else pair.append(said);
  const facts = build("dl", "cl-facts");
  const power = here.top / temperature();
  const fits = power <= Math.log(HALF_MAX) ? "half" : power <= Math.log(SINGLE_MAX) ? "single" : "neither";
  facts.append(
    fact("probability", percent(probability), probability),
    fact("row", shown(parts.terms[state.row]), parts.terms[state.row]),
    fact("effective", say(words.of, { value: shown(row.effective), all: negatives }), row.effective),
    fact("hardest", percent(row.hardestContribution), row.hardestContribution),
    fact("pull", shown(row.pull), row.pull),
    fact("loss", shown(parts.loss), parts.loss),
    fact("chance", here.chance === null ? "–" : shown(here.chance), here.chance),
    fact("mean_effective", shown(means.effective), means.effective),
  );
  const exponent = build("p", `cl-exponent cl-${fits}`);
  exponent.dataset.fits = fits;
  exponent.append(say(words[`fits.${fits}`], { cosine: shown(here.top), t: shown(temperature()),
    power: power > 20 ? `10^${(power / Math.LN10).toFixed(1)}` : shown(Math.exp(power)) }));
  details.replaceChildren(build("h3", "cl-title", words.here), pair, facts, exponent);
  drawBars(row);
}

function orderBars({ table }, start, width) {
  const compared = [];
  for (let j = 0; j < table.columns; j++) if (table.positive[start + j] || table.negative[start + j]) compared.push(j);
  compared.sort((a, b) => table.cosines[start + b] - table.cosines[start + a]);
  const count = Math.max(1, Math.min(compared.length, Math.floor(width / SMALLEST_BAR)));
  bars.cells = compared.slice(0, count);
  // A positive that is far down the list is the one thing that must be seen.
  const last = compared.findLast((j) => table.positive[start + j]);
  if (last !== undefined && !bars.cells.includes(last)) bars.cells[count - 1] = last;
  bars.wide = Math.min(40, width / count);
}

// The anchor's candidates, the most alike first, in pixels: upwards probabilities, downwards pull and push.
// said: the words beside them, [text, y].
function barsOf({ table, parts }, start) {
  const { probability: tallest, image, gradient: longest, gap } = BAR_HEIGHTS;
  const high = tallest + image + longest + 2 * gap + 28, base = 16 + tallest;
  const chance = (j) => Math.exp(parts.logProbabilities[start + j]);
  const most = bars.cells.reduce((top, j) => Math.max(top, chance(j)), 1e-12);
  const strongest = bars.cells.reduce((top, j) => Math.max(top, Math.abs(parts.gradient[start + j])), 1e-12);
  const boxes = bars.cells.map((j, n) => {
    const height = (tallest * chance(j)) / most, force = parts.gradient[start + j];
    return { j, x: n * bars.wide, up: { y: base - height, height, color: table.positive[start + j] ? GREEN : BLUE },
      down: { y: base + image + gap, height: (longest * Math.abs(force)) / strongest, color: force < 0 ? GREEN : ORANGE } };
  });
  const said = [[say(words.probability_bars, { most: percent(most) }), 11], [say(words.gradient_bars, { most: shown(strongest) }), high - 2]];
  return { high, base, boxes, said, most };
}

// The same as a drawing, with the images between as one image.
function barsSvg() {
  const { high, base, boxes, said } = barsOf(current(), state.row * current().table.columns);
  const { image, gap } = BAR_HEIGHTS;
  const strip = document.createElement("canvas"), scale = bars.width / width;
  [strip.width, strip.height] = [bars.width, Math.round(image * scale)];
  strip.getContext("2d").drawImage(bars, 0, -Math.round((base + gap / 2) * scale));
  return svgText(width, high, [paper(),
    ...said.map(([text, y]) => `<text x="0" y="${y}" font-family="sans-serif" font-size="12" fill="${bars.ink}">${xml(text)}</text>`),
    `<image x="0" y="${base + gap / 2}" width="${width}" height="${image}" href="${strip.toDataURL()}"/>`,
    ...boxes.flatMap(({ x, up, down }) => [up, down].map(({ y, height, color }) => `<rect x="${x + 1}" y="${y}" width="${bars.wide - 2}" height="${height}" fill="${color}"/>`))]);
}

function drawBars(row) {
  const here = current();
  const { table, parts } = here;
  const start = state.row * table.columns;
  if (!width) return;
  const key = [turn, state.network, state.row, width, window.devicePixelRatio, document.body.className].join();
  const fresh = bars.key !== key; // order and images stay while only the temperature moves
  if (fresh) {
    orderBars(here, start, width);
    bars.ink = getComputedStyle(root).color;
  }
  bars.key = key;
  const { wide } = bars;
  const { image, gap } = BAR_HEIGHTS;
  const { high, base, boxes, said, most } = barsOf(here, start);
  const pen = sized(bars, width, high);
  const strip = base + gap / 2;
  if (fresh) pen.clearRect(0, strip, width, image);
  pen.clearRect(0, 0, width, strip);
  pen.clearRect(0, strip + image, width, high);
  pen.font = "12px sans-serif";
  pen.fillStyle = bars.ink;
  for (const [text, y] of said) pen.fillText(text, 0, y);
  for (const { j, x, up, down } of boxes) {
    const size = Math.min(image, wide - 1);
    if (sheet && fresh) spriteOn(pen, here.columns[j].sprite, x + (wide - size) / 2, strip + (image - size) / 2, size);
    for (const { y, height, color } of [up, down]) {
      pen.fillStyle = color;
      pen.fillRect(x + 1, y, wide - 2, height);
    }
    if (j === state.column) {
      pen.strokeStyle = "#e69f00";
      pen.lineWidth = 2;
      const { probability, gradient } = BAR_HEIGHTS;
      for (const [y, tall] of [[base - probability, probability], [base + image + gap, gradient]]) pen.strokeRect(x + 1, y, wide - 2, tall);
    }
  }
  bars.setAttribute("aria-label", say(words.row_label, { count: boxes.length, most: percent(most) }));
}

function spriteOn(pen, sprite, x, y, size) {
  if (sprite < 0) return;
  const side = sheet.width / shownValue.sprites.columns;
  const columns = shownValue.sprites.columns;
  pen.drawImage(sheet, (sprite % columns) * side, Math.floor(sprite / columns) * side, side, side, x, y, size, size);
}

// A canvas of this size in the page's pixels; gives its pen.
function sized(canvas, width, height) {
  const scale = window.devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
    [canvas.width, canvas.height] = [Math.round(width * scale), Math.round(height * scale)];
    canvas.style.cssText = `width:${width}px;height:${height}px`;
  }
  const pen = canvas.getContext("2d");
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  return pen;
}

// The curves over all temperatures, a few of them a frame.
const KINDS = ["loss", "probability", "effective", "hardest", "pull"];
const LOGARITHMIC = { pull: true };
const temperatures = Array.from({ length: CURVE_STEPS + 1 }, (_, i) => LOWEST_T * (HIGHEST_T / LOWEST_T) ** (i / CURVE_STEPS));

function computeCurve(here, now) {
  const found = [];
  const step = () => {
    if (now !== turn) return;
    for (let n = 0; n < CURVES_A_FRAME && found.length < temperatures.length; n++) {
      const form = { ...here.form, temperature: temperatures[found.length] };
      found.push(overview(here.table, anatomy(here.table, form)));
    }
    if (found.length < temperatures.length) { requestAnimationFrame(step); return; }
    here.curve = found;
    if (here === current()) { drawCurves(); root.dataset.curves = String(now); }
  };
  requestAnimationFrame(step);
}

const WIDE = 240, HIGH = 150, PAD = { left: 40, right: 8, top: 10, bottom: 22 };
const acrossOf = (t) => PAD.left + (Math.log(t / LOWEST_T) / Math.log(HIGHEST_T / LOWEST_T)) * (WIDE - PAD.left - PAD.right);

function drawCurves() {
  const here = current();
  if (!here.curve) return;
  curves.replaceChildren(...KINDS.map((kind) => {
    const values = here.curve.map((each) => each[kind]);
    const scale = LOGARITHMIC[kind] ? Math.log10 : (value) => value;
    const levels = kind === "loss" && here.chance !== null ? [...values, here.chance] : values;
    let low = LOGARITHMIC[kind] ? scale(Math.max(1e-6, Math.min(...levels))) : Math.min(0, ...levels);
    let high = scale(Math.max(...levels, 1e-6));
    if (kind === "probability" || kind === "hardest") { low = 0; high = Math.max(1, high); }
    if (high - low < 1e-9) high = low + 1;
    const down = (value) => PAD.top + (1 - (scale(Math.max(value, 1e-6)) - low) / (high - low)) * (HIGH - PAD.top - PAD.bottom);
    const line = values.map((value, i) => `${i ? "L" : "M"}${acrossOf(temperatures[i]).toFixed(1)} ${down(value).toFixed(1)}`).join("");
    const overflow = here.top > 0 ? here.top / Math.log(HALF_MAX) : 0;
    const shapes = [];
    if (overflow > LOWEST_T) {
      shapes.push(`<rect class="cl-overflow" x="${PAD.left}" y="${PAD.top}" width="${acrossOf(Math.min(HIGHEST_T, overflow)) - PAD.left}" height="${HIGH - PAD.top - PAD.bottom}" fill="#999" fill-opacity=".18"/>`);
    }
    for (const t of [0.01, 0.1, 1, 10]) {
      shapes.push(`<line x1="${acrossOf(t)}" x2="${acrossOf(t)}" y1="${PAD.top}" y2="${HIGH - PAD.bottom}" stroke="#888" stroke-opacity=".25"/>`,
        `<text x="${acrossOf(t)}" y="${HIGH - 6}" text-anchor="${t === HIGHEST_T ? "end" : t === LOWEST_T ? "start" : "middle"}" fill="currentColor" font-size="10.5">${t}</text>`);
    }
    for (const value of [low, high]) {
      const label = LOGARITHMIC[kind] ? 10 ** value : value;
      shapes.push(`<text x="${PAD.left - 4}" y="${down(LOGARITHMIC[kind] ? label : value) + 4}" text-anchor="end" fill="currentColor" font-size="10.5">${shown(label)}</text>`);
    }
    if (kind === "loss" && here.chance !== null) {
      shapes.push(`<line x1="${PAD.left}" x2="${WIDE - PAD.right}" y1="${down(here.chance)}" y2="${down(here.chance)}" stroke="${ORANGE}" stroke-dasharray="2 3"><title>${xml(words["fact.chance"])}</title></line>`);
    }
    shapes.push(`<path d="${line}" fill="none" stroke="${BLUE}" stroke-width="2"/>`,
      `<line class="cl-now" y1="${PAD.top}" y2="${HIGH - PAD.bottom}" stroke="#e69f00" stroke-width="2"/>`);
    const figure = build("figure", "cl-curve");
    const caption = build("figcaption", "");
    caption.append(build("span", "", words[`curve.${kind}`]), build("strong", "", ""));
    caption.firstChild.title = words[`curve.${kind}.hint`];
    const drawing = build("div", "cl-drawing");
    drawing.append(svgNode(WIDE, HIGH, shapes, words[`curve.${kind}`]));
    const go = (event) => {
      if (!event.buttons) return;
      const box = drawing.getBoundingClientRect();
      const share = ((event.clientX - box.left) / box.width * WIDE - PAD.left) / (WIDE - PAD.left - PAD.right);
      setTemperature(LOWEST_T * (HIGHEST_T / LOWEST_T) ** Math.min(1, Math.max(0, share)), true);
      paintSoon();
    };
    drawing.addEventListener("pointerdown", go);
    drawing.addEventListener("pointermove", go);
    figure.append(caption, drawing);
    figure.dataset.kind = kind;
    return figure;
  }));
  moveCursors();
}

function moveCursors() {
  const here = current();
  if (!here.parts || !curves.children.length) return;
  const { means } = here;
  const x = acrossOf(temperature());
  for (const figure of curves.children) {
    const line = figure.querySelector(".cl-now");
    line.setAttribute("x1", x);
    line.setAttribute("x2", x);
    const value = means[figure.dataset.kind];
    const strong = figure.querySelector("strong");
    strong.textContent = figure.dataset.kind === "probability" || figure.dataset.kind === "hardest" ? percent(value) : shown(value);
    strong.title = String(value);
  }
}

// Where the runs of this data set ended: how evenly they spread, how close they keep a class.
function drawPlaces() {
  const points = shownValue.places.filter((each) => Number.isFinite(each.tolerance) && Number.isFinite(each.uniformity));
  places.replaceChildren();
  if (!points.length) return;
  const [width, height, pad] = [620, 300, { left: 50, right: 24, top: 14, bottom: 40 }];
  const range = (values) => { const [a, b] = [Math.min(...values), Math.max(...values)]; return [a - 0.08 * (b - a + 0.1), b + 0.08 * (b - a + 0.1)]; };
  const [x0, x1] = range(points.map((each) => each.uniformity)), [y0, y1] = range(points.map((each) => each.tolerance));
  const x = (value) => pad.left + ((value - x0) / (x1 - x0)) * (width - pad.left - pad.right);
  const y = (value) => pad.top + ((y1 - value) / (y1 - y0)) * (height - pad.top - pad.bottom);
  const taken = []; // boxes of the names that are written; the others are told by the pointer
  const dots = [...points].sort((a, b) => Number(b.here) - Number(a.here)).map((each) => {
    const told = `${each.name}: ${words.uniformity} ${each.uniformity.toFixed(2)}, ${words.tolerance} ${each.tolerance.toFixed(2)}`;
    const [cx, cy, long] = [x(each.uniformity), y(each.tolerance), 7 * each.label.length];
    const left = cx + 10 + long > width ? cx - 10 - long : cx + 10;
    const free = taken.every(([l, t, w]) => l > left + long || left > l + w || Math.abs(t - cy) > 13);
    if (free) taken.push([left, cy, long]);
    const name = free ? `<text x="${left}" y="${cy + 4}" font-size="11.5" fill="currentColor"${each.here ? ' font-weight="700"' : ""}>${xml(each.label)}</text>` : "";
    return `<g><title>${xml(told)}</title><circle cx="${cx}" cy="${cy}" r="${each.here ? 8 : 5}" fill="${each.here ? ORANGE : BLUE}" fill-opacity=".85"/>${name}</g>`;
  });
  const drawing = build("div", "cl-plane");
  drawing.append(svgNode(width, height, [
    `<line x1="${pad.left}" x2="${width - pad.right}" y1="${height - pad.bottom}" y2="${height - pad.bottom}" stroke="#888"/>`,
    `<line x1="${pad.left}" x2="${pad.left}" y1="${pad.top}" y2="${height - pad.bottom}" stroke="#888"/>`,
    `<text x="${width / 2}" y="${height - 8}" text-anchor="middle" font-size="12" fill="currentColor">${xml(words.uniformity_axis)}</text>`,
    `<text transform="translate(14 ${height / 2}) rotate(-90)" text-anchor="middle" font-size="12" fill="currentColor">${xml(words.tolerance_axis)}</text>`,
    ...dots,
  ], words.places));
  places.append(build("h3", "cl-title", words.places), build("p", "cl-about", words.places_about), drawing, saveButtons({
    name: () => "uniformity-tolerance",
    svg: () => {
      const copy = drawing.firstChild.cloneNode(true); // away from the page it has no color and font to take over
      copy.setAttribute("color", getComputedStyle(root).color);
      copy.setAttribute("font-family", "sans-serif");
      copy.insertAdjacentHTML("afterbegin", paper());
      return copy.outerHTML;
    },
    csv: () => [["run", "uniformity", "tolerance"], ...points.map((each) => [each.name, each.uniformity, each.tolerance])],
  }));
}

function pick(row, column, keep) {
  if (keep) keepLinked("anchor", row + 1, 1);
  if (row === state.row && column === state.column) return;
  Object.assign(state, { row, column });
  panel.mark(row, column);
  describe();
}

function setTemperature(value, keep) {
  state.t = value;
  const now = temperature();
  range.value = Math.round((Math.log(now / LOWEST_T) / Math.log(HIGHEST_T / LOWEST_T)) * T_STEPS);
  if (document.activeElement !== number) number.value = Number(now.toPrecision(3));
  range.setAttribute("aria-valuetext", shown(now));
  own.disabled = value === null;
  if (keep) keepLinked("temperature", value === null ? null : Number(value.toPrecision(4)), null);
}

function setNetwork(index, keep) {
  state.network = index;
  networks.querySelectorAll("input").forEach((input, i) => { input.checked = i === index; });
  if (keep) keepLinked("network", index ? "trained" : "untrained", "trained");
  if (current().curve) drawCurves(); else { curves.replaceChildren(); computeCurve(current(), turn); }
}

let asked = false;
function paintSoon() {
  if (asked) return; // one repaint a frame
  asked = true;
  requestAnimationFrame(() => { asked = false; paint(); });
}
range.addEventListener("input", () => { setTemperature(LOWEST_T * (HIGHEST_T / LOWEST_T) ** (range.value / T_STEPS), true); paintSoon(); });
number.addEventListener("input", () => {
  const value = number.valueAsNumber;
  if (!(value >= LOWEST_T && value <= HIGHEST_T)) return; // half typed
  setTemperature(value, true);
  paintSoon();
});
own.addEventListener("click", () => { setTemperature(null, true); paint(); });
networks.addEventListener("change", (event) => { setNetwork(Number(event.target.value), true); paint(); });
bars.addEventListener("pointermove", (event) => {
  const j = bars.cells?.[Math.floor((event.clientX - bars.getBoundingClientRect().left) / bars.wide)];
  if (j !== undefined) pick(state.row, j, false);
});

matrixBox.append(saveButtons({
  name: () => `temperature-${temperature().toPrecision(3)}`,
  canvas: () => panel.image(),
  svg: () => matrixSvg(current().table, current().pixels),
  csv: () => [["row", "column", "similarity", "probability", "gradient", "positive"],
    ...Array.from(current().table.cosines, (value, i) => [Math.floor(i / current().table.columns), i % current().table.columns, value,
      Math.exp(current().parts.logProbabilities[i]), current().parts.gradient[i], current().table.positive[i]])],
}));
rowBox.append(saveButtons({
  name: () => `anchor-${state.row + 1}`,
  canvas: () => bars,
  svg: barsSvg,
  csv: () => {
    const { table, parts, columns } = current();
    const at = (j) => state.row * table.columns + j;
    return [["candidate", "similarity", "probability", "gradient", "positive"], ...bars.cells.map((j) => [columns[j].caption,
      table.cosines[at(j)], Math.exp(parts.logProbabilities[at(j)]), parts.gradient[at(j)], table.positive[at(j)]])];
  },
}));
const curvesSave = saveButtons({
  name: () => "over-temperature",
  svg: () => svgText(KINDS.length * WIDE, HIGH, [paper(), ...[...curves.querySelectorAll("svg")].map((svg, i) => `<svg x="${i * WIDE}" width="${WIDE}" height="${HIGH}" color="${getComputedStyle(root).color}">${svg.innerHTML}</svg>`)]),
  csv: () => [["temperature", ...KINDS], ...(current().curve || []).map((each, i) => [temperatures[i], ...KINDS.map((kind) => each[kind])])],
});
curves.after(curvesSave);

async function open(value) {
  if (!value.panels) return;
  const now = ++turn;
  const image = value.sprites ? await loadedImage(value.sprites.url) : null;
  if (now !== turn) return;
  sheet = image;
  shownValue = value;
  networksOf = value.panels.map(unpack);
  summary.replaceChildren(...marked(value.summary));
  networks.replaceChildren(build("legend", "cl-legend", words.network), ...value.panels.map((each, i) => {
    const label = build("label", "cl-chip");
    const input = document.createElement("input");
    Object.assign(input, { type: "radio", name: `network-${turn}`, value: i });
    label.append(input, build("span", "", each.name));
    return label;
  }));
  if (!state.drawn) {
    const t = Number(linked("temperature"));
    state.t = t >= LOWEST_T && t <= HIGHEST_T ? t : null;
    state.row = Math.max(0, Number(linked("anchor") || 1) - 1);
    state.network = linked("network") === "untrained" ? 0 : 1;
    state.drawn = true;
  }
  state.network = Math.min(state.network, networksOf.length - 1);
  const { table } = current();
  if (state.row >= table.rows) state.row = 0;
  state.column = Math.max(0, table.positive.subarray(state.row * table.columns, (state.row + 1) * table.columns).findIndex(Boolean));
  setNetwork(state.network);
  setTemperature(state.t);
  drawPlaces();
  width = rowBox.clientWidth;
  paint();
  root.dataset.drawn = String(now);
}

const sizeWatcher = new ResizeObserver(() => { width = rowBox.clientWidth; if (shownValue && current().parts) paint(); });
sizeWatcher.observe(root);
onAnswer(open);
