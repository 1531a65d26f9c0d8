// A matrix of colored cells with images at its sides; one canvas, so that a repaint is one frame.
const LARGEST_CELL = 64;
const SMALLEST_IMAGE = 9;

// Okabe and Ito's blue and orange, told apart by color-blind readers. value: -1 to 1.
const DIVERGING = [[179, 88, 6], [241, 163, 64], [247, 247, 247], [103, 169, 207], [5, 48, 97]];
const RISING = [[247, 251, 255], [158, 202, 225], [66, 146, 198], [8, 81, 156], [8, 48, 107]];
const COSTLY = [[255, 245, 235], [253, 190, 133], [253, 141, 60], [217, 72, 1], [127, 39, 4]];

// The color at `share`, 0 to 1, along the stops.
function ramp(stops, share) {
  const at = Math.min(1, Math.max(0, share)) * (stops.length - 1);
  const low = Math.min(stops.length - 2, Math.floor(at));
  return stops[low].map((value, i) => Math.round(value + (at - low) * (stops[low + 1][i] - value)));
}

// A matrix as a drawing of its own: RGBA pixels of every cell, positives framed.
function matrixSvg({ rows, columns, positive }, pixels) {
  const side = 10;
  const shapes = [];
  for (let i = 0; i < rows * columns; i++) {
    const [x, y] = [(i % columns) * side, Math.floor(i / columns) * side];
    const frame = positive[i] ? ' stroke="#009e73" stroke-width="1.5"' : "";
    shapes.push(`<rect x="${x}" y="${y}" width="${side}" height="${side}" fill="rgb(${pixels[4 * i]},${pixels[4 * i + 1]},` +
      `${pixels[4 * i + 2]})" fill-opacity="${(pixels[4 * i + 3] / 255).toFixed(2)}"${frame}/>`);
  }
  return svgText(columns * side, rows * side, [paper(), ...shapes]);
}

// on: {point(row, column), pick(row, column)} are told what the pointer and the keys do; here() gives the cell they are at.
function matrixPanel(label, hint, on) {
  const node = build("section", "cl-matrix");
  const title = build("h3", "cl-title", "");
  const frame = build("div", "cl-frame");
  frame.tabIndex = 0;
  frame.setAttribute("role", "application");
  frame.setAttribute("aria-label", label);
  frame.title = "";
  const canvas = document.createElement("canvas");
  const rowBand = build("div", "cl-band"), columnBand = build("div", "cl-band"), cursor = build("div", "cl-cursor");
  for (const mark of [rowBand, columnBand, cursor]) mark.hidden = true;
  frame.append(canvas, rowBand, columnBand, cursor);
  node.append(title, frame, build("p", "cl-keys", hint));
  const cells = document.createElement("canvas");
  let shape = { rows: 0, columns: 0, cell: 1, side: 0 };
  let width = 0;
  new ResizeObserver(() => { width = frame.clientWidth; }).observe(frame);
  let edges = null; // what the images at the sides were drawn for

  function at(event) {
    const box = frame.getBoundingClientRect();
    const column = Math.floor((event.clientX - box.left - shape.side) / shape.cell);
    const row = Math.floor((event.clientY - box.top - shape.side) / shape.cell);
    return row >= 0 && row < shape.rows && column >= 0 && column < shape.columns ? [row, column] : null;
  }

  frame.addEventListener("pointermove", (event) => { const cell = at(event); if (cell) on.point(...cell); });
  frame.addEventListener("pointerdown", (event) => { const cell = at(event); if (cell) on.pick(...cell); });
  frame.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    if (!step) return;
    event.preventDefault();
    const [row, column] = on.here();
    on.pick(Math.min(shape.rows - 1, Math.max(0, row + step[0])), Math.min(shape.columns - 1, Math.max(0, column + step[1])));
  });

  // pixels: RGBA of every cell, row by row; framed: which cells get the positives' frame; images: {sheet, sprites,
  // rows, columns} with a sprite's number for each row and column, or null.
  function draw(rows, columns, pixels, framed, images) {
    // Asked for once a size: asking while drawing would lay the page out anew.
    width ||= frame.clientWidth;
    if (!width) return;
    const withImages = images && width / (columns + 1) >= SMALLEST_IMAGE;
    const cell = Math.min(LARGEST_CELL, width / (columns + (withImages ? 1 : 0)));
    const side = withImages ? cell : 0;
    shape = { rows, columns, cell, side };
    const scale = window.devicePixelRatio || 1;
    const [wide, high] = [side + columns * cell, side + rows * cell];
    if (canvas.width !== Math.round(wide * scale) || canvas.height !== Math.round(high * scale)) {
      canvas.width = Math.round(wide * scale);
      canvas.height = Math.round(high * scale);
      canvas.style.width = `${wide}px`;
      canvas.style.height = `${high}px`;
      edges = null;
    }
    if (cells.width !== columns || cells.height !== rows) [cells.width, cells.height] = [columns, rows];
    cells.getContext("2d").putImageData(new ImageData(pixels, columns, rows), 0, 0);
    const pen = canvas.getContext("2d");
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    const fresh = !withImages || edges !== images.rows; // images stay while only numbers change
    edges = withImages ? images.rows : null;
    if (fresh) pen.clearRect(0, 0, wide, high);
    else pen.clearRect(side, side, columns * cell, rows * cell);
    pen.imageSmoothingEnabled = false;
    pen.drawImage(cells, side, side, columns * cell, rows * cell);
    pen.strokeStyle = "#009e73";
    pen.lineWidth = cell > 8 ? 2 : 1;
    const inset = pen.lineWidth / 2;
    pen.beginPath();
    for (let i = 0; i < framed.length; i++) {
      if (framed[i]) pen.rect(side + (i % columns) * cell + inset, side + Math.floor(i / columns) * cell + inset, cell - 2 * inset, cell - 2 * inset);
    }
    pen.stroke();
    if (withImages && fresh) {
      pen.imageSmoothingEnabled = true;
      images.rows.forEach((sprite, row) => drawSprite(pen, images, sprite, 0, side + row * cell, cell));
      images.columns.forEach((sprite, column) => drawSprite(pen, images, sprite, side + column * cell, 0, cell));
    }
  }

  function drawSprite(pen, { sheet, sprites }, sprite, x, y, cell) {
    if (sprite < 0) return;
    const size = sheet.width / sprites.columns;
    const [left, top] = [(sprite % sprites.columns) * size, Math.floor(sprite / sprites.columns) * size];
    pen.drawImage(sheet, left, top, size, size, x + 0.5, y + 0.5, cell - 1, cell - 1);
  }

  function place(mark, left, top, width, height) {
    mark.hidden = false;
    mark.style.cssText = `transform:translate(${left}px,${top}px);width:${width}px;height:${height}px`;
  }

  function mark(row, column) {
    const { cell, side, rows, columns } = shape;
    place(rowBand, 0, side + row * cell, side + columns * cell, cell);
    place(columnBand, side + column * cell, 0, cell, side + rows * cell);
    place(cursor, side + column * cell, side + row * cell, cell, cell);
  }

  return { node, frame, draw, mark, name: (text) => { title.textContent = text; }, image: () => canvas };
}
