// The batch's matrices, the formula and the images as one thing. `element`, `props` and `watch` come from Gradio.
const words = props.words;
const STAGES = props.stages;
const MOST_TERMS = 6;
const [LOWEST_T, HIGHEST_T] = props.temperatures;
const T_STEPS = 300;

const controls = build("div", "cl-controls");
const stages = build("fieldset", "cl-stages");
stages.append(build("legend", "cl-legend", words.stages));
const stageInputs = STAGES.map((stage, i) => {
  const label = build("label", "cl-stage");
  const input = document.createElement("input");
  input.type = "radio";
  input.name = `stage-${Math.random().toString(36).slice(2)}`;
  input.value = stage;
  label.append(input, build("span", "", `${i + 1} ${words[`stage.${stage}`]}`));
  stages.append(label);
  return input;
});
for (const input of stageInputs) input.name = stageInputs[0].name;
const temperature = build("div", "cl-temperature");
const temperatureLabel = build("label", "cl-name", words.temperature);
const temperatureNumber = document.createElement("input");
Object.assign(temperatureNumber, { type: "number", min: LOWEST_T, max: HIGHEST_T, step: "any", className: "cl-number" });
const temperatureOwn = build("button", "cl-own", words.own_temperature);
temperatureOwn.type = "button";
const temperatureInput = document.createElement("input");
Object.assign(temperatureInput, { type: "range", min: 0, max: T_STEPS, step: 1 });
temperatureInput.setAttribute("aria-label", words.temperature);
temperatureLabel.append(temperatureNumber);
temperature.append(temperatureLabel, temperatureOwn, temperatureInput);
controls.append(stages, temperature);
const about = build("p", "cl-about", "");
const body = build("div", "cl-body");
const matrices = build("div", "cl-matrices");
const details = build("aside", "cl-details");
details.setAttribute("aria-live", "polite");
body.append(matrices, details);
const summary = build("div", "cl-summary");
root.replaceChildren(summary, controls, about, body);

let shownValue = null;
let panels = [];
let sheet = null;
let turn = 0;
// Of several microscopes on a page one keeps its state in the link.
function remember(...what) { if (props.kept) keepLinked(...what); }
function recalled(name) { return props.kept ? linked(name) : null; }

const state = { panel: 0, row: 0, column: 0, stage: "cosine", t: null };

// What Python sent, ready to compute with.
function unpack(panel) {
  const cosines = unpacked(panel.cosines, Float32Array);
  const codes = unpacked(panel.roles, Uint8Array);
  const is = (part) => Uint8Array.from(codes, (code) => Number(shownValue.roles[code].split(".")[1].startsWith(part)));
  return { ...panel, codes, table: { rows: panel.rows, columns: panel.columns.length, cosines, positive: is("positive"),
    negative: is("negative") }, parts: null };
}

function formOf(panel) {
  return state.t === null || panel.form.kind === "cosine" ? panel.form : { ...panel.form, temperature: state.t };
}

function compute() {
  for (const panel of panels) panel.parts = anatomy(panel.table, formOf(panel));
}

// A cell's value at a stage, and its color; null where the loss does not look.
function stageOf(panel) {
  const { table, parts } = panel;
  const { cosines, positive, negative } = table;
  const compared = (i) => positive[i] || negative[i];
  const largest = (values) => values.reduce((top, value, i) => (compared(i) ? Math.max(top, Math.abs(value)) : top), 1e-12);
  const probability = (i) => Math.exp(parts.logProbabilities[i]);
  const limit = Math.max(1, largest(cosines));
  const costs = Float64Array.from(parts.share, (share) => share * Math.max(1, parts.anchors));
  return {
    cosine: { value: (i) => cosines[i], color: (v) => ramp(DIVERGING, (1 + v / limit) / 2) },
    scaled: (() => { const top = largest(parts.scaled);
      return { value: (i) => parts.scaled[i], color: (v) => ramp(DIVERGING, (1 + v / top) / 2) }; })(),
    mask: { value: (i) => (compared(i) ? cosines[i] : null), color: (v) => ramp(DIVERGING, (1 + v / limit) / 2) },
    probability: { value: (i) => (compared(i) ? probability(i) : null), color: (v) => ramp(RISING, Math.sqrt(v)) },
    log: (() => { const top = largest(costs);
      return { value: (i) => (costs[i] !== 0 ? costs[i] : null), color: (v) => ramp(COSTLY, Math.abs(v) / top) }; })(),
    mean: (() => { const top = parts.terms.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-12);
      return { value: (i) => parts.terms[Math.floor(i / table.columns)], color: (v) => ramp(COSTLY, Math.abs(v) / top) }; })(),
    gradient: (() => { const top = largest(parts.gradient);
      return { value: (i) => (compared(i) ? parts.gradient[i] : null),
        color: (v) => (v < 0 ? ramp([[247, 247, 247], [0, 158, 115]], Math.sqrt(-v / top))
          : ramp([[247, 247, 247], [213, 94, 0]], Math.sqrt(v / top))) }; })(),
  }[state.stage];
}

