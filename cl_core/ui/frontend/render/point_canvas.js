// What draws the points of a map: WebGL where a GPU runs it, else pixels written into a canvas.

import { CanvasPainter } from "./canvas_painter.js";
import { WebGLPainter } from "./webgl_painter.js";

/** @import { Points } from "../types.js" */
/** @import { Sheet } from "./sheet.js" */

/**
 * Draws many points, in device pixels. Colors are 0xAABBGGRR each; those of images count by their alpha alone, and a point
 * whose alpha is 0 is not drawn. Whoever changes colors gives a new array.
 *
 * @typedef {object} Painter
 * @property {HTMLCanvasElement} canvas
 * @property {(width: number, height: number) => void} resize
 * @property {(points: Points, colors: Uint32Array, radius: number) => void} drawDiscs later ones cover earlier ones
 * @property {(points: Points, colors: Uint32Array, sheet: Sheet, side: number) => void} drawImages around their points
 * @property {() => void} end
 */

/** @typedef {"auto" | "webgl" | "canvas"} PainterKind */

/**
 * A canvas of points. If its WebGL context is lost, a canvas that is drawn without a GPU replaces it, empty.
 */
export class PointCanvas {
  /** @type {Painter} */ painter;
  #ended = false;

  /**
   * @param {() => void} onLost called when what was drawn is gone
   * @param {PainterKind} [kind] "auto" takes WebGL unless the processor would have to compute it: the canvas is faster then
   */
  constructor(onLost, kind = "auto") {
    this.painter = createPainter(kind);
    const lost = this.painter.canvas;
    lost.addEventListener("webglcontextlost", () => {
      if (this.#ended) return;
      this.painter = new CanvasPainter();
      this.painter.resize(lost.width, lost.height);
      lost.replaceWith(this.painter.canvas);
      onLost();
    });
  }

  get node() {
    return this.painter.canvas;
  }

  /** Release the WebGL context. */
  end() {
    this.#ended = true;
    this.painter.end();
  }
}

/** @param {PainterKind} kind @returns {Painter} */
function createPainter(kind) {
  if (kind === "canvas") return new CanvasPainter();
  const options = { ...WebGLPainter.OPTIONS, failIfMajorPerformanceCaveat: kind === "auto" };
  const context = document.createElement("canvas").getContext("webgl2", options);
  if (!context) return new CanvasPainter();
  if (kind === "webgl") return new WebGLPainter(context);
  try {
    if (isAccelerated(context)) return new WebGLPainter(context);
  } catch {
    // A driver that does not take the shaders.
  }
  context.getExtension("WEBGL_lose_context")?.loseContext();
  return new CanvasPainter();
}

/** @param {WebGL2RenderingContext} context */
function isAccelerated(context) {
  const named = context.getExtension("WEBGL_debug_renderer_info");
  const renderer = String(context.getParameter(named ? named.UNMASKED_RENDERER_WEBGL : context.RENDERER));
  return !/swiftshader|llvmpipe|softpipe|software|basic render/i.test(renderer);
}
