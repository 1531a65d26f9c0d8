// Rows of captioned images. `element`, `props`, `watch` and `trigger` come from Gradio.
function card(item, row, position) {
  const node = build("button", "cl-item");
  node.type = "button";
  node.title = item.caption;
  const image = document.createElement("img");
  image.src = item.src;
  image.alt = item.caption;
  node.append(image, build("span", "cl-caption", item.caption), build("span", "cl-note", item.note || ""));
  node.addEventListener("click", () => trigger("image_click", { row, item: position, id: item.id }));
  return node;
}

function draw(value) {
  if (!value.rows || value.rows.length === 0) {
    root.replaceChildren(...(value.empty ? [build("p", "cl-empty", value.empty)] : []));
    return;
  }
  root.replaceChildren(...value.rows.map((row, r) => {
    const section = build("section", "cl-row");
    const heading = build("div", "cl-heading");
    heading.append(build("h3", "cl-title", row.title), build("span", "cl-hint", row.hint || ""));
    const items = build("div", "cl-items");
    items.append(...row.items.map((item, i) => card(item, r, i)));
    section.append(heading, items);
    return section;
  }));
}

onAnswer(draw);
