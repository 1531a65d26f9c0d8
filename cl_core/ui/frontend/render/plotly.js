/** @import { FigurePoint, Trace } from "../types.js" */

/**
 * @typedef {object} PlotEvent
 * @property {FigurePoint[]} points
 * @property {MouseEvent} event
 */

/**
 * An element that Plotly draws into.
 *
 * @typedef {HTMLElement & { data: Trace[]; on: (name: string, handler: (event: PlotEvent) => void) => void }} Plot
 */

/**
 * What is used of plotly.js.
 *
 * @typedef {object} Plotly
 * @property {(plot: Plot, data: Trace[], layout: object, config: object) => Promise<unknown>} react
 * @property {(plot: Plot, options: object) => Promise<string>} toImage a data URL
 * @property {(plot: Plot) => void} purge
 * @property {{ resize: (plot: Plot) => void }} Plots
 */

/**
 * plotly.js, loaded once a page.
 *
 * @param {string} url
 * @returns {Promise<Plotly>}
 */
export function loadPlotly(url) {
  const loaded = () => /** @type {{ Plotly?: Plotly }} */ (globalThis).Plotly;
  const present = loaded();
  if (present) return Promise.resolve(present);
  return new Promise((resolve, reject) => {
    const failed = new Error("plotly.min.js did not load");
    const waiting = document.querySelector(`script[data-plotly]`);
    const script = waiting ?? Object.assign(document.createElement("script"), { src: url });
    script.addEventListener("load", () => {
      const plotly = loaded();
      if (plotly) resolve(plotly);
      else reject(failed);
    });
    script.addEventListener("error", () => {
      script.remove(); // the next figure tries again
      reject(failed);
    });
    if (waiting) return;
    script.setAttribute("data-plotly", "");
    document.head.append(script);
  });
}
