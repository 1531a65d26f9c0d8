import { pointColors } from "./colors.js";
import { decode } from "./decode.js";
import { extentOf, interpolate, readPoints } from "./points.js";
import { around } from "./timeline.js";

/** @import { MapValue, Scene, SnapshotsValue } from "../types.js" */

/**
 * The finished run's points.
 *
 * @param {MapValue} value
 * @returns {Scene}
 */
export function finishedScene(value) {
  const points = readPoints(decode(value.points, Int16Array), 0, value.count);
  return {
    points,
    layouts: [points],
    extent: extentOf([points]),
    ...pointColors(value),
    groupNames: value.groupNames,
    about: value.score?.about ?? "",
  };
}

/**
 * The points of a run's snapshots, at the first one.
 *
 * @param {SnapshotsValue} value
 * @returns {Scene}
 */
export function snapshotScene(value) {
  const numbers = decode(value.points, Int16Array);
  const layouts = value.epochs.map((_, s) => readPoints(numbers, s * value.count, value.count));
  const points = { xs: layouts[0].xs.slice(), ys: layouts[0].ys.slice() };
  return { points, layouts, extent: extentOf(layouts), ...pointColors(value), groupNames: value.groupNames, about: "" };
}

/**
 * Move a scene's points to a position between its snapshots.
 *
 * @param {Scene} scene
 * @param {number} position
 */
export function moveScene(scene, position) {
  const { low, high, fraction } = around(position, scene.layouts.length);
  interpolate(scene.layouts[low], scene.layouts[high], fraction, scene.points);
}

/**
 * What colors a point: its group or its score.
 *
 * @param {Scene} scene
 * @param {number} index
 */
export function detailOf({ groups, groupNames, score }, index) {
  if (groups) return groupNames[groups[index]];
  return score && Number.isFinite(score[index]) ? score[index].toFixed(3) : "–";
}
