// Images where an embedding puts them. `element`, `props`, `watch` and `trigger` come from Gradio.
const words = props.words;
const WHOLE = 32767;
const GLIDE_MS = 500;
const LEAST_ZOOM = 0.5, LARGEST_ZOOM = 60;
const REACH = 14; // how near the pointer must be to a point, in pixels
const IMAGE = 26; // side of an image that stands for its point
const MOST_IMAGES = 1500;
const DIMMED = 46;

const bar = build("div", "cl-bar");
const modes = radios("mode", words.mode, ["finished", "time"], (name) => setMode(name, true));
const looks = radios("look", words.look, ["points", "images"], (name) => { setLook(name, true); });
const tools = radios("tool", words.tool, ["move", "lasso"], (name) => { state.lasso = name === "lasso"; frame.classList.toggle("cl-lassoing", state.lasso); });
const zoomIn = action("+", words.zoom_in, () => zoom(1.5)), zoomOut = action("−", words.zoom_out, () => zoom(1 / 1.5));
const whole = action("⤢", words.whole, () => { Object.assign(view, { zoom: 1, x: 0, y: 0 }); drawSoon(); });
const zooms = build("div", "cl-group");
zooms.append(zoomIn, zoomOut, whole);
bar.append(modes.node, looks.node, tools.node, zooms);
const frame = build("div", "cl-map");
frame.tabIndex = 0;
frame.setAttribute("role", "application");
const canvas = document.createElement("canvas"), over = document.createElement("canvas");
const card = build("div", "cl-card");
card.hidden = true;
frame.append(canvas, over, card);
const time = player(words, (moment, epoch) => { moveTime(moment, epoch); });
const trails = document.createElement("input");
trails.type = "checkbox";
const trailsLabel = build("label", "cl-trails", "");
trailsLabel.append(trails, words.trails);
time.node.append(trailsLabel);
time.node.hidden = true;
const side = build("aside", "cl-side");
side.hidden = true;
const stage = build("div", "cl-stagebox");
stage.append(frame, side);
const legend = build("div", "cl-legend");
const selection = build("div", "cl-selection");
selection.setAttribute("aria-live", "polite");
const help = build("p", "cl-help", words.help);
root.replaceChildren(bar, time.node, stage, legend, selection, help);

let value = null;
let sheet = null, names = null;
let turn = 0, drawAsked = false, width = 0, height = 0;
const view = { zoom: 1, x: 0, y: 0 };
const state = { mode: "finished", look: "points", lasso: false, hover: -1, chosen: -1, lines: null, selected: new Set(),
  hidden: new Set(), path: null, drag: null, started: false };
// What is on the plane now: coordinates from -1 to 1, a color each, and what a point is called.
let now = { count: 0, xs: new Float32Array(0), ys: new Float32Array(0), colors: new Uint32Array(0), groups: null, across: 1, down: 1 };
let screen = { xs: new Float32Array(0), ys: new Float32Array(0) };
let glide = null;
let image = null;

function radios(name, label, choices, then) {
  const node = build("fieldset", "cl-group");
  node.append(build("legend", "cl-hidden", label));
  const inputs = {};
  const group = `${name}-${Math.random().toString(36).slice(2)}`;
  for (const choice of choices) {
    const box = build("label", "cl-chip");
    const input = document.createElement("input");
    Object.assign(input, { type: "radio", name: group, value: choice });
    input.addEventListener("change", () => then(choice));
    box.append(input, build("span", "", words[`${name}.${choice}`]));
    node.append(box);
    inputs[choice] = input;
  }
  inputs[choices[0]].checked = true;
  return { node, inputs };
}

function action(sign, label, then) {
  const button = build("button", "cl-tool", sign);
  button.type = "button";
  button.title = label;
  button.setAttribute("aria-label", label);
  button.addEventListener("click", then);
  return button;
}

// --- what is shown -------------------------------------------------------------------------------------------------

