// Queries to begin with: examples to click, a pad to draw on, and the way back to the query before.

import { mountComponent } from "../lib/component.js";
import { fill } from "../lib/formats.js";
import { readLink } from "../lib/page.js";
import { Chips } from "../parts/chips.js";
import { DrawingPad } from "../parts/drawing_pad.js";
import { build, buildButton, buildImage, prefersStillness } from "../render/dom.js";

/** @import { Scope } from "../lib/scope.js" */
/** @import { Context, QueriesValue, Strings } from "../types.js" */
/** @typedef {Context<QueriesValue, { strings: Strings; upload: string; answers: string }>} QueriesContext */

const NARROW = 720; // CSS pixels
const TRIES = 60; // frames in which the upload shows its input again

/** @param {QueriesContext} context */
export function mount(context) {
  return mountComponent(context, (root, scope) => {
    const { strings } = context.props;
    const queries = new Queries(scope, context);
    const grid = build("div", "cl-examples");
    const pad = new DrawingPad(scope, strings, (file) => void queries.ask(file));
    const choices = ["examples", "draw"].map((value) => ({ value, text: strings[value] }));
    const choose = (/** @type {string} */ name) => {
      grid.hidden = name !== "examples";
      pad.node.hidden = name !== "draw";
    };
    const tabs = new Chips(scope, strings.begin, choices, choose, { labelHidden: true });
    choose("examples");
    root.replaceChildren(queries.back, tabs.node, grid, pad.node);
    let shown = "";
    return ({ examples }) => {
      const first = examples[0]?.src ?? "";
      if (first === shown) return;
      shown = first;
      grid.replaceChildren(...examples.map((each) => exampleButton(scope, strings, queries, each)));
      queries.forget();
    };
  });
}

/** @param {Scope} scope @param {Strings} strings @param {Queries} queries @param {QueriesValue["examples"][number]} example */
function exampleButton(scope, strings, queries, { src, kind, name }) {
  const button = buildButton("cl-example", "", fill(strings[`kind.${kind}`], { name }));
  button.append(buildImage(src));
  scope.listen(button, "click", () => void queries.ask(fileOf(src, "example.png")));
  return button;
}

/** @param {string} url @param {string} name */
async function fileOf(url, name) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: ${response.status}`);
  const blob = await response.blob();
  return new File([blob], name, { type: blob.type });
}

/** Asks with files through the upload, as a person would, and remembers what was asked before an answer was clicked. */
class Queries {
  back;
  /** @type {{ src: string; name: string }[]} */ #earlier = [];
  /** The query under way, and how many frames the upload has left to take it. */
  #asked = { file: /** @type {File | null} */ (null), tries: 0 };
  #asks = 0;
  #putSoon;
  #context;

  /** @param {Scope} scope @param {QueriesContext} context */
  constructor(scope, context) {
    this.#context = context;
    this.#putSoon = scope.frame(() => this.#put());
    this.back = buildButton("cl-act", context.props.strings.back);
    this.back.hidden = true;
    scope.listen(this.back, "click", () => this.#goBack());
    // Before the answers' own listener makes the clicked image the query.
    const noteClicks = (/** @type {Event} */ event) => {
      const answer = /** @type {HTMLElement} */ (event.target).closest(`#${context.props.answers} button.cl-item`);
      if (answer) this.#remember();
    };
    scope.listen(document, "click", noteClicks, { capture: true });
  }

  /** Another data set has other queries. */
  forget() {
    this.#earlier = [];
    this.back.hidden = true;
  }

  #remember() {
    this.#asks += 1; // the answer is the query now
    const image = document.querySelector(`#${this.#context.props.upload} img`);
    const src = image instanceof HTMLImageElement ? image.src : "";
    this.#earlier.push({ src, name: readLink("query") ?? "" });
    this.back.hidden = false;
  }

  async #goBack() {
    this.#asks += 1;
    const query = this.#earlier.pop();
    const first = this.back.parentElement?.querySelector("input:checked");
    if (!this.#earlier.length && document.activeElement === this.back && first instanceof HTMLElement) first.focus();
    this.back.hidden = !this.#earlier.length;
    if (!query) return;
    const byName = () => this.#context.trigger("ask", { name: query.name });
    if (query.src) await this.ask(fileOf(query.src, "query.png")).catch(byName); // uploads are deleted after a while
    else byName();
  }

  /** On a narrow page they are below. */
  #showAnswers() {
    if (window.innerWidth > NARROW) return;
    document.getElementById(this.#context.props.answers)?.scrollIntoView({ behavior: prefersStillness() ? "auto" : "smooth" });
  }

  /** Ask with a file; one that comes after a later question is not asked any more. @param {File | Promise<File>} coming */
  async ask(coming) {
    const own = (this.#asks += 1);
    try {
      const file = await coming;
      if (own !== this.#asks) return;
      this.#asked = { file, tries: TRIES };
    } catch (error) {
      if (own === this.#asks) throw error;
      return;
    }
    this.#putSoon();
  }

  /** Put the query into the upload, which shows its input some frames after its image was removed. */
  #put() {
    const { upload } = this.#context.props;
    const { file, tries } = this.#asked;
    if (!file || !tries) return;
    const input = document.querySelector(`#${upload} input[type=file]`);
    if (input instanceof HTMLInputElement) {
      const transfer = new DataTransfer();
      transfer.items.add(file);
      this.#asked.file = null;
      input.files = transfer.files;
      input.dispatchEvent(new Event("change", { bubbles: true }));
      this.#showAnswers();
      return;
    }
    const remove = document.querySelector(`#${upload} button[aria-label="Remove Image"]`);
    if (remove instanceof HTMLElement && tries === TRIES) remove.click();
    this.#asked.tries -= 1;
    this.#putSoon();
  }
}
