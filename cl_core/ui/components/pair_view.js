// One original and its views. `element`, `props` and `watch` come from Gradio.
function figure(src, caption) {
  const node = build("figure", "cl-figure");
  const frame = build("div", "cl-frame");
  const image = document.createElement("img");
  image.src = src;
  image.alt = caption;
  frame.append(image);
  node.append(frame, build("figcaption", "cl-caption", caption));
  return node;
}

function draw(value) {
  if (!value.original) return;
  const original = figure(value.original.src, value.original.caption);
  const views = value.views.map((view) => {
    const box = build("div", "cl-box");
    const [left, top, width, height] = view.box;
    box.style.cssText = `left:${left}%;top:${top}%;width:${width}%;height:${height}%;border-color:${view.color}`;
    original.firstChild.append(box);
    const node = figure(view.src, view.caption);
    node.firstChild.style.borderColor = view.color;
    const list = build("ul", "cl-steps");
    list.append(...view.lines.map((text) => build("li", "", text)));
    node.append(list);
    return node;
  });
  root.replaceChildren(original, ...views);
}

onAnswer(draw);