function paint() {
  for (const panel of panels) {
    const { rows, columns } = panel.table;
    const { value, color } = stageOf(panel);
    panel.pixels ??= new Uint8ClampedArray(4 * rows * columns);
    for (let i = 0; i < rows * columns; i++) {
      const here = value(i);
      const [red, green, blue] = here === null ? [128, 128, 128] : color(here);
      panel.pixels.set([red, green, blue, here === null ? 46 : 255], 4 * i);
    }
    const images = sheet && { sheet, sprites: shownValue.sprites, rows: panel.rowSprites, columns: panel.columnSprites };
    panel.view.draw(rows, columns, panel.pixels, panel.table.positive, images);
  }
  mark();
}

function mark() {
  panels.forEach((panel, i) => {
    // The other matrix shows the same pair only if it has the same column.
    const column = i === state.panel ? state.column
      : panel.columns.findIndex((each) => each.key === panels[state.panel].columns[state.column].key);
    if (column >= 0 && state.row < panel.rows) panel.view.mark(state.row, column);
  });
}

// A number with its name; the pointer finds what it means and all its digits.
function fact(key, value, { name, hint, percent } = {}) {
  const row = build("div", "cl-fact");
  row.dataset.fact = key;
  const label = build("dt", "", words[`fact.${name || key}`]);
  label.title = words[`fact.${hint || name || key}.hint`];
  const number = build("dd", "", percent ? `${(100 * value).toFixed(1)} %` : shown(value));
  number.title = String(value);
  row.append(label, number);
  return row;
}

function describe() {
  const panel = panels[state.panel];
  const { table, parts } = panel;
  const form = formOf(panel);
  const i = state.row * table.columns + state.column;
  const role = shownValue.roles[panel.codes[i]];
  const column = panel.columns[state.column];
  const compared = table.positive[i] || table.negative[i];
  const pair = build("div", "cl-pair");
  if (sheet) {
    pair.append(drawnTile(sheet, shownValue.sprites, panel.rowSprites[state.row], 72));
    if (column.sprite >= 0) pair.append(drawnTile(sheet, shownValue.sprites, column.sprite, 72));
  }
  const said = build("div", "cl-said");
  said.append(build("div", "cl-which", say(words.pair, { row: panel.rowNames[state.row], column: column.caption })));
  said.append(build("div", `cl-role cl-${role.split(".")[1].split("_")[0]}`, shownValue.roleWords[role]));
  if (role.endsWith("negative_class")) said.append(build("div", "cl-flag", words.false_negative));
  pair.append(said);

  const facts = build("dl", "cl-facts");
  facts.append(fact("cosine", table.cosines[i], { name: shownValue.measure, hint: "cosine" }));
  if (form.kind !== "cosine") facts.append(fact("scaled", parts.scaled[i]));
  if (compared) {
    if (form.kind !== "cosine") {
      facts.append(fact("probability", Math.exp(parts.logProbabilities[i]), { name: form.kind === "nce" ? "sigmoid" : "probability" }));
    }
    const whole = parts.terms[state.row];
    facts.append(fact("share", whole ? (parts.share[i] * Math.max(1, parts.anchors)) / whole : 0, { percent: true }));
    const force = parts.gradient[i];
    facts.append(fact("gradient", force, { name: force < 0 ? "pull" : "push", hint: "force" }));
  }
  facts.append(fact("row", parts.terms[state.row]), fact("loss", parts.loss));
  if (panel.chance !== null) facts.append(fact("chance", panel.chance));

  const inSymbols = build("p", "cl-symbols");
  const start = state.row * table.columns;
  inSymbols.append(symbols(form, table.positive.subarray(start, start + table.columns).reduce((sum, is) => sum + is, 0)));
  const formula = build("p", "cl-formula");
  formula.append(...liveFormula({ row: state.row, column: state.column, table, parts, form, most: MOST_TERMS, words }));
  for (const node of formula.querySelectorAll(`[data-column="${state.column}"]`)) node.classList.add("cl-here");
  details.replaceChildren(build("h3", "cl-title", panel.name), pair, facts, build("h3", "cl-title", words.formula), inSymbols, formula);
}

// The highlight is painted at once, the words after it.
let describing = null;
function show(panel, row, column) {
  if (panel === state.panel && row === state.row && column === state.column) return;
  Object.assign(state, { panel, row, column });
  mark();
  describing ??= requestAnimationFrame(() => setTimeout(() => { describing = null; describe(); }));
}

function pick(panel, row, column) {
  show(panel, row, column);
  remember("cell", `${panel}.${row}.${column}`, null);
}

function repaint() {
  compute();
  paint();
  describe();
}

function setStage(stage, keep) {
  state.stage = STAGES.includes(stage) ? stage : STAGES[0];
  stageInputs.forEach((input) => { input.checked = input.value === state.stage; });
  about.textContent = words[`about.${state.stage}`];
  if (keep) remember("stage", state.stage, STAGES[0]);
}

