// Takes a folder, several images or an archive, and sends them in one upload.

import { mountComponent } from "../lib/component.js";
import { choose, filesOf } from "../lib/dropped.js";
import { fill } from "../lib/formats.js";
import { tarOf } from "../lib/tar.js";
import { build, buildButton, buildInput } from "../render/dom.js";

/** @import { Chosen } from "../lib/dropped.js" */
/** @import { Scope } from "../lib/scope.js" */
/** @import { Entry } from "../lib/tar.js" */
/** @import { Context, Strings } from "../types.js" */
/** @typedef {Context<object, { strings: Strings; most: number; upload: string; language: string }>} DropContext */

const MEGABYTE = 1e6;

/** @param {DropContext} context */
export function mount(context) {
  return mountComponent(context, (root, scope) => {
    const drop = new Drop(scope, context);
    root.replaceChildren(drop.zone, drop.status);
    return () => {};
  });
}

class Drop {
  zone = build("div", "cl-drop");
  status = build("div", "cl-drop-status");
  #scope;
  #context;
  /** @type {XMLHttpRequest | null} */ #request = null;
  #text = build("p", "cl-drop-text");
  #bar = build("progress", "cl-drop-bar");
  #stop;

  /** @param {Scope} scope @param {DropContext} context */
  constructor(scope, context) {
    const { strings } = context.props;
    this.#scope = scope;
    this.#context = context;
    const folder = this.#chooser(strings.folder, { webkitdirectory: "", multiple: "" });
    const files = this.#chooser(strings.files, { multiple: "" });
    this.zone.append(build("p", "cl-drop-title", strings.drop), build("p", "cl-drop-about", strings.about), folder, files);
    this.#stop = buildButton("cl-act", strings.stop);
    this.#text.setAttribute("role", "status");
    this.#bar.max = 1;
    this.#bar.setAttribute("aria-label", strings.sending_label);
    this.status.append(this.#text, this.#bar, this.#stop);
    this.#say("", false);
    scope.listen(this.#stop, "click", () => this.#request?.abort());
    scope.onEnd(() => this.#request?.abort());
    const over = (/** @type {boolean} */ is) => this.zone.classList.toggle("cl-over", is);
    for (const name of /** @type {const} */ (["dragenter", "dragover"])) {
      scope.listen(this.zone, name, (event) => {
        event.preventDefault();
        over(true);
      });
    }
    scope.listen(this.zone, "dragleave", () => over(false));
    scope.listen(this.zone, "drop", (event) => {
      event.preventDefault();
      over(false);
      // Entries must be taken before the first wait.
      const items = [...(event.dataTransfer?.items ?? [])].map((item) => item.webkitGetAsEntry());
      this.#take(async () => filesOf(items.filter((item) => item !== null)));
    });
  }

  /** A button that opens the browser's dialog. @param {string} label @param {Record<string, string>} attributes */
  #chooser(label, attributes) {
    const input = buildInput({ type: "file", ...attributes }, label);
    const button = buildButton("cl-act cl-main", label);
    input.hidden = true;
    this.#scope.listen(button, "click", () => input.click());
    this.#scope.listen(input, "change", () => {
      const files = [...(input.files ?? [])];
      input.value = "";
      this.#take(async () => files.map((file) => ({ path: file.webkitRelativePath || file.name, file })));
    });
    const both = build("span", "cl-drop-choice");
    both.append(button, input);
    return both;
  }

  /** @param {() => Promise<Entry[]>} read */
  async #take(read) {
    const { strings, most } = this.#context.props;
    if (this.#request) return;
    this.#say(strings.reading, false);
    let chosen;
    try {
      chosen = choose(await read());
    } catch {
      return this.#say(strings.unreadable, false);
    }
    if (this.#request || this.#scope.ended) return; // something else was dropped meanwhile
    if (!chosen) return this.#say(strings.nothing, false);
    const whole = chosen.kind === "images" ? tarOf(chosen.entries) : chosen.entries[0].file;
    if (whole.size > most) {
      const sizes = { size: Math.ceil(whole.size / MEGABYTE), most: Math.floor(most / MEGABYTE) };
      return this.#say(fill(strings.large, sizes), false);
    }
    this.#send(chosen, whole);
  }

  /** @param {Chosen} chosen @param {Blob} whole */
  #send(chosen, whole) {
    const { strings, upload } = this.#context.props;
    const { kind, title, entries } = chosen;
    const count = entries.length.toLocaleString(this.#context.props.language);
    const label = kind === "images" ? fill(strings.sending, { count }) : fill(strings.sending_archive, { name: entries[0].path });
    const form = new FormData();
    // Gradio puts equal files of one name into one place; another visitor may send the same ones.
    form.append("files", whole, `images-${Math.random().toString(36).slice(2)}`);
    const request = new XMLHttpRequest();
    this.#request = request;
    this.#say(label, true);
    request.upload.onprogress = ({ loaded, total }) => {
      this.#bar.value = total ? loaded / total : 0;
    };
    const end = (/** @type {string} */ text) => {
      this.#request = null;
      if (!this.#scope.ended) this.#say(text, false);
    };
    request.onabort = () => end(strings.stopped);
    request.onerror = () => end(strings.lost);
    request.onload = () => {
      const answer = parse(request.responseText);
      if (request.status !== 200 || !Array.isArray(answer)) return end(answer?.detail || strings.lost);
      end(chosen.left ? fill(strings.sent_left, { left: chosen.left }) : strings.sent);
      return this.#context.trigger("uploaded", { path: String(answer[0]), title });
    };
    request.open("POST", globalThis.contrastiveLink?.url(upload) ?? upload);
    request.send(form);
  }

  /** @param {string} text @param {boolean} busy */
  #say(text, busy) {
    const held = busy ? this.zone.contains(document.activeElement) : document.activeElement === this.#stop;
    this.#text.textContent = text;
    this.#bar.hidden = this.#stop.hidden = !busy;
    if (busy) this.#bar.value = 0;
    this.zone.inert = busy;
    if (held) (busy ? this.#stop : this.zone.querySelector("button"))?.focus();
  }
}

/** @param {string} text */
function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
