// A figure kept as an image or as numbers.

// of: {name(), canvas() or none, svg(): text or none, csv(): rows of cells or none}, the first two also promised; what is
// there gets a button.
function saveButtons(of) {
  const node = build("div", "cl-save");
  node.setAttribute("role", "group");
  node.setAttribute("aria-label", props.save.label);
  const offer = (kind, make) => {
    const button = build("button", "cl-save-as", kind.toUpperCase());
    button.type = "button";
    button.title = props.save[kind];
    button.setAttribute("aria-label", props.save[kind]);
    button.addEventListener("click", async () => download(await make(), `${of.name()}.${kind}`));
    node.append(button);
  };
  if (of.canvas || of.svg) {
    offer("png", async () => {
      const canvas = onPaper(await (of.canvas ? of.canvas() : rasterised(await of.svg())));
      return new Promise((done) => { canvas.toBlob(done, "image/png"); });
    });
  }
  if (of.svg) offer("svg", async () => new Blob([await of.svg()], { type: "image/svg+xml" }));
  // The mark at the start lets spreadsheets read the letters of any language.
  if (of.csv) offer("csv", () => new Blob(["\ufeff", of.csv().map((row) => row.map(csvCell).join(",")).join("\n"), "\n"],
    { type: "text/csv" }));
  return node;
}

function csvCell(value) {
  const text = String(value ?? "");
  // A cell that begins like a formula would be one to a spreadsheet.
  const safe = typeof value === "string" && /^[=+\-@\t]/.test(text) ? `'${text}` : text;
  return /[",\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

function download(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name.replace(/[^\p{L}\p{N}._-]+/gu, "-");
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

// A drawing as an image, twice as fine as on the page.
async function rasterised(text) {
  const image = await loadedImage(`data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`);
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [2 * image.naturalWidth, 2 * image.naturalHeight];
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  return canvas;
}

// Transparent drawings get the page's paper.
function onPaper(canvas) {
  const copy = document.createElement("canvas");
  [copy.width, copy.height] = [canvas.width, canvas.height];
  const pen = copy.getContext("2d");
  pen.fillStyle = paperColor();
  pen.fillRect(0, 0, copy.width, copy.height);
  pen.drawImage(canvas, 0, 0);
  return copy;
}

function paperColor() {
  return getComputedStyle(document.body).getPropertyValue("--background-fill-primary").trim() || "#ffffff";
}

function xml(text) {
  return String(text).replace(/[&<>"]/g, (sign) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[sign]);
}

const SVG = "http://www.w3.org/2000/svg"; // the name of a language, not an address that is asked

// A drawing as text. shapes: its elements as text; label: what a screen reader says.
function svgText(width, height, shapes, label) {
  const said = label ? ` role="img" aria-label="${xml(label)}"` : "";
  return `<svg xmlns="${SVG}" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}"${said}>${shapes.join("")}</svg>`;
}

// The same as an element of the page.
function svgNode(width, height, shapes, label) {
  const text = svgText(width, height, shapes, label);
  return document.importNode(new DOMParser().parseFromString(text, "image/svg+xml").documentElement, true);
}

// The page's paper below a drawing that is kept apart from it.
function paper() {
  return `<rect width="100%" height="100%" fill="${xml(paperColor())}"/>`;
}
