// The number box of a slider while one types into it. A classic script in the page's head. Gradio sends every keystroke to
// Python, which refuses an empty box and the 0 of "0.5" where the least is 0.05: such a number waits until it is complete.

(() => {
  const boxOf = (/** @type {Event} */ { target }) =>
    target instanceof HTMLInputElement && target.dataset.testid === "number-input" ? target : null; // that of Gradio's sliders
  const isComplete = (/** @type {HTMLInputElement} */ box) =>
    box.value !== "" && !box.validity.rangeUnderflow && !box.validity.rangeOverflow;

  /** @type {WeakMap<HTMLInputElement, string>} */
  const last = new WeakMap(); // the last number that Gradio was given

  document.addEventListener("focusin", (event) => {
    const box = boxOf(event);
    if (box && isComplete(box)) last.set(box, box.value);
  });
  document.addEventListener(
    "input",
    (event) => {
      const box = boxOf(event);
      if (!box) return;
      if (isComplete(box)) last.set(box, box.value);
      else event.stopImmediatePropagation();
    },
    { capture: true },
  );
  // A box that is left has a number in range: the nearest one, or the last.
  document.addEventListener(
    "focusout",
    (event) => {
      const box = boxOf(event);
      if (!box || isComplete(box)) return;
      box.value = box.value === "" ? (last.get(box) ?? box.min) : box.validity.rangeUnderflow ? box.min : box.max;
      box.dispatchEvent(new Event("input", { bubbles: true }));
    },
    { capture: true },
  );
})();