// How far points reach from the middle, across and down.
function reachOf(layouts) {
  let [across, down] = [1e-6, 1e-6];
  for (const { xs, ys } of layouts) {
    for (let i = 0; i < xs.length; i++) [across, down] = [Math.max(across, Math.abs(xs[i])), Math.max(down, Math.abs(ys[i]))];
  }
  return { across, down };
}

// Pixels of the page for a step of 1.
function unitNow() {
  return 0.47 * Math.min(width / now.across, height / now.down) * view.zoom;
}

function layoutOf(whole, from, count) {
  const xs = new Float32Array(count), ys = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    xs[i] = whole[2 * (from + i)] / WHOLE;
    ys[i] = -whole[2 * (from + i) + 1] / WHOLE;
  }
  return { xs, ys };
}

function colorsOf(source, count) {
  const colors = new Uint32Array(count);
  const groups = source.groups ? unpacked(source.groups, Uint8Array) : null;
  if (groups) {
    for (let i = 0; i < count; i++) colors[i] = inked(CATEGORIES[groups[i] % CATEGORIES.length], 225);
    return { colors, groups, score: null };
  }
  const score = unpacked(source.score.values, Float32Array);
  const known = score.filter(Number.isFinite).sort();
  const [low, high] = [known[Math.floor(known.length * 0.02)] ?? 0, known[Math.floor(known.length * 0.98)] ?? 1];
  const steps = Array.from({ length: 64 }, (_, i) => inked(hexOf(ramp(SCALE, i / 63)), 235));
  for (let i = 0; i < count; i++) {
    const share = Number.isFinite(score[i]) ? Math.min(1, Math.max(0, (score[i] - low) / (high - low || 1))) : 0;
    colors[i] = Number.isFinite(score[i]) ? steps[Math.round(share * 63)] : inked("#999999", 120);
  }
  return { colors, groups: null, score, low, high };
}

function showFinished(gliding) {
  const target = layoutOf(value.whole, 0, value.count);
  const { colors, groups, score, low, high } = colorsOf(value, value.count);
  const next = { count: value.count, ...target, ...reachOf([target]), colors, groups, score, low, high, groupNames: value.groupNames };
  if (gliding && now.count === next.count && !matchMedia("(prefers-reduced-motion: reduce)").matches) {
    glide = { from: { xs: now.xs, ys: now.ys }, to: target, start: performance.now() };
    next.xs = Float32Array.from(now.xs);
    next.ys = Float32Array.from(now.ys);
  }
  now = next;
  drawLegend();
}

function moveTime(moment, epoch) {
  const { moments } = value;
  const low = Math.floor(moment), share = moment - low;
  const a = value.frames[low], b = value.frames[Math.min(value.frames.length - 1, low + 1)];
  for (let i = 0; i < moments.count; i++) {
    now.xs[i] = a.xs[i] + share * (b.xs[i] - a.xs[i]);
    now.ys[i] = a.ys[i] + share * (b.ys[i] - a.ys[i]);
  }
  keepLinked("moment", Number(moment.toFixed(2)), null);
  drawSide(low, share, epoch);
  drawSoon();
}

function showTime() {
  const { moments } = value;
  value.frames ??= moments.epochs.map((_, s) => layoutOf(unpacked(moments.points, Int16Array), s * moments.count, moments.count));
  now = { count: moments.count, xs: new Float32Array(moments.count), ys: new Float32Array(moments.count),
    ...colorsOf(moments, moments.count), ...reachOf(value.frames), groupNames: moments.groupNames };
  drawLegend();
}

function setMode(mode, keep) {
  state.mode = mode === "time" && value.moments ? "time" : "finished";
  modes.inputs[state.mode].checked = true;
  time.node.hidden = side.hidden = state.mode !== "time";
  stage.classList.toggle("cl-with-side", state.mode === "time");
  Object.assign(state, { hover: -1, chosen: -1, lines: null });
  state.selected.clear();
  card.hidden = true;
  if (state.mode === "time") {
    showTime();
    time.load(value.moments.epochs);
    const linkedMoment = linked("moment");
    time.go(keep || linkedMoment === null ? value.moments.epochs.length - 1 : Number(linkedMoment));
  } else {
    time.pause();
    if (keep) keepLinked("moment", null, null);
    showFinished(false);
  }
  drawSelection();
  measure();
  drawSoon();
}

