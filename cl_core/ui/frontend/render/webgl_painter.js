/** @import { Points } from "../types.js" */
/** @import { Sheet } from "./sheet.js" */

const PLACE = `#version 300 es
layout(location = 0) in float x;
layout(location = 1) in float y;
layout(location = 2) in vec4 color;
uniform vec2 frame;
vec4 clip(vec2 place) {
  return color.a == 0. ? vec4(2, 2, 2, 1) : vec4(2. * place.x / frame.x - 1., 1. - 2. * place.y / frame.y, 0, 1);
}
`;
const DISC_VERTICES = `${PLACE}
uniform float radius;
out vec4 tint;
void main() {
  gl_Position = clip(floor(vec2(x, y)) + .5);
  gl_PointSize = 2. * radius + 1.;
  tint = vec4(color.rgb * color.a, color.a);
}`;
const DISC_PIXELS = `#version 300 es
precision highp float;
uniform float radius;
in vec4 tint;
out vec4 pixel;
void main() {
  vec2 offset = (gl_PointCoord - .5) * (2. * radius + 1.);
  if (dot(offset, offset) > radius * (radius + .4) + .01) discard;
  pixel = tint;
}`;
const IMAGE_VERTICES = `${PLACE}
uniform float side;
uniform ivec2 grid;
uniform float inset;
out vec2 place;
out float alpha;
void main() {
  vec2 corner = vec2(gl_VertexID & 1, gl_VertexID >> 1);
  vec2 tile = vec2(gl_InstanceID % grid.x, gl_InstanceID / grid.x);
  gl_Position = clip(vec2(x, y) + (corner - .5) * side);
  place = (tile + mix(vec2(inset), vec2(1. - inset), corner)) / vec2(grid);
  alpha = color.a;
}`;
const IMAGE_PIXELS = `#version 300 es
precision highp float;
uniform sampler2D sheet;
in vec2 place;
in float alpha;
out vec4 pixel;
void main() {
  pixel = texture(sheet, place) * alpha;
}`;

/**
 * Draws points on a GPU; see `Painter`.
 */
export class WebGLPainter {
  /** The drawing stays readable: it is saved as an image. @type {WebGLContextAttributes} */
  static OPTIONS = { antialias: false, depth: false, preserveDrawingBuffer: true };
  canvas;
  #gl;
  #discs;
  #images;
  /** @type {WebGLBuffer[]} */ #buffers; // x, y, color
  #count = 0; // points that the buffers hold
  /** @type {Uint32Array | null} */ #colors = null;
  /** @type {Sheet | null} */ #sheet = null; // of which the texture is

  /** @param {WebGL2RenderingContext} gl */
  constructor(gl) {
    this.#gl = gl;
    this.canvas = /** @type {HTMLCanvasElement} */ (gl.canvas);
    this.#discs = compile(gl, DISC_VERTICES, DISC_PIXELS, ["frame", "radius"]);
    this.#images = compile(gl, IMAGE_VERTICES, IMAGE_PIXELS, ["frame", "side", "grid", "inset"]);
    this.#buffers = [0, 1, 2].map((attribute) => {
      const buffer = gl.createBuffer();
      gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
      gl.enableVertexAttribArray(attribute);
      if (attribute < 2) gl.vertexAttribPointer(attribute, 1, gl.FLOAT, false, 0, 0);
      else gl.vertexAttribPointer(attribute, 4, gl.UNSIGNED_BYTE, true, 0, 0);
      return buffer;
    });
    gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR_MIPMAP_LINEAR);
    gl.pixelStorei(gl.UNPACK_PREMULTIPLY_ALPHA_WEBGL, true);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
  }

  /** @param {number} width @param {number} height */
  resize(width, height) {
    [this.canvas.width, this.canvas.height] = [width, height];
    this.#gl.viewport(0, 0, width, height);
  }

  /** @param {Points} points @param {Uint32Array} colors @param {number} radius */
  drawDiscs(points, colors, radius) {
    const gl = this.#gl;
    this.#begin(this.#discs, points, colors, 0);
    gl.uniform1f(this.#discs.places.radius, radius);
    gl.drawArrays(gl.POINTS, 0, points.xs.length);
  }

  /** @param {Points} points @param {Uint32Array} colors @param {Sheet} sheet @param {number} side */
  drawImages(points, colors, sheet, side) {
    const gl = this.#gl;
    if (sheet !== this.#sheet) this.#load(sheet);
    const { places } = this.#images;
    this.#begin(this.#images, points, colors, 1);
    gl.uniform1f(places.side, side);
    gl.uniform2i(places.grid, sheet.columns, Math.round(sheet.image.height / sheet.tile));
    // Half a texel of the mipmap level that is sampled: no color comes from the neighboring image of the sheet.
    gl.uniform1f(places.inset, Math.min(0.25, 0.5 / Math.min(side, sheet.tile)));
    gl.drawArraysInstanced(gl.TRIANGLE_STRIP, 0, 4, points.xs.length);
  }

  /** @param {Program} program @param {Points} points @param {Uint32Array} colors @param {number} divisor 1: one image each */
  #begin({ program, places }, { xs, ys }, colors, divisor) {
    const gl = this.#gl;
    const sameSize = xs.length === this.#count;
    [xs, ys, colors].forEach((values, attribute) => {
      gl.vertexAttribDivisor(attribute, divisor);
      if (values === this.#colors) return;
      gl.bindBuffer(gl.ARRAY_BUFFER, this.#buffers[attribute]);
      if (sameSize) gl.bufferSubData(gl.ARRAY_BUFFER, 0, values);
      else gl.bufferData(gl.ARRAY_BUFFER, values, gl.DYNAMIC_DRAW);
    });
    [this.#count, this.#colors] = [xs.length, colors];
    gl.useProgram(program);
    gl.uniform2f(places.frame, this.canvas.width, this.canvas.height);
    gl.clear(gl.COLOR_BUFFER_BIT);
  }

  /** @param {Sheet} sheet */
  #load(sheet) {
    const gl = this.#gl;
    const { image } = sheet;
    const shrink = Math.min(1, gl.getParameter(gl.MAX_TEXTURE_SIZE) / Math.max(image.width, image.height));
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, shrink < 1 ? scaled(image, shrink) : image);
    gl.generateMipmap(gl.TEXTURE_2D);
    this.#sheet = sheet;
  }

  end() {
    this.#gl.getExtension("WEBGL_lose_context")?.loseContext();
  }
}

/** @typedef {{ program: WebGLProgram; places: Record<string, WebGLUniformLocation | null> }} Program */

/**
 * @param {WebGL2RenderingContext} gl
 * @param {string} vertices
 * @param {string} pixels
 * @param {string[]} uniforms
 * @returns {Program}
 */
function compile(gl, vertices, pixels, uniforms) {
  const program = gl.createProgram();
  for (const [type, source] of /** @type {[number, string][]} */ ([[gl.VERTEX_SHADER, vertices], [gl.FRAGMENT_SHADER, pixels]])) {
    const shader = /** @type {WebGLShader} */ (gl.createShader(type));
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS) && !gl.isContextLost()) {
    throw new Error(gl.getProgramInfoLog(program) ?? "a shader does not link");
  }
  return { program, places: Object.fromEntries(uniforms.map((name) => [name, gl.getUniformLocation(program, name)])) };
}

/** @param {HTMLImageElement} image @param {number} factor */
function scaled(image, factor) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [Math.floor(image.width * factor), Math.floor(image.height * factor)];
  canvas.getContext("2d")?.drawImage(image, 0, 0, canvas.width, canvas.height);
  return canvas;
}
