/**
 * What must end with a component: listeners, observers, frames, timers and parts. `end` stops all of it.
 */
export class Scope {
  #controller = new AbortController();
  /** @type {Set<() => void>} */
  #cleanups = new Set();

  get ended() {
    return this.#controller.signal.aborted;
  }

  /** Aborted at the end; for `fetch`. */
  get signal() {
    return this.#controller.signal;
  }

  end() {
    if (this.ended) return;
    this.#controller.abort();
    for (const cleanup of this.#cleanups) cleanup();
    this.#cleanups.clear();
  }

  /**
   * Call `cleanup` at the end.
   *
   * @param {() => void} cleanup
   * @returns {() => void} forgets it
   */
  onEnd(cleanup) {
    if (this.ended) cleanup();
    else this.#cleanups.add(cleanup);
    return () => this.#cleanups.delete(cleanup);
  }

  /** A scope for a part that may end before this one, and ends with it. */
  child() {
    const part = new Scope();
    part.onEnd(this.onEnd(() => part.end()));
    return part;
  }

  /** A function that gives a new part at each call, and ends the one before. */
  slot() {
    /** @type {Scope | null} */
    let part = null;
    return () => {
      part?.end();
      part = this.child();
      return part;
    };
  }

  /**
   * `target.addEventListener` until the end.
   *
   * @template {keyof HTMLElementEventMap} Name
   * @param {EventTarget} target
   * @param {Name} name
   * @param {(event: HTMLElementEventMap[Name]) => void} handler
   * @param {AddEventListenerOptions} [options]
   */
  listen(target, name, handler, options) {
    target.addEventListener(name, /** @type {EventListener} */ (handler), { ...options, signal: this.signal });
  }

  /**
   * Call `handler` when the size of an element changes, and once at first.
   *
   * @param {Element} element
   * @param {() => void} handler
   */
  onResize(element, handler) {
    const observer = new ResizeObserver(() => handler());
    observer.observe(element);
    this.onEnd(() => observer.disconnect());
  }

  /**
   * Call `handler` when the page turns light or dark.
   *
   * @param {() => void} handler
   */
  onThemeChange(handler) {
    const observer = new MutationObserver(() => handler());
    observer.observe(document.body, { attributes: true, attributeFilter: ["class"] });
    this.onEnd(() => observer.disconnect());
  }

  /**
   * A function that asks for one call of `draw` with the next frame, however often it is called before.
   *
   * @param {() => void} draw
   */
  frame(draw) {
    /** @type {number | null} */
    let waiting = null;
    this.onEnd(() => {
      if (waiting !== null) cancelAnimationFrame(waiting);
    });
    return () => {
      if (waiting !== null || this.ended) return;
      waiting = requestAnimationFrame(() => {
        waiting = null;
        draw();
      });
    };
  }

  /**
   * As `frame`, but after the next frame is painted: what takes long then does not delay what the frame shows.
   *
   * @param {() => void} work
   */
  afterFrame(work) {
    /** @type {ReturnType<typeof setTimeout> | null} */
    let waiting = null;
    this.onEnd(() => {
      if (waiting !== null) clearTimeout(waiting);
    });
    return this.frame(() => {
      waiting ??= setTimeout(() => {
        waiting = null;
        work();
      });
    });
  }

  /**
   * A function that asks for one call of `work` after a delay; a second request starts the delay again.
   *
   * @param {number} milliseconds
   * @param {() => void} work
   */
  later(milliseconds, work) {
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let waiting;
    this.onEnd(() => clearTimeout(waiting));
    return () => {
      clearTimeout(waiting);
      if (!this.ended) waiting = setTimeout(work, milliseconds);
    };
  }

  /**
   * Call `handler` once the element is no longer in the document, however it got out. Gradio has no event for it.
   *
   * @param {Element} element in the document
   * @param {() => void} handler
   */
  onDisconnect(element, handler) {
    // Only the children of its ancestors are watched: what changes elsewhere on the page costs nothing.
    const observer = new MutationObserver(() => {
      if (element.isConnected) watchAncestors();
      else handler();
    });
    const watchAncestors = () => {
      observer.disconnect();
      for (let node = parentOf(element); node; node = parentOf(node)) observer.observe(node, { childList: true });
    };
    watchAncestors();
    this.onEnd(() => observer.disconnect());
  }
}

/**
 * @param {Node} node
 * @returns {Node | null} a shadow root's parent is its host
 */
function parentOf(node) {
  return node.parentNode ?? (node instanceof ShadowRoot ? node.host : null);
}
