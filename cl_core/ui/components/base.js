// Comes before every component's own script. `element` comes from Gradio.
const root = element.querySelector(".cl-root");

function build(tag, className, text) {
  const node = document.createElement(tag);
  node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

