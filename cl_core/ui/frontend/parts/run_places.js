import { RUN_PLACES, runPlacesShapes } from "../lib/charts.js";
import { build, buildSvg, paperShape } from "../render/dom.js";
import { saveButtons } from "./save_buttons.js";

/** @import { Scope } from "../lib/scope.js" */
/** @import { Place, Strings } from "../types.js" */

/**
 * The runs of a data set in the plane of uniformity and tolerance; nothing where no run has both.
 *
 * @param {Scope} scope
 * @param {Strings} strings
 * @param {Strings} saveStrings
 * @param {Place[]} places
 * @returns {HTMLElement[]}
 */
export function runPlaces(scope, strings, saveStrings, places) {
  const measured = places.filter((place) => place.uniformity !== null && place.tolerance !== null);
  if (!measured.length) return [];
  const numbers = /** @type {(Place & { uniformity: number; tolerance: number })[]} */ (measured);
  const { uniformity, tolerance, uniformity_axis, tolerance_axis } = strings;
  const shapes = runPlacesShapes(numbers, { uniformity, tolerance, uniformity_axis, tolerance_axis });
  const svg = buildSvg(RUN_PLACES.width, RUN_PLACES.height, shapes, strings.places);
  const plane = build("div", "cl-plane");
  plane.append(svg);
  const save = saveButtons(scope, saveStrings, {
    name: () => "uniformity-tolerance",
    svg: () => {
      const copy = /** @type {Element} */ (svg.cloneNode(true)); // away from the page it inherits no color and no font
      copy.setAttribute("color", getComputedStyle(plane).color);
      copy.setAttribute("font-family", "sans-serif");
      copy.insertAdjacentHTML("afterbegin", paperShape());
      return copy.outerHTML;
    },
    csv: () => [["run", "uniformity", "tolerance"], ...numbers.map((place) => [place.name, place.uniformity, place.tolerance])],
  });
  return [build("h2", "cl-title", strings.places), build("p", "cl-about", strings.places_about), plane, save];
}
