/** @import { Scope } from "../lib/scope.js" */

/**
 * Let a link open a tab of this page; with Ctrl, Cmd or Shift the browser opens it elsewhere.
 *
 * @param {Scope} scope
 * @param {HTMLAnchorElement} link
 * @param {string} tab
 */
export function leadToTab(scope, link, tab) {
  link.href = `?tab=${tab}`;
  scope.listen(link, "click", (event) => {
    const { ctrlKey, metaKey, shiftKey } = /** @type {MouseEvent} */ (event);
    if (ctrlKey || metaKey || shiftKey) return;
    event.preventDefault();
    globalThis.contrastiveLink?.goTo(tab);
  });
}
