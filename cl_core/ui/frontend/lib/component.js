import { Failure } from "./failure.js";
import { Answers } from "./page.js";
import { Scope } from "./scope.js";

/** @import { Context, Mounted } from "../types.js" */

/**
 * What Python sent: JSON, for Gradio's page copies other values part by part.
 *
 * @template Value
 * @param {{ readonly value: Value | string | null }} props
 * @returns {Value | null}
 */
export function valueOf({ value }) {
  if (typeof value !== "string") return value;
  return value ? JSON.parse(value) : null; // Gradio writes an empty text where there is no value
}

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
  let failed = /** @type {Value | null} */ (null);
  const failure = new Failure(scope, props, () => draw(/** @type {Value} */ (failed), true));
  root.before(failure.node);
  scope.onEnd(() => (root.replaceChildren(), failure.node.remove()));
  const answers = new Answers();
  let drawings = 0;
  const draw = async (/** @type {Value} */ value, again = false) => {
    const own = (drawings += 1);
    if (!again) failure.show("");
    root.removeAttribute("data-failed");
    root.dataset.filled = "";
    try {
      await update(value);
      if (again && own === drawings) failure.end(root);
    } catch (error) {
      if (scope.ended || own !== drawings) return; // another value took its place
      // Numbers of an earlier answer would stand under the name of another model.
      failed = value;
      failure.showUnloaded();
      root.dataset.failed = "";
      throw error; // the console has the reason
    }
  };
  const take = () => {
    if (scope.ended) return;
    const value = valueOf(props);
    if (answers.accept(value)) {
      if (value?.problem === undefined) void draw(/** @type {Value} */ (value));
      else {
        drawings += 1;
        failure.show(value.problem);
        root.dataset.failed = "";
      }
    }
    const view = element.closest(".block")?.id;
    if (value?.turn && view) globalThis.contrastiveLink?.finish(view, value.turn);
  };
  watch("value", take);
  take();
  return { update, destroy: () => scope.end() };
}