function setLook(look, keep) {
  state.look = look;
  looks.inputs[look].checked = true;
  if (keep) keepLinked("points", look === "images" ? "images" : null, null);
  drawSoon();
}

// Zoom and place in shares of the map, which another screen draws in another size.
function rememberView() {
  const moved = view.zoom !== 1 || view.x || view.y;
  keepLinked("view", moved ? [view.zoom, view.x / width, view.y / height].map((each) => each.toFixed(3)).join("_") : null, null);
}

function recallView() {
  const [zoomed, x, y] = (linked("view") || "").split("_").map(Number);
  if (zoomed >= LEAST_ZOOM && zoomed <= LARGEST_ZOOM && Number.isFinite(x) && Number.isFinite(y)) {
    Object.assign(view, { zoom: zoomed, x: x * width, y: y * height });
  }
  for (const group of (linked("off") || "").split(".")) if (/^\d+$/.test(group)) state.hidden.add(Number(group));
  trails.checked = linked("trails") === "true";
}

// --- drawing -------------------------------------------------------------------------------------------------------

function measure() {
  const wide = frame.clientWidth, high = frame.clientHeight;
  if (!wide || !high) return;
  const scale = Math.min(2, window.devicePixelRatio || 1);
  [width, height] = [wide, high];
  for (const each of [canvas, over]) {
    each.width = Math.round(wide * scale);
    each.height = Math.round(high * scale);
  }
  image = new ImageData(canvas.width, canvas.height);
}

function drawSoon() {
  if (drawAsked) return; // one drawing a frame
  drawAsked = true;
  requestAnimationFrame(() => { drawAsked = false; draw(); });
}

function place() {
  const { count, xs, ys } = now;
  if (screen.xs.length !== count) screen = { xs: new Float32Array(count), ys: new Float32Array(count) };
  const scale = canvas.width / width;
  const unit = unitNow() * scale;
  const [left, top] = [(width / 2 + view.x) * scale, (height / 2 + view.y) * scale];
  for (let i = 0; i < count; i++) {
    screen.xs[i] = left + xs[i] * unit;
    screen.ys[i] = top + ys[i] * unit;
  }
  return scale;
}

function visible(i) {
  return !(now.groups && state.hidden.has(now.groups[i]));
}

function draw() {
  if (!value || !width || !now.count) return;
  if (glide) {
    const share = Math.min(1, (performance.now() - glide.start) / GLIDE_MS);
    const eased = share * share * (3 - 2 * share);
    for (let i = 0; i < now.count; i++) {
      now.xs[i] = glide.from.xs[i] + eased * (glide.to.xs[i] - glide.from.xs[i]);
      now.ys[i] = glide.from.ys[i] + eased * (glide.to.ys[i] - glide.from.ys[i]);
    }
    if (share < 1) drawSoon(); else glide = null;
  }
  const scale = place();
  const pen = canvas.getContext("2d");
  const radius = Math.max(1, Math.round(scale * Math.min(7, (now.count > 20000 ? 1.2 : now.count > 5000 ? 2.2 : 2.8) * Math.sqrt(view.zoom))));
  const some = state.selected.size > 0;
  let colors = now.colors;
  if (some || state.hidden.size) {
    colors = Uint32Array.from(now.colors, (color, i) => (!visible(i) ? 0 : some && !state.selected.has(i)
      ? ((color & 0xffffff) + DIMMED * 0x1000000) >>> 0 : color));
  }
  splat(image, screen.xs, screen.ys, colors, radius);
  pen.putImageData(image, 0, 0);
  if (state.look === "images" && sheetNow()) drawImages(pen, scale);
  drawOver(scale, radius);
  rememberView();
  root.dataset.shown = `${view.zoom.toFixed(3)} ${view.x.toFixed(1)} ${view.y.toFixed(1)}`;
}

