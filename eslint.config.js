import js from "@eslint/js";

const FRONTEND = "cl_core/ui/frontend";
const BROWSER = [
  ...["AbortController", "Event", "EventTarget", "HTMLElement", "HTMLInputElement", "Image", "ImageData", "MutationObserver"],
  ...["Node", "ResizeObserver", "ShadowRoot", "URL", "URLSearchParams", "Blob", "DOMParser", "atob", "fetch"],
  ...["cancelAnimationFrame", "clearInterval", "clearTimeout", "document", "getComputedStyle", "history", "localStorage"],
  ...["location", "matchMedia", "navigator", "performance", "requestAnimationFrame", "setInterval", "setTimeout", "window"],
];
const readonly = (names) => Object.fromEntries(names.map((name) => [name, "readonly"]));

const rules = {
  "no-unused-vars": ["error", { argsIgnorePattern: "^_" }],
  "prefer-const": "error",
  "no-var": "error",
  eqeqeq: "error",
  "no-implicit-globals": "error",
  "no-restricted-properties": [
    "error",
    { property: "innerHTML", message: "Text reaches the page by textContent: names from outside cannot become markup." },
    { property: "outerHTML", message: "Text reaches the page by textContent: names from outside cannot become markup." },
  ],
};

export default [
  js.configs.recommended,
  { linterOptions: { reportUnusedDisableDirectives: "error" } },
  { files: ["**/*.js"], rules },
  {
    // Modules hold no state: two instances of a component live on one page.
    files: [`${FRONTEND}/{lib,render,parts,components}/**/*.js`],
    ignores: ["**/*.test.js"],
    languageOptions: { globals: readonly(BROWSER) },
    rules: {
      "no-restricted-syntax": [
        "error",
        { selector: "Program > VariableDeclaration[kind='let']", message: "Modules hold no state." },
        { selector: "Program > VariableDeclaration NewExpression[callee.name=/^(Map|Set|WeakMap|WeakSet)$/]", message: "Modules hold no state." },
      ],
    },
  },
  {
    files: [`${FRONTEND}/**/*.test.js`],
    languageOptions: { globals: readonly(["Buffer", "Event", "EventTarget", "performance"]) },
  },
  {
    files: [`${FRONTEND}/links.js`],
    languageOptions: { sourceType: "script", globals: readonly([...BROWSER, "RENAMED", "RENAMED_VALUES"]) },
  },
];
