// Rows of captioned images, such as nearest neighbors in several spaces.

import { mountComponent } from "../lib/component.js";
import { BottomSheet } from "../parts/bottom_sheet.js";
import { build, buildButton, buildImage } from "../render/dom.js";

/** @import { Context, RowsValue } from "../types.js" */

const IN_ONE_LINE = 16; // on a narrow page more images are wrapped instead of scrolled

/** @param {Context<RowsValue, { sheet: boolean; clickable: boolean }>} context */
export function mount(context) {
  return mountComponent(context, (root, scope) => {
    /** @type {RowsValue["rows"]} */
    let rows = [];
    /** @type {{ key: string; node: HTMLElement }[]} */
    let sections = [];
    const content = build("div", "cl-rows");
    const sheet = new BottomSheet(scope, context.props.close, content);
    root.replaceChildren(sheet.node);
    scope.listen(root, "click", (event) => {
      const target = /** @type {HTMLElement} */ (event.target);
      const button = /** @type {HTMLElement | null} */ (target.closest("button.cl-item, button.cl-remove"));
      if (!button) return;
      const [row, item] = [Number(button.dataset.row), Number(button.dataset.item)];
      if (rows[row].items[item].id === null) return;
      const name = button.classList.contains("cl-remove") ? "item_remove" : "image_click";
      context.trigger(name, { row, item, id: rows[row].items[item].id });
    });
    return (value) => {
      const focused = content.contains(document.activeElement) ? /** @type {HTMLElement} */ (document.activeElement) : null;
      rows = value.rows;
      root.toggleAttribute("data-more", Boolean(value.more));
      root.toggleAttribute("data-gray", Boolean(value.gray));
      const empty = value.empty ? [build("p", "cl-empty", value.empty)] : [];
      const before = sections;
      sections = rows.map((row, r) => {
        const key = JSON.stringify([row, value.remove]);
        return before[r]?.key === key ? before[r] : { key, node: rowSection(row, r, context.props.clickable, value.remove) };
      });
      // What has not changed keeps focus and scroll position.
      if (!sections.length) content.replaceChildren(...empty);
      else if (before.length !== sections.length) content.replaceChildren(...sections.map(({ node }) => node));
      else sections.forEach(({ node }, r) => node !== before[r].node && before[r].node.replaceWith(node));
      if (focused && document.activeElement !== focused) {
        if (focused.isConnected) focused.focus({ preventScroll: true }); // its row was taken out and put back
        else focusSame(content, focused);
      }
      if (rows.length && context.props.sheet) sheet.open();
      else sheet.close();
    };
  });
}

/**
 * @param {RowsValue["rows"][number]} row
 * @param {number} r its position
 * @param {boolean} clickable whether a click on an image does something
 * @param {string} [remove] name of the button that takes an image away
 */
function rowSection(row, r, clickable, remove) {
  const section = build("section", "cl-row");
  const heading = build("div", "cl-heading");
  heading.append(build("h2", "cl-title", row.title), build("span", "cl-hint", row.hint));
  const items = build("div", "cl-items");
  const frames = row.items.map((item, i) => {
    const frame = item.id === null || !clickable ? build("div", "cl-item") : buildButton("cl-item", "");
    frame.title = item.caption;
    Object.assign(frame.dataset, { row: r, item: i });
    const shown = item.pair ? [item, item.pair] : [item];
    const images = build("span", "cl-images");
    images.append(...shown.map(({ src, caption }) => buildImage(src, caption)));
    const captions = [...new Set(shown.map(({ caption }) => caption))];
    frame.append(images, build("span", "cl-caption", captions.join(" · ")), build("span", "cl-note", item.note));
    if (item.detail) frame.append(build("span", "cl-detail", item.detail));
    return frame;
  });
  items.append(...frames.map((frame, i) => (remove && row.items[i].id !== null ? withRemove(frame, `${remove}: ${row.items[i].caption}`) : frame)));
  items.dataset.row = String(r);
  items.classList.toggle("cl-pairs", row.items.some(({ pair }) => pair));
  items.classList.toggle("cl-many", row.items.length > IN_ONE_LINE);
  if (!frames.some((frame) => frame instanceof HTMLButtonElement)) {
    items.tabIndex = 0; // what scrolls can be scrolled with the keyboard
    items.setAttribute("role", "group");
    items.setAttribute("aria-label", row.title);
  }
  section.append(heading, items);
  return section;
}

/**
 * @param {HTMLElement} frame of an image
 * @param {string} label
 */
function withRemove(frame, label) {
  const cell = build("div", "cl-cell");
  const button = buildButton("cl-remove", "×", label);
  Object.assign(button.dataset, frame.dataset);
  cell.append(frame, button);
  return cell;
}

/**
 * Focus the button, or the row, at the place of one that was drawn anew, or the last one before.
 *
 * @param {HTMLElement} content
 * @param {HTMLElement} gone
 */
function focusSame(content, gone) {
  if (gone.classList.contains("cl-items")) {
    const rows = [.../** @type {NodeListOf<HTMLElement>} */ (content.querySelectorAll(".cl-items"))];
    (rows[Number(gone.dataset.row)] ?? rows.at(-1))?.focus({ preventScroll: true });
    return;
  }
  const kind = gone.classList.contains("cl-remove") ? "cl-remove" : "cl-item";
  const buttons = [.../** @type {NodeListOf<HTMLElement>} */ (content.querySelectorAll(`button.${kind}[data-row="${gone.dataset.row}"]`))];
  (buttons.find((each) => Number(each.dataset.item) >= Number(gone.dataset.item)) ?? buttons.at(-1))?.focus({ preventScroll: true });
}