// Where two images would lie on each other one of them stays a point.
function drawImages(pen, scale) {
  const size = Math.round(IMAGE * scale * Math.min(2, Math.max(1, Math.sqrt(view.zoom) * 0.7)));
  const cell = size * 0.9;
  const across = Math.ceil(canvas.width / cell) + 1;
  const taken = new Uint8Array(across * (Math.ceil(canvas.height / cell) + 1));
  let drawn = 0;
  for (let i = 0; i < now.count && drawn < MOST_IMAGES; i++) {
    const [x, y] = [screen.xs[i], screen.ys[i]];
    if (x < 0 || y < 0 || x >= canvas.width || y >= canvas.height || !visible(i)) continue;
    const at = Math.floor(y / cell) * across + Math.floor(x / cell);
    if (taken[at]) continue;
    taken[at] = 1;
    drawn += 1;
    drawThumbnail(pen, i, x - size / 2, y - size / 2, size);
  }
}

function sheetNow() { return state.mode === "time" ? value.momentSheet : sheet; }
function spritesNow() { return state.mode === "time" ? value.moments.sprites : value.sprites; }

function drawThumbnail(pen, i, x, y, size) {
  const sprites = spritesNow(), from = sheetNow();
  const tileSide = from.width / sprites.columns;
  pen.drawImage(from, (i % sprites.columns) * tileSide, Math.floor(i / sprites.columns) * tileSide, tileSide, tileSide, x, y, size, size);
}

function drawOver(scale, radius) {
  const pen = over.getContext("2d");
  pen.clearRect(0, 0, over.width, over.height);
  const ring = (i, color, extra, thick) => {
    pen.beginPath();
    pen.arc(screen.xs[i], screen.ys[i], radius + extra * scale, 0, 7);
    pen.strokeStyle = color;
    pen.lineWidth = thick * scale;
    pen.stroke();
  };
  if (state.mode === "time" && trails.checked) {
    pen.globalAlpha = 0.35;
    pen.lineWidth = scale;
    const unit = unitNow() * scale;
    const [left, top] = [(width / 2 + view.x) * scale, (height / 2 + view.y) * scale];
    const until = Math.floor(time.at());
    for (let i = 0; i < now.count; i++) {
      if (!visible(i)) continue;
      pen.strokeStyle = CATEGORIES[now.groups[i] % CATEGORIES.length];
      pen.beginPath();
      for (let s = 0; s <= until; s++) pen.lineTo(left + value.frames[s].xs[i] * unit, top + value.frames[s].ys[i] * unit);
      pen.lineTo(screen.xs[i], screen.ys[i]);
      pen.stroke();
    }
    pen.globalAlpha = 1;
  }
  if (state.mode === "finished") for (const i of value.batch) ring(i, "#000000", 2, 3), ring(i, "#ffffff", 2, 1.2);
  if (state.lines && state.mode === "finished") {
    const { from, to } = state.lines;
    to.forEach((i, rank) => {
      pen.strokeStyle = "#d55e00";
      pen.lineWidth = (rank < 3 ? 2.2 : 1.3) * scale;
      pen.beginPath();
      pen.moveTo(screen.xs[from], screen.ys[from]);
      pen.lineTo(screen.xs[i], screen.ys[i]);
      pen.stroke();
      ring(i, "#d55e00", 2, 2);
    });
    if (sheet) for (const i of to.slice(0, 8)) drawThumbnail(pen, i, screen.xs[i] - 11 * scale, screen.ys[i] - 11 * scale, 22 * scale);
  }
  if (state.chosen >= 0) ring(state.chosen, "#d55e00", 3, 3);
  if (state.hover >= 0) ring(state.hover, "#e69f00", 3, 3);
  if (state.path) {
    pen.strokeStyle = "#e69f00";
    pen.fillStyle = "rgb(230 159 0 / .15)";
    pen.lineWidth = 2 * scale;
    pen.beginPath();
    for (const [x, y] of state.path) pen.lineTo(x * scale, y * scale);
    pen.closePath();
    pen.fill();
    pen.stroke();
  }
}

