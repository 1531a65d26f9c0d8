// Loads what other tabs need ahead of its use. A classic script in the page's head. `MODULES`, `PLOTLY` and `PLOTLY_LOADER` come before
// it, from `links.py`.
//
// The page's head fetches the modules of the first tab. Those of the others follow at the first press or key, at once where the
// address names a state of the page, else while the reader reads: so Start does not wait for sixty files.
// plotly.js takes a second to start, in which the page stands still: it is loaded only while nothing moves.

(() => {
  const CHECK_EVERY_MS = 1000;
  const READING_MS = 2000; // since the last click or key
  let touched = 0;
  // @ts-ignore: declared by the lines that Python puts before this script
  let waiting = MODULES;
  for (const event of ["pointerdown", "keydown"]) {
    window.addEventListener(event, () => ((touched = performance.now()), loadModules()), true);
  }
  if (location.search.length > 1) loadModules();
  const timer = setInterval(() => {
    if (!isQuiet()) return;
    loadModules();
    clearInterval(timer);
    if (!document.querySelector("script[data-plotly]")) loadPlotly(); // else a chart was faster
  }, CHECK_EVERY_MS);

  // Something is drawn, no answer is awaited, nothing moves, and the reader reads.
  function isQuiet() {
    if (performance.now() - touched < READING_MS) return false;
    const moving = [...document.querySelectorAll("[data-moving]")].some((node) => node.checkVisibility?.() ?? true);
    const isDrawn = document.querySelector(".cl-root[data-filled]") !== null;
    return isDrawn && !moving && !document.querySelector("[aria-busy=true]");
  }

  function loadModules() {
    for (const address of waiting) {
      const link = document.createElement("link");
      link.rel = "modulepreload";
      link.href = address;
      document.head.append(link);
    }
    waiting = [];
  }

  function loadPlotly() {
    const url = (/** @type {string} */ file) => globalThis.contrastiveLink?.url(file) ?? file;
    // @ts-ignore: declared by the lines that Python puts before this script
    const [loader, library] = [url(PLOTLY_LOADER), url(PLOTLY)];
    import(loader).then(({ loadPlotly }) => loadPlotly(library)).catch(() => {}); // the first chart tries again
  }
})();
