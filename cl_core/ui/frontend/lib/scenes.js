import { pointColors } from "./colors.js";
import { decode } from "./decode.js";
import { extentOf, interpolate, readPoints } from "./points.js";
import { snappedLayouts } from "./snap.js";
import { around } from "./timeline.js";

/** @import { MapValue, Scene, SnapshotsValue } from "../types.js" */

const AS_POINTS = { side: 0, source: null, moved: 0 };

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
    regions: value.regions,
    ...AS_POINTS,
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
  const { groupNames, regions } = value;
  return { points, layouts, extent: extentOf(layouts), ...pointColors(value), groupNames, about: "", regions, ...AS_POINTS };
}

/**
 * A scene whose points stand as images beside each other and fill a frame. Distances on a map have no unit, so it may be wider
 * than high.
 *
 * @param {Scene} scene
 * @param {number} width of the frame
 * @param {number} height
 * @returns {Scene}
 */
export function snappedScene(scene, width, height) {
  const { layouts, side, moved } = snappedLayouts(scene.layouts, width, height);
  // The frame is from -1 to 1 down, as `Viewport` has it.
  const half = height / 2;
  const centered = layouts.map(({ xs, ys }) => ({ xs: xs.map((x) => (x - width / 2) / half), ys: ys.map((y) => (y - half) / half) }));
  return {
    ...scene,
    layouts: centered,
    points: { xs: centered[0].xs.slice(), ys: centered[0].ys.slice() },
    extent: { across: width / height, down: 1 },
    side: side / half,
    source: scene,
    moved,
  };
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
