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
 * @param {(root: HTMLElement, scope: Scope) => (value: Value) => void} setup
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
  scope.onEnd(() => (root.replaceChildren(), problem.remove()));
  const answers = new Answers();
  const take = () => {
    const { value } = props;
    if (scope.ended) return;
    if (answers.accept(value)) {
      // Numbers of an earlier answer would stand under the name of another model.
      problem.textContent = value?.problem ?? "";
      root.toggleAttribute("data-failed", value?.problem !== undefined);
      if (value?.problem === undefined) {
        update(/** @type {Value} */ (value));
        root.dataset.filled = "";
      }
    }
    const view = element.closest(".block")?.id;
    if (value?.turn && view) globalThis.contrastiveLink?.finish(view, value.turn);
  };
  watch("value", take);
  take();
  return { update, destroy: () => scope.end() };
}
