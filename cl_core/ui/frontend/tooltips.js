// What a term or a number means, where the pointer, the focus or a tap is. A classic script in the page's head: it serves all
// elements with `data-hint`, those of components and those that Python writes.

(() => {
  const SHOW_AFTER_MS = 150; // the pointer only passes over many
  const MARGIN = 8; // CSS pixels to the edge of the page

  /** @type {HTMLElement | null} */
  let bubble = null;
  /** @type {Element | null} */
  let shownFor = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let waiting;

  const termOf = (/** @type {Event} */ event) => (event.target instanceof Element ? event.target.closest("[data-hint]") : null);

  function show(/** @type {Element} */ term) {
    clearTimeout(waiting);
    if (!(term instanceof HTMLElement) || !term.isConnected) return;
    if (!bubble) {
      bubble = document.createElement("div");
      bubble.className = "hint";
      bubble.setAttribute("role", "tooltip");
      document.body.append(bubble);
    }
    shownFor = term;
    bubble.textContent = term.dataset.hint ?? "";
    bubble.hidden = false;
    const [box, own] = [term.getBoundingClientRect(), bubble.getBoundingClientRect()];
    const left = Math.min(window.innerWidth - own.width - MARGIN, Math.max(MARGIN, box.left));
    const below = box.bottom + 6 + own.height < window.innerHeight;
    bubble.style.left = `${left + window.scrollX}px`;
    bubble.style.top = `${(below ? box.bottom + 6 : box.top - own.height - 6) + window.scrollY}px`;
  }

  function hide() {
    clearTimeout(waiting);
    shownFor = null;
    if (bubble) bubble.hidden = true;
  }

  document.addEventListener("pointerover", (event) => {
    const term = termOf(event);
    clearTimeout(waiting);
    if (!term) hide();
    else if (term !== shownFor && event.pointerType === "mouse") waiting = setTimeout(() => show(term), SHOW_AFTER_MS);
  });
  document.addEventListener("focusin", (event) => {
    const term = termOf(event);
    if (term) show(term);
    else hide();
  });
  document.addEventListener("click", (event) => {
    const term = termOf(event);
    if (term) show(term);
    else hide();
  });
  document.addEventListener("focusout", hide);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") hide();
  });
  // A key that moves the focus scrolls to it: the hint follows.
  const follow = () => {
    if (shownFor && shownFor === document.activeElement) show(shownFor);
    else hide();
  };
  document.addEventListener("scroll", follow, { capture: true, passive: true });
})();
