// Plotly figures side by side, with a card under the pointer and clicks that reach Python.

import { mountComponent } from "../lib/component.js";
import { cardContent, themedLayout, traceRows } from "../lib/figures.js";
import { fileUrl } from "../lib/page.js";
import { saveButtons } from "../parts/save_buttons.js";
import { flatten } from "../render/canvas.js";
import { build } from "../render/dom.js";
import { loadPlotly } from "../render/plotly.js";
import { loadImage } from "../render/sheet.js";

/** @import { Scope } from "../lib/scope.js" */
/** @import { Plot, Plotly } from "../render/plotly.js" */
/** @import { Context, FigurePoint, FiguresValue } from "../types.js" */

/** @typedef {Context<FiguresValue, { plotly_url: string }>} FigureContext */

const UNUSED_BUTTONS = ["select2d", "lasso2d", "autoScale2d"];

/** @param {FigureContext} context */
export function mount(context) {
  return mountComponent(context, (root, scope) => {
    const figures = new FigureView(root, scope, context);
    scope.onThemeChange(() => void figures.draw());
    return (value) => {
      figures.value = value;
      return figures.draw();
    };
  });
}

class FigureView {
  /** @type {FiguresValue | null} */ value = null;
  /** @type {Plotly | null} */ #plotly = null;
  /** @type {{ cell: HTMLElement; plot: Plot; part: Scope; ready: boolean }[]} */ #cells = [];
  #grid = build("div", "cl-figures");
  #card = build("div", "cl-card");
  #draws = 0;

  /** @param {HTMLElement} root @param {Scope} scope @param {FigureContext} context */
  constructor(root, scope, { props, trigger }) {
    this.root = root;
    this.scope = scope;
    this.props = props;
    this.trigger = trigger;
    this.#card.hidden = true;
    root.replaceChildren(this.#grid, this.#card);
    // The width comes late: a tab is laid out after its content was drawn.
    scope.onResize(root, () => {
      for (const { plot, ready } of this.#cells) if (ready) this.#plotly?.Plots.resize(plot);
    });
    scope.onEnd(() => this.#keepCells(0));
  }

  async draw() {
    const { value } = this;
    const draw = (this.#draws += 1);
    if (!value) return;
    if (value.figures.length) this.#plotly ??= await loadPlotly(fileUrl(this.props.plotly_url));
    if (draw !== this.#draws || this.scope.ended) return;
    this.#card.hidden = true;
    this.#grid.style.setProperty("--cl-columns", String(value.figures.length));
    this.#keepCells(value.figures.length);
    await Promise.all(value.figures.map((_, i) => this.#drawFigure(value, i, draw)));
  }

  /** Remove the cells after the first `count`. @param {number} count */
  #keepCells(count) {
    for (const { cell, plot, part } of this.#cells.splice(count)) {
      part.end();
      this.#plotly?.purge(plot);
      cell.remove();
    }
  }

  /** @param {FiguresValue} value @param {number} i @param {number} draw */
  async #drawFigure(value, i, draw) {
    const figure = value.figures[i];
    if (!this.#cells[i]) this.#addCell();
    const entry = this.#cells[i];
    const { plot } = entry;
    plot.setAttribute("aria-label", value.label);
    plot.style.minHeight = `${figure.layout.height ?? 400}px`;
    const zooms = value.card === "words";
    const touched = matchMedia("(pointer: coarse)").matches; // a finger scrolls the page; Plotly's buttons are too small for it
    /** @type {boolean | "hover"} */
    const displayModeBar = touched ? false : "hover";
    const config = { displaylogo: false, displayModeBar, scrollZoom: zooms, modeBarButtonsToRemove: UNUSED_BUTTONS };
    const layout = themedLayout(touched && !zooms ? { ...figure.layout, dragmode: false } : figure.layout, this.#theme());
    await this.#plotly?.react(plot, figure.data, layout, config);
    if (this.scope.ended) return;
    this.root.dataset.drawn = String(draw);
    if (!entry.ready && this.#cells[i] === entry) this.#wire(entry, i);
  }

  #addCell() {
    const cell = build("div", "cl-cell");
    const plot = /** @type {Plot} */ (/** @type {HTMLElement} */ (build("div", "cl-plot")));
    plot.setAttribute("role", "figure");
    cell.append(plot);
    this.#grid.append(cell);
    this.#cells.push({ cell, plot, part: this.scope.child(), ready: false });
  }

  /** @param {{ plot: Plot; part: Scope; ready: boolean }} entry @param {number} i */
  #wire(entry, i) {
    const { plot, part } = entry;
    entry.ready = true;
    plot.after(saveButtons(part, this.props.save, this.#saved(plot, i)));
    plot.on("plotly_hover", ({ points, event }) => this.#showCard(points[0], event));
    plot.on("plotly_unhover", () => (this.#card.hidden = true));
    plot.on("plotly_click", ({ points: [point] }) => {
      this.trigger("point_click", { id: point.customdata ?? null, x: point.x, y: point.y });
    });
  }

  /** @param {Plot} plot @param {number} i @returns {import("../parts/save_buttons.js").Saved} */
  #saved(plot, i) {
    const image = async (/** @type {"png" | "svg"} */ format) => {
      const { clientWidth: width, clientHeight: height } = plot;
      const scale = format === "png" ? 2 : 1;
      return (await this.#plotly?.toImage(plot, { format, width, height, scale })) ?? "";
    };
    return {
      name: () => `figure-${i + 1}`,
      canvas: async () => flatten([await loadImage(await image("png"))]),
      svg: async () => {
        const url = await image("svg");
        return decodeURIComponent(url.slice(url.indexOf(",") + 1));
      },
      csv: () => traceRows(plot.data),
    };
  }

  #theme() {
    const style = getComputedStyle(document.body);
    const color = (/** @type {string} */ name) => style.getPropertyValue(name).trim();
    return {
      ink: color("--body-text-color"),
      faint: color("--body-text-color-subdued"),
      line: color("--border-color-primary"),
      fill: color("--background-fill-primary"),
      font: getComputedStyle(this.root).fontFamily,
    };
  }

  /** @param {FigurePoint} point @param {MouseEvent} event */
  #showCard(point, event) {
    const content = this.value && cardContent(this.value, point);
    if (!content) return;
    const card = this.#card;
    card.replaceChildren(build("div", "cl-role", content.title), ...content.lines.map((line) => build("div", "", line)));
    card.hidden = false;
    const box = this.root.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const above = y - card.offsetHeight - 18;
    card.style.left = `${Math.min(Math.max(x - card.offsetWidth / 2, 0), box.width - card.offsetWidth)}px`;
    card.style.top = `${above > -40 ? above : y + 22}px`;
  }
}
