// Rows of captioned images, such as nearest neighbors in several spaces.

import { mountComponent } from "../lib/component.js";
import { BottomSheet } from "../parts/bottom_sheet.js";
import { build, buildButton } from "../render/dom.js";

/** @import { Context, RowsValue } from "../types.js" */

/** @param {Context<RowsValue, { sheet: boolean }>} context */
export function mount(context) {
  return mountComponent(context, (root, scope) => {
    /** @type {RowsValue["rows"]} */
    let rows = [];
    const content = build("div", "cl-rows");
    const sheet = new BottomSheet(scope, context.props.close, content);
    root.replaceChildren(sheet.node);
    scope.listen(root, "click", (event) => {
      const button = /** @type {HTMLElement | null} */ (/** @type {HTMLElement} */ (event.target).closest("button.cl-item"));
      if (!button) return;
      const [row, item] = [Number(button.dataset.row), Number(button.dataset.item)];
      if (rows[row].items[item].id === null) return;
      context.trigger("image_click", { row, item, id: rows[row].items[item].id });
    });
    return (value) => {
      rows = value.rows;
      const empty = value.empty ? [build("p", "cl-empty", value.empty)] : [];
      content.replaceChildren(...(rows.length ? rows.map(rowSection) : empty));
      if (rows.length && context.props.sheet) sheet.open();
      else sheet.close();
    };
  });
}

/**
 * @param {RowsValue["rows"][number]} row
 * @param {number} r its position
 */
function rowSection(row, r) {
  const section = build("section", "cl-row");
  const heading = build("div", "cl-heading");
  heading.append(build("h2", "cl-title", row.title), build("span", "cl-hint", row.hint));
  const items = build("div", "cl-items");
  const frames = row.items.map((item, i) => {
    const frame = item.id === null ? build("div", "cl-item") : buildButton("cl-item", "");
    frame.title = item.caption;
    Object.assign(frame.dataset, { row: r, item: i });
    const image = Object.assign(document.createElement("img"), { src: item.src, alt: item.caption });
    frame.append(image, build("span", "cl-caption", item.caption), build("span", "cl-note", item.note));
    if (item.detail) frame.append(build("span", "cl-detail", item.detail));
    return frame;
  });
  items.append(...frames);
  if (!frames.some((frame) => frame instanceof HTMLButtonElement)) {
    items.tabIndex = 0; // what scrolls can be scrolled with the keyboard
    items.setAttribute("role", "group");
    items.setAttribute("aria-label", row.title);
  }
  section.append(heading, items);
  return section;
}
