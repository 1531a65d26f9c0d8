const KEY = "contrastive-explorer-tour";

/**
 * The address of a step: it sets the controls.
 *
 * @param {{ link: Record<string, string> }[]} steps
 * @param {number} to from 1
 * @param {number} [number] of the step, where `steps` are not all
 */
export function stepAddress(steps, to, number = to) {
  return `?${new URLSearchParams({ ...steps[to - 1].link, tour: String(number) })}`;
}

/** @param {number} number of the step that was seen last */
export function rememberStep(number) {
  try {
    localStorage.setItem(KEY, String(number));
  } catch {
    // A frame may have no storage: then the tour begins with its first step.
  }
}

/** The step that was seen last; 1 at first. */
export function lastStep() {
  try {
    return Math.max(1, Math.trunc(Number(localStorage.getItem(KEY))) || 1);
  } catch {
    return 1;
  }
}
