import js from "@eslint/js";

const FRONTEND = "cl_core/ui/frontend";
const BROWSER = [
  ...["AbortController", "Event", "EventTarget", "HTMLElement", "HTMLButtonElement", "HTMLImageElement", "HTMLInputElement", "Image", "ImageData"],
  ...["DataTransfer", "Element", "File", "MutationObserver"],
  ...["Node", "ResizeObserver", "ShadowRoot", "URL", "URLSearchParams", "Blob", "FormData", "TextEncoder", "XMLHttpRequest", "DOMParser", "atob", "fetch"],
  ...["cancelAnimationFrame", "clearInterval", "clearTimeout", "document", "getComputedStyle", "history", "localStorage"],
  ...["location", "matchMedia", "navigator", "performance", "requestAnimationFrame", "setInterval", "setTimeout", "window"],
];
const readonly = (names) => Object.fromEntries(names.map((name) => [name, "readonly"]));

const noMarkup = {
  selector: "AssignmentExpression[left.property.name=/^(inner|outer)HTML$/]",
  message: "Text reaches the page by textContent: names from outside cannot become markup.",
};
const noState = [
  "Program > VariableDeclaration[kind='let']",
  "Program > VariableDeclaration NewExpression[callee.name=/^(Map|Set|WeakMap|WeakSet)$/]",
].map((selector) => ({ selector, message: "Modules hold no state: two instances of a component live on one page." }));

const rules = {
  "no-unused-vars": ["error", { argsIgnorePattern: "^_" }],
  "prefer-const": "error",
  "no-var": "error",
  eqeqeq: "error",
  "no-implicit-globals": "error",
};

export default [
  js.configs.recommended,
  { linterOptions: { reportUnusedDisableDirectives: "error" } },
  { files: ["**/*.js"], rules },
  {
    files: [`${FRONTEND}/{lib,render,parts,components}/**/*.js`],
    ignores: ["**/*.test.js"],
    languageOptions: { globals: readonly(BROWSER) },
    rules: { "no-restricted-syntax": ["error", noMarkup, ...noState] },
  },
  {
    files: [`${FRONTEND}/**/*.test.js`],
    languageOptions: { globals: readonly(["Blob", "Buffer", "Event", "EventTarget", "performance"]) },
  },
  {
    files: [`${FRONTEND}/links.js`, `${FRONTEND}/tooltips.js`, `${FRONTEND}/numbers.js`, `${FRONTEND}/preload.js`],
    languageOptions: { sourceType: "script", globals: readonly([...BROWSER, "MODULES", "PLOTLY", "PLOTLY_LOADER", "RENAMED", "RENAMED_VALUES"]) },
  },
];