function setTemperature(value, keep) {
  const own = panels[state.panel].form.temperature;
  state.t = value;
  const now = value === null ? own : value;
  temperatureInput.value = Math.round((Math.log(now / LOWEST_T) / Math.log(HIGHEST_T / LOWEST_T)) * T_STEPS);
  if (document.activeElement !== temperatureNumber) temperatureNumber.value = Number(now.toPrecision(3));
  temperatureInput.setAttribute("aria-valuetext", shown(now));
  temperatureOwn.disabled = value === null;
  const none = panels[state.panel].form.kind === "cosine"; // a loss without a temperature
  for (const input of [temperatureInput, temperatureNumber]) input.disabled = none;
  if (keep) remember("t", value === null ? null : Number(value.toPrecision(4)), null);
}

stages.addEventListener("change", (event) => { setStage(event.target.value, true); paint(); });
let asked = false;
function repaintSoon() {
  if (asked) return; // one repaint a frame
  asked = true;
  requestAnimationFrame(() => { asked = false; repaint(); });
}
temperatureInput.addEventListener("input", () => {
  setTemperature(LOWEST_T * (HIGHEST_T / LOWEST_T) ** (temperatureInput.value / T_STEPS), true);
  repaintSoon();
});
temperatureNumber.addEventListener("input", () => {
  const value = temperatureNumber.valueAsNumber;
  if (!(value >= LOWEST_T && value <= HIGHEST_T)) return; // half typed
  setTemperature(value, true);
  repaintSoon();
});
temperatureOwn.addEventListener("click", () => { setTemperature(null, true); repaint(); });
details.addEventListener("pointerover", (event) => pointed(event, show));
details.addEventListener("focusin", (event) => pointed(event, show));
details.addEventListener("click", (event) => pointed(event, pick));

// A term of the formula lights its cell. The formula stays as it is, or the term would move from under the pointer.
function pointed(event, then) {
  const node = event.target.closest("[data-column]");
  if (!node) return;
  if (then === pick) { pick(state.panel, state.row, Number(node.dataset.column)); return; }
  state.column = Number(node.dataset.column);
  mark();
  for (const each of details.querySelectorAll(".cl-here")) each.classList.remove("cl-here");
  node.classList.add("cl-here");
}

// The cell a link asks for, if there is such a cell.
function cellOfLink() {
  const [panel, row, column] = (recalled("cell") || "").split(".").map(Number);
  const there = panels[panel] && row >= 0 && row < panels[panel].rows && column >= 0 && column < panels[panel].columns.length;
  return there && [panel, row, column].every(Number.isInteger) ? { panel, row, column } : null;
}

// Every number of a matrix, a line a cell.
function cellsOf({ rowNames, columns, table, parts }) {
  const head = ["row", "column", "similarity", "scaled", "probability", "share", "gradient", "positive", "compared"];
  const cells = Array.from(table.cosines, (cosine, i) => [rowNames[Math.floor(i / table.columns)],
    columns[i % table.columns].caption, cosine, parts.scaled[i], Math.exp(parts.logProbabilities[i]), parts.share[i],
    parts.gradient[i], table.positive[i], Number(Boolean(table.positive[i] || table.negative[i]))]);
  return [head, ...cells];
}

async function open(value) {
  if (!value.panels) return;
  const now = ++turn;
  const image = value.sprites ? await loadedImage(value.sprites.url) : null;
  if (now !== turn) return;
  sheet = image;
  shownValue = value;
  summary.replaceChildren(...marked(value.summary));
  panels = value.panels.map((panel, i) => {
    const made = unpack(panel);
    made.rowSprites = value.sprites ? Array.from({ length: panel.rows }, (_, row) => row) : [];
    made.columnSprites = panel.columns.map((column) => column.sprite);
    made.view = matrixPanel(say(words.matrix, { name: panel.name }), words.keys, {
      point: (row, column) => show(i, row, column),
      pick: (row, column) => pick(i, row, column),
      here: () => [state.row, state.column],
    });
    made.view.name(panel.name);
    made.view.node.append(saveButtons({
      name: () => `${state.stage}-${panel.name}`,
      canvas: () => made.view.image(),
      svg: () => matrixSvg(made.table, made.pixels),
      csv: () => cellsOf(made),
    }));
    return made;
  });
  matrices.style.setProperty("--cl-columns", panels.length);
  matrices.replaceChildren(...panels.map((panel) => panel.view.node));
  const last = panels.length - 1;
  const first = panels[last].table.positive.findIndex(Boolean);
  const cell = cellOfLink() || { panel: last, row: 0, column: Math.max(0, first) % panels[last].table.columns };
  Object.assign(state, cell);
  setStage(state.drawn ? state.stage : recalled("stage") || STAGES[0]);
  const t = state.drawn ? state.t : Number(recalled("t"));
  setTemperature(t >= LOWEST_T && t <= HIGHEST_T ? t : null);
  state.drawn = true;
  repaint();
  root.dataset.drawn = String(now);
}

const sizeWatcher = new ResizeObserver(() => { if (panels.length && panels[0].parts) paint(); });
sizeWatcher.observe(matrices);
onAnswer(open);
