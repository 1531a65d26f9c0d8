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
    image.onerror = () => reject(new Error("a sheet of pictures did not load"));
    image.src = url;
  });
}

// One tile of a sheet of pictures, as an element.
function tile(sprites, index, side) {
  const picture = build("div", "cl-tile");
  const x = index % sprites.columns;
  const y = Math.floor(index / sprites.columns);
  picture.style.cssText =
    `width:${side}px;height:${side}px;background-image:url("${sprites.url}");` +
    `background-size:${sprites.columns * side}px auto;background-position:-${x * side}px -${y * side}px`;
  return picture;
}

// What the page's address says of a control that the browser alone knows, and its way back there.
function linked(name) {
  return window.contrastiveLink ? window.contrastiveLink.get(name) : null;
}

function keepLinked(name, value, byDefault) {
  if (window.contrastiveLink) window.contrastiveLink.keep(name, value, byDefault);
}