function nearestPoint(x, y, reach = REACH) {
  const scale = canvas.width / width;
  let best = (reach * scale) ** 2, found = -1;
  for (let i = 0; i < now.count; i++) {
    const [dx, dy] = [screen.xs[i] - x * scale, screen.ys[i] - y * scale];
    const distance = dx * dx + dy * dy;
    if (distance < best && visible(i)) [best, found] = [distance, i];
  }
  return found;
}

function nameOf(i) {
  if (state.mode === "time") return value.moments.names[i];
  return names ? names[i] : "";
}

function hover(i) {
  if (i === state.hover) return;
  state.hover = i;
  card.hidden = i < 0;
  if (i >= 0) {
    card.replaceChildren();
    if (sheetNow()) card.append(drawnTile(sheetNow(), spritesNow(), i, 72));
    card.append(build("div", "cl-card-name", nameOf(i)));
    if (now.groups) card.append(build("div", "cl-card-group", now.groupNames[now.groups[i]]));
    if (now.score) card.append(build("div", "cl-card-group", Number.isFinite(now.score[i]) ? now.score[i].toFixed(3) : "–"));
    const scale = canvas.width / width;
    const [x, y] = [screen.xs[i] / scale, screen.ys[i] / scale];
    card.style.transform = `translate(${Math.min(Math.max(0, x - 50), width - 130)}px,${y > 150 ? y - 146 : y + 20}px)`;
    frame.setAttribute("aria-label", say(words.at, { name: nameOf(i) }));
  }
  drawOver(canvas.width / width, Math.max(1, Math.round((canvas.width / width) * 2.2)));
}

// --- hand and keys -------------------------------------------------------------------------------------------------

function at(event) {
  const box = frame.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
}

function zoom(factor, [x, y] = [width / 2, height / 2]) {
  const next = Math.min(LARGEST_ZOOM, Math.max(LEAST_ZOOM, view.zoom * factor));
  const [dx, dy] = [x - width / 2 - view.x, y - height / 2 - view.y];
  view.x -= dx * (next / view.zoom - 1);
  view.y -= dy * (next / view.zoom - 1);
  view.zoom = next;
  drawSoon();
}

const fingers = new Map();
frame.addEventListener("wheel", (event) => {
  event.preventDefault();
  zoom(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0016)), at(event));
}, { passive: false });
frame.addEventListener("pointerdown", (event) => {
  if (event.target.closest("button")) return;
  frame.setPointerCapture(event.pointerId);
  fingers.set(event.pointerId, at(event));
  state.drag = { from: at(event), moved: false };
  if (state.lasso || event.shiftKey) state.path = [at(event)];
});
frame.addEventListener("pointermove", (event) => {
  const here = at(event);
  if (!fingers.has(event.pointerId)) { hover(nearestPoint(...here)); return; }
  const before = fingers.get(event.pointerId);
  if (fingers.size === 2) {
    const [other] = [...fingers].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
    const distance = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]);
    zoom(distance(here, other) / Math.max(1, distance(before, other)), other);
    state.drag.moved = true;
  } else if (state.path) {
    state.path.push(here);
  } else {
    if (Math.hypot(here[0] - state.drag.from[0], here[1] - state.drag.from[1]) > 4) state.drag.moved = true;
    view.x += here[0] - before[0];
    view.y += here[1] - before[1];
  }
  fingers.set(event.pointerId, here);
  drawSoon();
});
function lift(event) {
  if (!fingers.delete(event.pointerId)) return;
  if (state.path) {
    if (state.path.length > 3) select(inside(state.path));
    state.path = null;
    drawSoon();
  } else if (state.drag && !state.drag.moved && fingers.size === 0) {
    choose(nearestPoint(...at(event)));
  }
  state.drag = null;
}
frame.addEventListener("pointerup", lift);
frame.addEventListener("pointercancel", lift);
frame.addEventListener("pointerleave", () => { if (!fingers.size) hover(-1); });
frame.addEventListener("keydown", (event) => {
  const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  if (way && event.shiftKey) { view.x -= way[0] * 60; view.y -= way[1] * 60; drawSoon(); }
  else if (way) hover(pointTowards(way));
  else if (event.key === "+" || event.key === "=") zoom(1.3);
  else if (event.key === "-") zoom(1 / 1.3);
  else if (event.key === "0") { Object.assign(view, { zoom: 1, x: 0, y: 0 }); drawSoon(); }
  else if (event.key === "Enter") choose(state.hover);
  else if (event.key === " " && state.hover >= 0) select(new Set([...state.selected, state.hover]));
  else if (event.key === "Escape") { select(new Set()); choose(-1); }
  else return;
  event.preventDefault();
});

