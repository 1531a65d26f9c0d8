// Plotly figures in one element. `element`, `props`, `watch` and `trigger` come from Gradio.
const grid = document.createElement("div");
grid.className = "cl-figures";
const card = document.createElement("div");
card.className = "cl-card";
card.hidden = true;
root.append(grid, card);

// Each figure as an image, a drawing, or the numbers of its lines.
function saveOf(plot, position) {
  const name = () => `figure-${position + 1}`;
  const asked = async (format) => {
    const url = await window.Plotly.toImage(plot, { format, width: plot.clientWidth, height: plot.clientHeight, scale: format === "png" ? 2 : 1 });
    return format === "png" ? url : decodeURIComponent(url.slice(url.indexOf(",") + 1));
  };
  return saveButtons({
    name,
    canvas: async () => {
      const image = await loadedImage(await asked("png"));
      const canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = [image.width, image.height];
      canvas.getContext("2d").drawImage(image, 0, 0);
      return canvas;
    },
    svg: () => asked("svg"),
    csv: () => [["line", "x", "y"], ...plot.data.flatMap((trace, i) => {
      const xs = plain(trace.x), ys = plain(trace.y);
      return ys.map((y, n) => [trace.name || `line ${i + 1}`, xs[n] ?? n, Array.isArray(y) ? y.join(" ") : y]);
    })],
  });
}

// Python sends some arrays packed.
const PACKED = { f8: Float64Array, f4: Float32Array, i4: Int32Array, i2: Int16Array, i1: Int8Array, u4: Uint32Array, u2: Uint16Array, u1: Uint8Array };
function plain(values) {
  if (!values) return [];
  return Array.from(values.bdata ? unpacked(values.bdata, PACKED[values.dtype]) : values);
}

let value = null;
let drawn = 0;
let sprites = null; // kept while only numbers change

function loadPlotly() {
  if (!window.contrastivePlotly) {
    window.contrastivePlotly = new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = props.plotly_url;
      script.onload = () => resolve(window.Plotly);
      script.onerror = () => reject(new Error("plotly.min.js did not load"));
      document.head.append(script);
    });
  }
  return window.contrastivePlotly;
}

// The page's theme decides the colors of text, grid and paper.
function themed(layout) {
  const style = getComputedStyle(document.body);
  const ink = style.getPropertyValue("--body-text-color").trim();
  const faint = style.getPropertyValue("--body-text-color-subdued").trim();
  const line = style.getPropertyValue("--border-color-primary").trim();
  const paper = "rgba(0,0,0,0)";
  const axes = {};
  for (const name of Object.keys(layout)) {
    if (/^[xy]axis\d*$/.test(name)) {
      axes[name] = { gridcolor: line, zerolinecolor: line, linecolor: line, ...layout[name] };
    }
  }
  const font = { color: ink, family: getComputedStyle(root).fontFamily, size: 12 };
  const hoverlabel = { bgcolor: style.getPropertyValue("--background-fill-primary").trim(), font };
  const modebar = { bgcolor: paper, color: faint, activecolor: ink };
  return { ...layout, ...axes, font, hoverlabel, modebar, paper_bgcolor: paper, plot_bgcolor: paper, autosize: true };
}

function line(text, className) {
  const row = document.createElement("div");
  row.textContent = text;
  if (className) row.className = className;
  return row;
}

