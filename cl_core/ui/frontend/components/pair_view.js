// One image and its views, with the crops drawn on it.

import { mountComponent } from "../lib/component.js";
import { build, buildImage } from "../render/dom.js";

/** @import { Context, PairValue } from "../types.js" */

/** @param {Context<PairValue>} context */
export function mount(context) {
  return mountComponent(context, (root) => ({ original, views }) => {
    const first = imageFigure(original.src, original.caption);
    const others = views.map((view) => {
      const [left, top, width, height] = view.box;
      const box = build("div", "cl-box");
      box.style.cssText = `left:${left}%;top:${top}%;width:${width}%;height:${height}%`;
      box.style.borderColor = view.color;
      first.frame.append(box);
      const { figure, frame } = imageFigure(view.src, view.caption);
      frame.style.borderColor = view.color;
      const steps = build("ul", "cl-steps");
      steps.append(...view.lines.map((line) => build("li", "", line)));
      figure.append(steps);
      return figure;
    });
    root.replaceChildren(first.figure, ...others);
  });
}

/**
 * @param {string} src
 * @param {string} caption
 */
function imageFigure(src, caption) {
  const figure = build("figure", "cl-figure");
  const frame = build("div", "cl-frame");
  frame.append(buildImage(src, caption));
  figure.append(frame, build("figcaption", "cl-caption", caption));
  return { figure, frame };
}
