import { build, buildButton, explain, withScripts } from "../render/dom.js";

/** @import { FormulaNode } from "../types.js" */

/**
 * A formula as elements; a term is a button that carries its column.
 *
 * @param {FormulaNode[]} nodes
 * @returns {HTMLElement[]}
 */
export function formulaElements(nodes) {
  return nodes.map(formulaElement);
}

/** @param {FormulaNode} node @returns {HTMLElement} */
function formulaElement(node) {
  switch (node.kind) {
    case "term": {
      const button = buildButton(`cl-term ${node.positive ? "cl-is-positive" : "cl-is-negative"}`, "");
      button.dataset.column = String(node.column);
      explain(button, node.hint);
      button.append(withScripts(node.text));
      return button;
    }
    case "fraction": {
      const fraction = build("span", "cl-fraction");
      const [above, below] = [build("span", "cl-above"), build("span", "cl-below")];
      above.append(...formulaElements(node.top));
      below.append(...formulaElements(node.bottom));
      fraction.append(above, below);
      return fraction;
    }
    case "stop": {
      const stop = build("abbr", "cl-stop", "sg");
      explain(stop, node.hint);
      return stop;
    }
    case "break":
      return build("br");
    case "result":
      return build("strong", "cl-result", node.text);
    case "number":
      return withScripts(node.text);
    default:
      return build("span", `cl-${node.kind}`, node.text); // sign, rest, note
  }
}
