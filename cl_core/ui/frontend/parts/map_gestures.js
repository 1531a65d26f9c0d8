import { DIRECTIONS } from "../lib/geometry.js";
import { isShortcut } from "../render/dom.js";

/** @import { Scope } from "../lib/scope.js" */

const CLICK_DISTANCE = 4; // CSS pixels that the pointer may move during a click

/**
 * What pointer, wheel and keys do on a map. Places are CSS pixels in the frame.
 *
 * @typedef {object} MapHandlers
 * @property {(x: number, y: number) => void} hover
 * @property {() => void} leave
 * @property {(x: number, y: number) => void} click
 * @property {(dx: number, dy: number) => void} pan
 * @property {(factor: number, x?: number, y?: number) => void} zoom around the middle, where no place is given
 * @property {() => boolean} lassoing whether dragging draws a lasso
 * @property {(path: number[][] | null) => void} lasso the path so far; null when it ends
 * @property {(path: number[][]) => void} select
 * @property {(direction: [number, number]) => void} step to the next point
 * @property {(key: "Enter" | "Space" | "Escape" | "0") => boolean} key whether it was of use
 */

/**
 * @param {Scope} scope
 * @param {HTMLElement} frame
 * @param {MapHandlers} handlers
 */
export function handleGestures(scope, frame, handlers) {
  /** @type {Map<number, [number, number]>} */
  const fingers = new Map();
  /** @type {{ from: [number, number]; moved: boolean } | null} */
  let drag = null;
  /** @type {number[][] | null} */
  let path = null;

  /** @param {MouseEvent} event @returns {[number, number]} */
  const placeOf = (event) => {
    const box = frame.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const distance = (/** @type {number[]} */ a, /** @type {number[]} */ b) => Math.hypot(a[0] - b[0], a[1] - b[1]);

  scope.listen(
    frame,
    "wheel",
    (event) => {
      event.preventDefault();
      handlers.zoom(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0016)), ...placeOf(event));
    },
    { passive: false },
  );
  scope.listen(frame, "pointerdown", (event) => {
    if (event.button) return; // the right one opens the browser's menu
    frame.setPointerCapture(event.pointerId);
    const place = placeOf(event);
    fingers.set(event.pointerId, place);
    drag = { from: place, moved: false };
    if (handlers.lassoing() || event.shiftKey) path = [place];
  });
  scope.listen(frame, "pointermove", (event) => {
    const place = placeOf(event);
    const before = fingers.get(event.pointerId);
    if (!before || !drag) {
      handlers.hover(...place);
      return;
    }
    if (fingers.size === 2) {
      const other = [...fingers].find(([id]) => id !== event.pointerId)?.[1] ?? place;
      handlers.zoom(distance(place, other) / Math.max(1, distance(before, other)), ...other);
      drag.moved = true;
    } else if (path) {
      path.push(place);
      handlers.lasso(path);
    } else {
      if (distance(place, drag.from) > CLICK_DISTANCE) drag.moved = true;
      handlers.pan(place[0] - before[0], place[1] - before[1]);
    }
    fingers.set(event.pointerId, place);
  });
  const lift = (/** @type {PointerEvent} */ event) => {
    if (!fingers.delete(event.pointerId)) return;
    const [start] = path ?? [];
    const still = path ? path.every((place) => distance(place, start) <= CLICK_DISTANCE) : drag !== null && !drag.moved;
    if (path) {
      if (!still) handlers.select(path);
      path = null;
      handlers.lasso(null);
    }
    if (still && fingers.size === 0) handlers.click(...placeOf(event));
    const [left] = fingers.values();
    drag = left ? { from: left, moved: true } : null; // after a pinch the finger that stays moves the map
  };
  scope.listen(frame, "pointerup", lift);
  scope.listen(frame, "pointercancel", (event) => {
    fingers.delete(event.pointerId);
    drag = null;
    if (path) handlers.lasso(null);
    path = null;
  });
  scope.listen(frame, "pointerleave", (event) => {
    if (event.pointerType !== "touch" && !fingers.size) handlers.leave(); // after a tap the name of its image stays
  });
  scope.listen(frame, "blur", () => handlers.leave());
  scope.listen(frame, "keydown", (event) => {
    if (isShortcut(event)) return;
    const direction = DIRECTIONS[event.key];
    if (direction && event.shiftKey) handlers.pan(-60 * direction[0], -60 * direction[1]);
    else if (direction) handlers.step(direction);
    else if (event.key === "+" || event.key === "=") handlers.zoom(1.3);
    else if (event.key === "-") handlers.zoom(1 / 1.3);
    else if (event.key === " ") {
      if (!handlers.key("Space")) return;
    } else if (event.key === "Enter" || event.key === "Escape" || event.key === "0") handlers.key(event.key);
    else return;
    event.preventDefault();
  });
}
