// Comes before every component's own script. `element` comes from Gradio.
const root = element.querySelector(".cl-root");

function build(tag, className, text) {
  const node = document.createElement(tag);
  node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

// A text with its {placeholders} filled in.
function say(text, values) {
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

// Numbers that came as base64, as an array of `Type`.
function unpacked(text, Type) {
  return new Type(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer);
}

function loadedImage(url) {
  return new Promise((resolve, reject) => {
    const image = new Image();
    image.onload = () => resolve(image);
    image.onerror = () => reject(new Error("a sheet of images did not load"));
    image.src = url;
  });
}

// One tile of a sheet of images, as an element.
function tile(sprites, index, side) {
  const image = build("div", "cl-tile");
  const x = index % sprites.columns;
  const y = Math.floor(index / sprites.columns);
  image.style.cssText =
    `width:${side}px;height:${side}px;background-image:url("${sprites.url}");` +
    `background-size:${sprites.columns * side}px auto;background-position:-${x * side}px -${y * side}px`;
  return image;
}

// One tile of a loaded sheet as a drawing: quicker than a background where tiles follow the pointer.
function drawnTile(sheet, sprites, index, side) {
  const canvas = document.createElement("canvas");
  const scale = window.devicePixelRatio || 1;
  canvas.width = canvas.height = Math.round(side * scale);
  canvas.className = "cl-tile";
  canvas.style.width = canvas.style.height = `${side}px`;
  const size = sheet.width / sprites.columns;
  const [x, y] = [(index % sprites.columns) * size, Math.floor(index / sprites.columns) * size];
  canvas.getContext("2d").drawImage(sheet, x, y, size, size, 0, 0, canvas.width, canvas.height);
  return canvas;
}

// What the page's address says of a control that the browser alone knows, and its way back there.
function linked(name) {
  return window.contrastiveLink ? window.contrastiveLink.get(name) : null;
}

function keepLinked(name, value, byDefault) {
  if (window.contrastiveLink) window.contrastiveLink.keep(name, value, byDefault);
}

// `draw(value)` for what Python answers. Answers can cross on their way: one that was asked for before the one on the
// screen is not drawn (`Page.draws` numbers them).
function onAnswer(draw) {
  let latest = 0;
  const take = () => {
    const value = props.value;
    if (!value || (value.turn || 0) < latest) return;
    latest = value.turn || 0;
    // A question that could not be answered, as a notice has said, leaves what is there.
    if (Object.keys(value).some((key) => key !== "turn")) draw(value);
    if (value.turn) window.contrastiveLink.answered(element.closest(".block").id, value.turn);
  };
  watch("value", take);
  take();
}

// Paragraphs of a text with **strong** and *emphasised* parts.
function marked(text) {
  return text.split("\n\n").map((paragraph) => {
    const node = build("p", "cl-paragraph");
    for (const piece of paragraph.split(/(\*\*[^*]+\*\*|\*[^*]+\*)/)) {
      if (piece.startsWith("**")) node.append(build("strong", "", piece.slice(2, -2)));
      else if (/^\*[^*]/.test(piece)) node.append(build("em", "", piece.slice(1, -1)));
      else node.append(piece);
    }
    return node;
  });
}
