/**
 * Device pixels per CSS pixel, at most 2: more cannot be seen and costs time.
 */
export function pixelScale() {
  return Math.min(2, window.devicePixelRatio || 1);
}

/**
 * The context of a canvas.
 *
 * @param {HTMLCanvasElement} canvas
 */
export function penOf(canvas) {
  return /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
}

/**
 * Give a canvas a size in CSS pixels; its context then draws in CSS pixels.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {number} width
 * @param {number} height
 * @returns {{ pen: CanvasRenderingContext2D; resized: boolean }} resized: whether what was drawn is gone
 */
export function sizeCanvas(canvas, width, height) {
  const scale = window.devicePixelRatio || 1;
  const [across, down] = [Math.round(width * scale), Math.round(height * scale)];
  const resized = canvas.width !== across || canvas.height !== down;
  if (resized) {
    [canvas.width, canvas.height] = [across, down];
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
  }
  const pen = penOf(canvas);
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  return { pen, resized };
}

/**
 * A new canvas with drawings of the same size on top of each other.
 *
 * @param {(HTMLCanvasElement | HTMLImageElement)[]} layers
 * @param {string} [background] a color below them
 */
export function flatten(layers, background) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [layers[0].width, layers[0].height];
  const pen = penOf(canvas);
  if (background) {
    pen.fillStyle = background;
    pen.fillRect(0, 0, canvas.width, canvas.height);
  }
  for (const layer of layers) pen.drawImage(layer, 0, 0, canvas.width, canvas.height);
  return canvas;
}
