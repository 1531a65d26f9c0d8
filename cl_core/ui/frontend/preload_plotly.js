// plotly.js takes a second to start, in which the page stands still: it is loaded while the reader looks at something that does
// not move, before the first tab with a chart. A classic script in the page's head. `PLOTLY` and `PLOTLY_LOADER` come before it, from `links.py`.

(() => {
  const CHECK_EVERY_MS = 1000;
  const READING_MS = 2000; // since the last click or key
  let touched = 0;
  for (const event of ["pointerdown", "keydown"]) window.addEventListener(event, () => (touched = performance.now()), true);
  const timer = setInterval(() => {
    if (document.querySelector("script[data-plotly]")) clearInterval(timer); // a chart was faster
    else if (isQuiet()) load();
  }, CHECK_EVERY_MS);

  // Something is drawn, no answer is awaited, nothing moves, and the reader reads.
  function isQuiet() {
    if (performance.now() - touched < READING_MS) return false;
    const moving = [...document.querySelectorAll("[data-moving]")].some((node) => node.checkVisibility?.() ?? true);
    const isDrawn = document.querySelector(".cl-root[data-filled]") !== null;
    return isDrawn && !moving && !document.querySelector("[aria-busy=true]");
  }

  function load() {
    clearInterval(timer);
    const url = (/** @type {string} */ file) => globalThis.contrastiveLink?.url(file) ?? file;
    // @ts-ignore: declared by the lines that Python puts before this script
    const [loader, library] = [url(PLOTLY_LOADER), url(PLOTLY)];
    import(loader).then(({ loadPlotly }) => loadPlotly(library)).catch(() => {}); // the first chart tries again
  }
})();