// The next point in a direction: near, and not far to the side.
function pointTowards([dx, dy]) {
  if (state.hover < 0) return nearestPoint(width / 2, height / 2, Infinity);
  let best = Infinity, found = state.hover;
  for (let i = 0; i < now.count; i++) {
    const [x, y] = [screen.xs[i] - screen.xs[state.hover], screen.ys[i] - screen.ys[state.hover]];
    const along = x * dx + y * dy, aside = Math.abs(x * dy) + Math.abs(y * dx);
    if (along < 1 || !visible(i)) continue;
    const cost = along + 2.5 * aside;
    if (cost < best) [best, found] = [cost, i];
  }
  return found;
}

function inside(path) {
  const scale = canvas.width / width;
  const found = new Set();
  for (let i = 0; i < now.count; i++) {
    const [x, y] = [screen.xs[i] / scale, screen.ys[i] / scale];
    let within = false;
    for (let a = 0, b = path.length - 1; a < path.length; b = a++) {
      const [[xa, ya], [xb, yb]] = [path[a], path[b]];
      if (ya > y !== yb > y && x < ((xb - xa) * (y - ya)) / (yb - ya) + xa) within = !within;
    }
    if (within && visible(i)) found.add(i);
  }
  return found;
}

function select(points) {
  state.selected = points;
  drawSelection();
  drawSoon();
}

function choose(i) {
  state.chosen = i;
  state.lines = null;
  drawSelection();
  drawSoon();
  if (state.mode !== "finished") return;
  keepLinked("point", i < 0 ? null : i, null);
  if (i >= 0) trigger("point_click", { id: i });
}

// --- beside the map ------------------------------------------------------------------------------------------------

function drawLegend() {
  legend.replaceChildren();
  if (now.score) {
    const scale = build("div", "cl-scale", "");
    scale.style.background = `linear-gradient(to right, ${SCALE.map(hexOf).join(", ")})`;
    legend.append(build("span", "", value.score.about), build("span", "", now.low.toFixed(2)), scale, build("span", "", now.high.toFixed(2)));
    return;
  }
  now.groupNames.forEach((name, group) => {
    const button = build("button", "cl-key", "");
    button.type = "button";
    const dot = build("span", "cl-dot", "");
    dot.style.background = CATEGORIES[group % CATEGORIES.length];
    button.append(dot, name);
    button.setAttribute("aria-pressed", String(!state.hidden.has(group)));
    button.title = words.toggle;
    button.addEventListener("click", () => {
      if (!state.hidden.delete(group)) state.hidden.add(group);
      button.setAttribute("aria-pressed", String(!state.hidden.has(group)));
      keepLinked("off", [...state.hidden].join("."), "");
      drawSoon();
    });
    legend.append(button);
  });
}

