/** @import { Scope } from "./scope.js" */

/**
 * A function that draws one value at a time: a value that is drawn already is kept, and one that is still being prepared
 * is dropped when another comes.
 *
 * @template Value
 * @param {Scope} scope
 * @param {(value: Value) => string} keyOf equal for values that look the same
 * @param {(part: Scope, value: Value) => Promise<void>} draw leaves the page alone once `part` has ended
 * @returns {(value: Value) => boolean} true if it draws the value, false if that is drawn already
 */
export function drawLatest(scope, keyOf, draw) {
  const part = scope.slot();
  let drawn = "";
  return (value) => {
    const key = keyOf(value);
    if (key === drawn) return false;
    drawn = "";
    const own = part();
    draw(own, value).then(
      () => {
        if (!own.ended) drawn = key;
      },
      () => {}, // such as a sheet that cannot be loaded: the same value may be drawn again
    );
    return true;
  };
}