// What the card shows for a point: the tiles of its images, and lines of text.
function cardContent(point, figure) {
  const { card: kind, words } = value;
  if (kind === "matrix") {
    const [row, column] = [point.y, point.x];
    const { cells, names } = value;
    const here = cells[figure];
    // New numbers arrive before the new drawing: the pointer may still be on a cell that is no more.
    if (!here || !here.roles[row] || !here.columns[column]) return null;
    const { sprite, caption, key } = here.columns[column];
    // The other matrix says something about this pair only if it compares with the same thing.
    const lines = names.flatMap((name, i) => cells[i].columns[column] && cells[i].columns[column].key === key
      ? [`${name}: ${cells[i].values[row][column].toFixed(3)}`] : []);
    const role = here.roles[row][column];
    return { tiles: sprite < 0 ? [row] : [row, sprite], lines: caption ? [caption, ...lines] : lines,
      role: words[role], roleName: role.split(".")[1].split("_")[0] };
  }
  if (kind === "row") {
    const item = value.items[point.pointIndex];
    return { tiles: [value.anchor, item.sprite], lines: item.lines, role: words[item.role], roleName: item.role };
  }
  if (kind === "map") {
    const id = point.customdata;
    return { tiles: [id], lines: [value.names[id]], role: "", roleName: "" };
  }
  if (kind === "words") {
    const id = point.customdata;
    return { tiles: [], lines: [value.lines[id]], role: value.names[id], roleName: "" };
  }
  return null;
}

function showCard(point, event, figure) {
  const content = cardContent(point, figure);
  if (!content) return;
  card.replaceChildren();
  const images = document.createElement("div");
  images.className = "cl-tiles";
  images.append(...content.tiles.map((index) => tile(sprites, index, 72)));
  card.append(images);
  if (content.role) card.append(line(content.role, `cl-role cl-${content.roleName}`));
  card.append(...content.lines.map((text) => line(text)));
  card.hidden = false;
  const box = root.getBoundingClientRect();
  const x = Math.min(Math.max(event.clientX - box.left - card.offsetWidth / 2, 0), box.width - card.offsetWidth);
  const above = event.clientY - box.top - card.offsetHeight - 18;
  card.style.left = `${x}px`;
  card.style.top = `${above > -40 ? above : event.clientY - box.top + 22}px`;
}

async function draw() {
  if (!value || !value.figures) return;
  if (!value.figures.length) { grid.replaceChildren(); return; }
  const turn = ++drawn;
  if (value.sprites) sprites = value.sprites;
  const Plotly = await loadPlotly();
  if (turn !== drawn || !root.isConnected) return;
  card.hidden = true;
  grid.style.setProperty("--cl-columns", value.figures.length);
  while (grid.children.length > value.figures.length) grid.lastChild.remove();
  value.figures.forEach((figure, i) => {
    if (!grid.children[i]) {
      const cell = build("div", "cl-cell");
      cell.append(build("div", "cl-plot"));
      grid.append(cell);
    }
    const plot = grid.children[i].firstChild;
    plot.setAttribute("role", "figure");
    plot.setAttribute("aria-label", value.label || "");
    // A square matrix on a narrow screen needs no more height than width.
    const height = figure.layout.height || 400;
    if (value.card === "matrix" && plot.clientWidth) figure.layout.height = Math.min(height, plot.clientWidth);
    plot.style.minHeight = `${figure.layout.height || 400}px`;
    const config = { displaylogo: false, scrollZoom: value.card === "map" || value.card === "words",
      modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"] };
    Plotly.react(plot, figure.data, themed(figure.layout), config).then(() => {
      root.dataset.drawn = String(turn);
      if (plot.dataset.wired) return;
      plot.dataset.wired = "1";
      plot.after(saveOf(plot, i));
      plot.on("plotly_hover", (event) => showCard(event.points[0], event.event, i));
      plot.on("plotly_unhover", () => { card.hidden = true; });
      plot.on("plotly_click", (event) => {
        const point = event.points[0];
        const id = point.customdata === undefined ? null : point.customdata;
        trigger("point_click", { id, x: point.x, y: point.y });
      });
    });
  });
}

// The element's width is known late: tabs are laid out after their content is drawn.
const sizeWatcher = new ResizeObserver(() => {
  for (const { firstChild: plot } of grid.children) if (plot.dataset.wired) window.Plotly.Plots.resize(plot);
});
sizeWatcher.observe(root);
const themeWatcher = new MutationObserver(draw);
themeWatcher.observe(document.body, { attributes: true, attributeFilter: ["class"] });
onAnswer((answer) => { value = answer; draw(); });
