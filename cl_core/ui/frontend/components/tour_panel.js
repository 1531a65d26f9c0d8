// The tour: the step that the page's address names, beside the controls that the address has set.

import { mountComponent } from "../lib/component.js";
import { fill } from "../lib/formats.js";
import { readLink, writeLink } from "../lib/page.js";
import { rememberStep, stepAddress } from "../lib/tour.js";
import { build, buildButton, paragraphs } from "../render/dom.js";

/** @import { Scope } from "../lib/scope.js" */
/** @import { Context, Strings, TourStep } from "../types.js" */

/** @param {Context<{ steps: TourStep[] }, { strings: Strings }>} context */
export function mount(context) {
  return mountComponent(context, (root, scope) => {
    const { strings } = context.props;
    const next = scope.slot();
    return ({ steps }) => {
      const at = Number(readLink("tour"));
      if (!(Number.isInteger(at) && at >= 1 && at <= steps.length)) return;
      rememberStep(at < steps.length ? at : 1); // it is done, and may begin anew
      const part = next();
      makeRoom(part);
      root.replaceChildren(panel(part, strings, steps, at));
    };
  });
}

/** Shrink the page beside the panel, or let it scroll above; explanations are folded, so that the controls come first. @param {Scope} scope */
function makeRoom(scope) {
  const wide = matchMedia("(min-width: 1101px)");
  const place = () => {
    document.body.classList.toggle("touring-beside", wide.matches);
    document.body.classList.toggle("touring-below", !wide.matches);
  };
  place();
  scope.listen(wide, "change", place);
  const folded = [...document.querySelectorAll("details[data-fold][open]")];
  globalThis.contrastiveLink?.keepFolded(true);
  for (const details of folded) details.removeAttribute("open");
  scope.onEnd(() => {
    document.body.classList.remove("touring-beside", "touring-below");
    globalThis.contrastiveLink?.keepFolded(false);
    for (const details of folded) details.setAttribute("open", "");
  });
}

/** @param {Scope} scope ends when the reader leaves @param {Strings} strings @param {TourStep[]} steps @param {number} at the step, from 1 */
function panel(scope, strings, steps, at) {
  const step = steps[at - 1];
  const node = build("aside", "cl-tour");
  node.setAttribute("aria-label", strings.label);
  const head = build("div", "cl-tour-head");
  const leave = buildButton("cl-tour-button", strings.leave);
  const fold = buildButton("cl-tour-button cl-fold", "▾", strings.fold);
  head.append(build("span", "", fill(strings.step, { number: at, count: steps.length })), fold, leave);
  fold.setAttribute("aria-expanded", "true");
  scope.listen(fold, "click", () => {
    const folded = node.classList.toggle("cl-folded");
    fold.textContent = folded ? "▴" : "▾";
    fold.setAttribute("aria-expanded", String(!folded));
  });
  scope.listen(leave, "click", () => {
    writeLink("tour", null);
    scope.end();
    node.remove();
    /** @type {HTMLElement | null} */ (document.querySelector('[role="tab"][aria-selected="true"]'))?.focus({ preventScroll: true });
  });
  const answer = build("details", "");
  answer.append(build("summary", "", strings.answer), ...paragraphs(step.answer));
  const dots = build("nav", "cl-tour-dots");
  dots.setAttribute("aria-label", strings.steps);
  dots.append(...steps.map((each, i) => dot(each, i + 1, at)));
  const ways = build("div", "cl-tour-ways");
  if (at > 1) ways.append(way(steps, at - 1, strings.back, ""));
  if (at < steps.length) ways.append(way(steps, at + 1, strings.next, "cl-next"));
  /** @param {string} name @param {string} text */
  const part = (name, text) => [build("h3", "", strings[name]), ...paragraphs(text)];
  const parts = [...part("do", step.do), ...part("notice", step.notice), ...part("question", step.question)];
  node.append(head, dots, build("h2", "", step.title), ...parts, answer, ways);
  return node;
}

/** @param {TourStep[]} steps @param {number} to @param {string} text @param {string} className */
function way(steps, to, text, className) {
  const link = build("a", className, text);
  link.href = stepAddress(steps, to);
  return link;
}

/** @param {TourStep} step @param {number} number @param {number} at */
function dot(step, number, at) {
  const link = build("a", number < at ? "cl-done" : "");
  link.href = stepAddress([step], 1, number);
  link.setAttribute("aria-label", `${number}. ${step.title}`);
  if (number === at) link.setAttribute("aria-current", "step");
  return link;
}