function drawSelection() {
  selection.replaceChildren();
  const chosen = [...state.selected];
  if (state.mode === "finished" && (chosen.length || state.chosen >= 0)) {
    const act = (text, then, off) => {
      const button = build("button", "cl-act", text);
      button.type = "button";
      button.disabled = Boolean(off);
      button.addEventListener("click", then);
      selection.append(button);
    };
    if (chosen.length) {
      selection.append(build("span", "cl-count", say(words.selected, { count: chosen.length })));
      act(say(words.use_batch, { count: Math.min(chosen.length, 32) }), () => trigger("use_batch", { ids: spread(chosen, 32) }), chosen.length < 2);
      act(words.clear, () => select(new Set()));
    }
    if (state.chosen >= 0) act(words.use_search, () => trigger("use_search", { id: state.chosen }));
    if (state.chosen >= 0 && state.lines) {
      act(words.batch_neighbors, () => trigger("use_batch", { ids: [state.lines.from, ...state.lines.to] }));
    }
  }
}

// At most `most` of a list, from all parts of it.
function spread(list, most) {
  if (list.length <= most) return list;
  return Array.from({ length: most }, (_, i) => list[Math.floor((i * list.length) / most)]);
}

const SIDE = { wide: 260, high: 92, left: 34, bottom: 16, top: 8 };

function drawSide(low, share, epoch) {
  const { moments } = value;
  const size = moments.cells.length, span = size * size;
  const cosines = value.cosines ??= Float32Array.from(unpacked(moments.cosines, Int8Array), (cosine) => cosine / 127);
  const next = Math.min(value.frames.length - 1, low + 1);
  const pixels = new Uint8ClampedArray(4 * span);
  for (let i = 0; i < span; i++) {
    const cosine = cosines[low * span + i] * (1 - share) + cosines[next * span + i] * share;
    pixels.set([...ramp(DIVERGING, (1 + cosine) / 2), 255], 4 * i);
  }
  side.cells ??= Object.assign(document.createElement("canvas"), { className: "cl-moving" });
  if (side.cells.width !== size) [side.cells.width, side.cells.height] = [size, size];
  side.cells.setAttribute("role", "img");
  side.cells.setAttribute("aria-label", words.matrix);
  side.cells.getContext("2d").putImageData(new ImageData(pixels, size, size), 0, 0);
  if (side.of !== value) {
    side.of = value;
    const last = moments.epochs.at(-1);
    side.replaceChildren(build("h3", "cl-title", words.matrix), side.cells,
      ...["loss", "std"].filter((kind) => moments[kind].length > 1).flatMap((kind) => curve(kind, moments[kind], last)));
  }
  for (const line of side.querySelectorAll(".cl-now")) {
    const x = SIDE.left + (epoch / moments.epochs.at(-1)) * (SIDE.wide - SIDE.left - 6);
    line.setAttribute("x1", x);
    line.setAttribute("x2", x);
  }
}

function curve(kind, points, last) {
  const { moments } = value;
  const level = kind === "loss" ? moments.chance : moments.even;
  const values = [...points.map(([, y]) => y), ...(level === null ? [] : [level])];
  const [low, high] = [Math.min(0, ...values), Math.max(...values)];
  const x = (epoch) => SIDE.left + (epoch / last) * (SIDE.wide - SIDE.left - 6);
  const y = (number) => SIDE.top + ((high - number) / (high - low || 1)) * (SIDE.high - SIDE.top - SIDE.bottom);
  const path = points.map(([epoch, number], i) => `${i ? "L" : "M"}${x(epoch).toFixed(1)} ${y(number).toFixed(1)}`).join("");
  const shapes = [
    ...[low, high].map((number) => `<text x="${SIDE.left - 4}" y="${y(number) + 4}" text-anchor="end" font-size="10" fill="currentColor">${number.toFixed(2)}</text>`),
    `<line x1="${SIDE.left}" x2="${SIDE.wide - 6}" y1="${y(low)}" y2="${y(low)}" stroke="#888" stroke-opacity=".5"/>`,
    level === null ? "" : `<line x1="${SIDE.left}" x2="${SIDE.wide - 6}" y1="${y(level)}" y2="${y(level)}" stroke="#d55e00" stroke-dasharray="2 3"/>`,
    `<path d="${path}" fill="none" stroke="#0072b2" stroke-width="1.8"/>`,
    `<line class="cl-now" y1="${SIDE.top}" y2="${SIDE.high - SIDE.bottom}" stroke="#e69f00" stroke-width="2"/>`,
  ];
  return [build("h3", "cl-title", words[`curve.${kind}`]), svgNode(SIDE.wide, SIDE.high, shapes, words[`curve.${kind}`])];
}

