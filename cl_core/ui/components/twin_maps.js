// Maps of the same images side by side. `element`, `props` and `trigger` come from Gradio.
const words = props.words;
const WHOLE = 32767;
const REACH = 16;

const planes = build("div", "cl-planes");
const said = build("p", "cl-found", words.hint);
said.setAttribute("aria-live", "polite");
const legend = build("div", "cl-legend");
root.replaceChildren(planes, said, legend);
let value = null, sheet = null, names = null, turn = 0, found = -1, chosen = -1;
let maps = [];

function planeOf(sent, position) {
  const node = build("section", "cl-plane");
  const frame = build("div", "cl-frame");
  frame.tabIndex = 0;
  frame.setAttribute("role", "application");
  frame.setAttribute("aria-label", say(words.map, { name: sent.name }));
  const canvas = document.createElement("canvas"), over = document.createElement("canvas");
  frame.append(canvas, over);
  node.append(build("h3", "cl-title", sent.name), frame);
  const whole = unpacked(sent.points, Int16Array);
  const map = { node, frame, canvas, over, name: sent.name, xs: new Float32Array(value.count), ys: new Float32Array(value.count) };
  for (let i = 0; i < value.count; i++) [map.xs[i], map.ys[i]] = [whole[2 * i] / WHOLE, -whole[2 * i + 1] / WHOLE];
  frame.addEventListener("pointermove", (event) => find(nearest(map, event)));
  frame.addEventListener("pointerleave", () => find(-1));
  frame.addEventListener("click", (event) => choose(nearest(map, event)));
  frame.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (step) find((found + step + value.count) % value.count);
    else if (event.key === "Enter" && found >= 0) choose(found);
    else return;
    event.preventDefault();
  });
  node.append(saveButtons({
    name: () => `map-${sent.name}`,
    canvas: () => canvas,
    svg: () => svgText(canvas.width, canvas.height, [paper(), ...Array.from(map.xs, (x, i) => `<circle cx="${map.at(x).toFixed(1)}" cy="${map.at(map.ys[i]).toFixed(1)}" r="2.5" fill="${CATEGORIES[value.codes[i] % CATEGORIES.length]}"/>`)]),
    csv: () => [["id", "name", "x", "y", "group"], ...Array.from(map.xs, (x, i) => [i, names ? names[i] : "", x, -map.ys[i], value.groupNames[value.codes[i]]])],
  }));
  map.position = position;
  return map;
}

function nearest(map, event) {
  const box = map.frame.getBoundingClientRect();
  const [x, y] = [event.clientX - box.left, event.clientY - box.top];
  let best = REACH ** 2, nearestId = -1;
  for (let i = 0; i < value.count; i++) {
    const distance = (map.at(map.xs[i]) / map.scale - x) ** 2 + (map.at(map.ys[i]) / map.scale - y) ** 2;
    if (distance < best) [best, nearestId] = [distance, i];
  }
  return nearestId;
}

function find(i) {
  if (i === found) return;
  found = i;
  const name = i < 0 ? words.hint : say(words.at, { name: names ? names[i] : i });
  said.replaceChildren(...(i >= 0 && sheet ? [drawnTile(sheet, value.sprites, i, 40)] : []), build("span", "", name));
  for (const map of maps) drawOver(map);
}

function choose(i) {
  if (i < 0) return;
  chosen = i;
  for (const map of maps) drawOver(map);
  trigger("point_click", { id: i });
}

function draw(map) {
  const side = map.frame.clientWidth;
  if (!side) return;
  map.scale = Math.min(2, window.devicePixelRatio || 1);
  const pixels = Math.round(side * map.scale);
  for (const each of [map.canvas, map.over]) [each.width, each.height] = [pixels, pixels];
  map.at = (share) => (0.5 + 0.47 * share) * pixels;
  const image = new ImageData(pixels, pixels);
  splat(image, map.xs.map(map.at), map.ys.map(map.at), value.colors, Math.round(1.7 * map.scale));
  map.canvas.getContext("2d").putImageData(image, 0, 0);
  drawOver(map);
}

function drawOver(map) {
  if (!map.at) return;
  const pen = map.over.getContext("2d");
  pen.clearRect(0, 0, map.over.width, map.over.height);
  for (const [i, color] of [[chosen, "#d55e00"], [found, "#e69f00"]]) {
    if (i < 0) continue;
    const [x, y] = [map.at(map.xs[i]), map.at(map.ys[i])];
    if (sheet) {
      const tileSide = sheet.width / value.sprites.columns, size = 34 * map.scale;
      pen.drawImage(sheet, (i % value.sprites.columns) * tileSide, Math.floor(i / value.sprites.columns) * tileSide, tileSide, tileSide,
        x - size / 2, y - size / 2, size, size);
    }
    pen.strokeStyle = color;
    pen.lineWidth = 3 * map.scale;
    pen.strokeRect(x - 18 * map.scale, y - 18 * map.scale, 36 * map.scale, 36 * map.scale);
  }
}

function open(next) {
  const mine = ++turn;
  if (!next.maps || !next.maps.length) {
    maps = [];
    planes.replaceChildren();
    legend.replaceChildren();
    said.replaceChildren(next.why || "");
    return;
  }
  const same = value && value.sprites && value.sprites.url === next.sprites.url;
  value = { ...next, codes: unpacked(next.groups, Uint8Array) };
  value.colors = Uint32Array.from(value.codes, (group) => inked(CATEGORIES[group % CATEGORIES.length], 225));
  if (!same) [sheet, names, chosen] = [null, null, -1];
  found = -1;
  said.replaceChildren(words.hint);
  maps = next.maps.map(planeOf);
  planes.style.setProperty("--cl-columns", maps.length);
  planes.replaceChildren(...maps.map((map) => map.node));
  legend.replaceChildren(...next.groupNames.map((name, group) => {
    const key = build("span", "cl-key", "");
    const dot = build("span", "cl-dot", "");
    dot.style.background = CATEGORIES[group % CATEGORIES.length];
    key.append(dot, name);
    return key;
  }));
  maps.forEach(draw);
  root.dataset.drawn = String(mine);
  if (!same) {
    loadedImage(next.sprites.url).then((loaded) => { if (mine === turn) { sheet = loaded; maps.forEach(drawOver); } });
    fetch(next.names).then((answer) => answer.json()).then((listed) => { if (mine === turn) names = listed; });
  }
}

new ResizeObserver(() => maps.forEach(draw)).observe(planes);
onAnswer(open);
