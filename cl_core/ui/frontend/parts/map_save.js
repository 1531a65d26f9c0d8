import { mapRows, mapSvg } from "../lib/map_export.js";
import { flatten } from "../render/canvas.js";
import { paperShape } from "../render/dom.js";

/** @import { MapPlane } from "./map_plane.js" */

/**
 * What can be saved of a map.
 *
 * @param {MapPlane} plane
 * @param {{ map: () => string; point: (index: number) => string }} naming
 * @returns {import("./save_buttons.js").Saved}
 */
export function savedMap(plane, naming) {
  const { canvas } = plane;
  return {
    name: naming.map,
    canvas: () => flatten([canvas.base, canvas.overlay], getComputedStyle(plane.node).backgroundColor), // the ground of the images
    svg: () => {
      const page = { width: canvas.base.width, height: canvas.base.height, background: paperShape() };
      return mapSvg(canvas.places, plane.scene?.colors ?? new Uint32Array(0), page, plane.visible, naming.point);
    },
    csv: () => (plane.scene ? mapRows(plane.scene.source ?? plane.scene, naming.point, plane.selected) : []),
  };
}
