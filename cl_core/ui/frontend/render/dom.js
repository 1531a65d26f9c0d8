// Elements. Text reaches the page by `textContent`: names from outside cannot become markup.

import { parseEmphasis, parseScripts } from "../lib/formats.js";
import { escapeXml, svgText } from "../lib/svg.js";

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {string} [className]
 * @param {string} [text]
 */
export function build(tag, className = "", text = "") {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text) node.textContent = text;
  return node;
}

/**
 * @param {string} src
 * @param {string} [alt] what it shows; empty where the text beside it says so
 */
export function buildImage(src, alt = "") {
  return Object.assign(build("img"), { src, alt });
}

/**
 * @param {string} className
 * @param {string} text
 * @param {string} [label] for screen readers and the pointer, where the text is a sign
 */
export function buildButton(className, text, label) {
  const button = build("button", className, text);
  button.type = "button";
  if (label) {
    button.title = label;
    button.setAttribute("aria-label", label);
  }
  return button;
}

/**
 * Let an element explain itself where the pointer, the focus or a tap is: `tooltips.js` shows it.
 *
 * @param {HTMLElement} node
 * @param {string} hint
 */
export function explain(node, hint) {
  node.dataset.hint = hint;
  node.setAttribute("aria-description", hint);
  if (!node.matches("button, a")) node.tabIndex = 0;
}

/**
 * @param {Record<string, string>} attributes
 * @param {string} [label] for screen readers
 */
export function buildInput(attributes, label) {
  const input = document.createElement("input");
  for (const [name, value] of Object.entries(attributes)) input.setAttribute(name, value);
  if (label) input.setAttribute("aria-label", label);
  return input;
}

/**
 * A name for a group of radio buttons that no other group on the page has.
 *
 * @param {string} prefix
 */
export function uniqueName(prefix) {
  return `${prefix}-${Math.random().toString(36).slice(2)}`;
}

/**
 * Paragraphs of a text with **strong** and *emphasized* parts.
 *
 * @param {string} text
 */
export function paragraphs(text) {
  return parseEmphasis(text).map((parts) => {
    const node = build("p", "cl-paragraph");
    node.append(...parts.map((part) => (part.tag ? build(part.tag, "", part.text) : part.text)));
    return node;
  });
}

/**
 * A text such as "s_{ij}/t" or "e^{x}".
 *
 * @param {string} text
 */
export function withScripts(text) {
  const node = build("span");
  node.append(...parseScripts(text).map((part) => (part.tag ? build(part.tag, "", part.text) : part.text)));
  return node;
}

/**
 * A drawing as an element of the page; the arguments are those of `svgText`.
 *
 * @param {number} width
 * @param {number} height
 * @param {string[]} shapes
 * @param {string} [label]
 */
export function buildSvg(width, height, shapes, label) {
  const text = svgText(width, height, shapes, label);
  return document.importNode(new DOMParser().parseFromString(text, "image/svg+xml").documentElement, true);
}

/** The page's background color. */
export function paperColor() {
  return getComputedStyle(document.body).getPropertyValue("--background-fill-primary").trim() || "#ffffff";
}

/** The page's background as a shape, for a drawing that is saved. */
export function paperShape() {
  return `<rect width="100%" height="100%" fill="${escapeXml(paperColor())}"/>`;
}

/** Whether the reader asks for less motion. */
export function prefersStillness() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}

/** Whether a pressed key is a shortcut of the browser or the system. @param {KeyboardEvent} event */
export function isShortcut({ ctrlKey, metaKey, altKey }) {
  return ctrlKey || metaKey || altKey;
}
