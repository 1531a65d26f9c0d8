import { Answers } from "./page.js";
import { Scope } from "./scope.js";

/** @import { Context, Mounted } from "../types.js" */

/**
 * Mount a component: `setup` builds its elements once and returns the function that draws a value. The component draws the
 * values that Python sends, shows why there is none in their place, and ends when its element leaves the document.
 *
 * @template Value
 * @template Extra
 * @param {Context<Value, Extra>} context as Gradio gives it
 * @param {(root: HTMLElement, scope: Scope) => (value: Value) => void | Promise<void> | null} setup what it returns fails where
 *   a file of the value cannot be loaded
 * @returns {Mounted<Value>}
 */
export function mountComponent({ element, props, watch }, setup) {
  const root = element.querySelector(".cl-root");
  if (!(root instanceof HTMLElement)) throw new Error("a component needs an element with the class cl-root");
  const scope = new Scope();
  // The module was loaded meanwhile: the element may be gone.
  if (!element.isConnected) scope.end();
  else scope.onDisconnect(element, () => scope.end());
  const update = scope.ended ? () => {} : setup(root, scope);
  const problem = document.createElement("p");
  problem.className = "cl-problem";
  problem.setAttribute("role", "alert");
  root.before(problem);
  const retry = Object.assign(document.createElement("button"), { type: "button", className: "cl-retry", textContent: props.retry });
  scope.onEnd(() => (root.replaceChildren(), problem.remove()));
  const answers = new Answers();
  let drawings = 0;
  const show = (/** @type {string} */ sentence, /** @type {Node[]} */ ...more) => {
    problem.replaceChildren(...(sentence ? [sentence] : []), ...more);
    root.toggleAttribute("data-failed", sentence !== "");
  };
  const draw = async (/** @type {Value} */ value) => {
    // Numbers of an earlier answer would stand under the name of another model.
    const own = (drawings += 1);
    show("");
    root.dataset.filled = "";
    try {
      await update(value);
    } catch (error) {
      if (scope.ended || own !== drawings) return; // another value took its place
      show(props.unloaded, retry);
      throw error; // the console has the reason
    }
  };
  scope.listen(retry, "click", () => void draw(/** @type {Value} */ (props.value)));
  const take = () => {
    const { value } = props;
    if (scope.ended) return;
    if (answers.accept(value)) {
      if (value?.problem === undefined) void draw(/** @type {Value} */ (value));
      else {
        drawings += 1;
        show(value.problem);
      }
    }
    const view = element.closest(".block")?.id;
    if (value?.turn && view) globalThis.contrastiveLink?.finish(view, value.turn);
  };
  watch("value", take);
  take();
  return { update, destroy: () => scope.end() };
}