trails.addEventListener("change", () => { keepLinked("trails", trails.checked, false); drawSoon(); });

root.append(saveButtons({
  name: () => value.name,
  canvas: () => {
    const both = document.createElement("canvas");
    [both.width, both.height] = [canvas.width, canvas.height];
    for (const each of [canvas, over]) both.getContext("2d").drawImage(each, 0, 0);
    return both;
  },
  svg: () => svgText(canvas.width, canvas.height, [paper(), ...Array.from(screen.xs, (x, i) => {
    if (!visible(i)) return "";
    const color = now.colors[i];
    const fill = hexOf([color & 255, (color >> 8) & 255, (color >> 16) & 255]);
    return `<circle cx="${x.toFixed(1)}" cy="${screen.ys[i].toFixed(1)}" r="2.5" fill="${fill}"><title>${xml(nameOf(i))}</title></circle>`;
  })]),
  csv: () => [["id", "name", "x", "y", "group", "score", "selected"], ...Array.from(now.xs, (x, i) => [i, nameOf(i), x, -now.ys[i],
    now.groups ? now.groupNames[now.groups[i]] : "", now.score ? now.score[i] : "", Number(state.selected.has(i))])],
}));

async function open(next) {
  if (!next.points) return;
  const mine = ++turn;
  const before = value;
  value = { ...next, whole: unpacked(next.points, Int16Array) };
  frame.setAttribute("aria-label", next.label);
  const same = before && before.sprites.url === next.sprites.url;
  if (!same) { sheet = null; names = null; state.hidden.clear(); }
  if (before && before.name.split("-").slice(0, -2).join("-") === next.name.split("-").slice(0, -2).join("-")) {
    value.momentSheet = before.momentSheet;
  }
  state.lines = null;
  modes.inputs.time.disabled = !value.moments;
  measure();
  if (!state.started) {
    state.started = true;
    recallView();
    setLook(linked("points") === "images" ? "images" : "points");
    setMode(linked("moment") !== null ? "time" : "finished");
    const point = Number(linked("point"));
    if (linked("point") !== null && state.mode === "finished" && point < value.count) choose(point);
  } else if (state.mode === "time" && value.moments) {
    const moment = time.at();
    showTime();
    time.load(value.moments.epochs);
    time.go(moment);
  } else {
    const chosen = state.chosen < value.count && same ? state.chosen : -1;
    if (!same) { state.selected.clear(); state.chosen = -1; }
    if (state.mode === "time") setMode("finished");
    else showFinished(same);
    if (chosen >= 0) choose(chosen);
    drawSelection();
  }
  draw();
  root.dataset.drawn = String(mine);
  // What only the pointer asks for comes after the first drawing.
  if (!same) {
    loadedImage(next.sprites.url).then((loaded) => { if (mine === turn) { sheet = loaded; drawSoon(); root.dataset.images = String(mine); } });
    fetch(next.names).then((answer) => answer.json()).then((listed) => { if (mine === turn) names = listed; });
  }
  if (value.moments && !value.momentSheet) {
    const mineValue = value;
    loadedImage(value.moments.sprites.url).then((loaded) => { mineValue.momentSheet = loaded; drawSoon(); });
  }
}

watch("lines", () => {
  if (!props.lines || props.lines.from !== state.chosen) return;
  state.lines = props.lines;
  drawSelection();
  drawSoon();
});
const sizeWatcher = new ResizeObserver(() => { measure(); drawSoon(); });
sizeWatcher.observe(frame);
onAnswer(open);
