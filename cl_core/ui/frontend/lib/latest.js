/** @import { Scope } from "./scope.js" */

/**
 * A function that draws one value at a time: a value that is drawn already is kept, and one that is still being prepared
 * is dropped when another comes.
 *
 * @template Value
 * @param {Scope} scope
 * @param {(value: Value) => string} keyOf equal for values that look the same
 * @param {(part: Scope, value: Value) => Promise<void>} draw leaves the page alone once `part` has ended
 * @returns {(value: Value) => Promise<void> | null} the drawing, which fails where a file cannot be loaded; null if the value is
 *   drawn already
 */
export function drawLatest(scope, keyOf, draw) {
  const part = scope.slot();
  let drawn = "";
  return (value) => {
    const key = keyOf(value);
    if (key === drawn) return null;
    drawn = "";
    const own = part();
    const drawing = draw(own, value);
    drawing.then(
      () => {
        if (!own.ended) drawn = key;
      },
      () => {}, // the same value may be drawn again
    );
    return drawing;
  };
}
