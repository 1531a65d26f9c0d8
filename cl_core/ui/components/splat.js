// Many points into one image: each a small disc of pixels, written straight into memory.

const DISCS = new Map();

// Offsets of a disc's pixels around its center, for rows of `width` pixels.
function disc(radius, width) {
  const key = `${radius} ${width}`;
  if (!DISCS.has(key)) {
    const offsets = [];
    for (let y = -radius; y <= radius; y++) {
      for (let x = -radius; x <= radius; x++) if (x * x + y * y <= radius * radius + radius * 0.4) offsets.push(y * width + x);
    }
    DISCS.clear();
    DISCS.set(key, Int32Array.from(offsets));
  }
  return DISCS.get(key);
}

// image: ImageData, cleared here. xs, ys: pixels. colors: 0xAABBGGRR each, 0 for a point that is not drawn.
function splat(image, xs, ys, colors, radius) {
  const { width, height } = image;
  const pixels = image.words ??= new Uint32Array(image.data.buffer);
  pixels.fill(0);
  const offsets = disc(radius, width);
  for (let i = 0; i < xs.length; i++) {
    const color = colors[i];
    const [x, y] = [xs[i] | 0, ys[i] | 0];
    if (color === 0 || x < radius || y < radius || x >= width - radius || y >= height - radius) continue;
    const center = y * width + x;
    for (let n = 0; n < offsets.length; n++) pixels[center + offsets[n]] = color;
  }
}

// "#rrggbb" as splat's number.
function inked(color, alpha = 255) {
  const value = parseInt(color.slice(1), 16);
  return (((alpha << 24) >>> 0) + ((value & 255) << 16) + (value & 0xff00) + (value >> 16)) >>> 0;
}

// Okabe and Ito's colors, then others of as different lightness; told apart by color-blind readers.
const CATEGORIES = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#8C6BB1", "#A6761D", "#66A61E", "#7F7F7F"];
// From dark blue to yellow (after viridis: its lightness rises evenly).
const SCALE = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]];

function hexOf([red, green, blue]) {
  return `#${[red, green, blue].map((value) => Math.round(value).toString(16).padStart(2, "0")).join("")}`;
}
