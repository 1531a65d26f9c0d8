// Shapes of what Python sends, and of what the modules hand to each other. Arrays in base64 are little-endian, row by row.

import type { Sheet } from "./render/sheet.js";

/** Texts by key, in the page's language; {placeholders} are filled in by the browser. */
export type Strings = Record<string, string>;

// --- components ------------------------------------------------------------------------------------------------------

/** What Gradio gives to a component. */
export interface Context<Value, Extra = object> {
  element: HTMLElement;
  /** What Python sends; `value` is JSON, or null before the first answer. */
  props: Extra & { readonly value: (Value & Numbered) | Numbered | string | null; readonly save: Strings; readonly close: string; readonly unloaded: string; readonly retry: string };
  /** Fire an event that Python handles. */
  trigger: (event: string, data: object) => void;
  /** Call back when Python changes a prop. */
  watch: (names: string | string[], callback: () => void) => void;
}

/** An answer carries the number of the call that asked for it; one that failed carries the reason instead of a value. */
export interface Numbered {
  turn?: number;
  problem?: string;
}

export interface Mounted<Value> {
  update: (value: Value) => void;
  destroy: () => void;
}

/** What `links.js` puts on the page. */
export interface PageLink {
  get(name: string): string | null;
  set(name: string, value: unknown, fallback: unknown): void;
  url(path: string): string;
  /** Let the reader fold the explanation in an element, and remember it. */
  fold(element: HTMLElement): void;
  /** Whether explanations are folded when they come, and what the reader folds is not remembered. */
  keepFolded(keep: boolean): void;
  /** A number that no call had before. */
  nextTurn(): number;
  start(view: string, label: string): number;
  finish(view: string, turn: number): void;
  goTo(tab: string): void;
  restore(titles: Strings): void;
  tabOpened(name: string, first: string): number;
  sharedChanged(values: unknown[], names: string[], due: number[]): number[];
}

declare global {
  var contrastiveLink: PageLink | undefined;
  var contrastiveLanguage: ((language: string) => void) | undefined;
  var contrastiveTheme: (() => void) | undefined;
  var gradio_config: { root?: string } | undefined;
}

// --- images ----------------------------------------------------------------------------------------------------------

/** A sheet of equally large square images, row by row. */
export interface Sprites {
  url: string;
  columns: number;
  count: number;
  /** The color on which the images stand, where the sheet leaves it out. */
  ground: "" | "white" | "black";
}

/** The first view: how many images, their sheet, and the address of what else it shows. */
export interface StartValue {
  /** Of the tour; the door to it leads to the step that was seen last. */
  steps: { link: Record<string, string> }[];
  count: number;
  sprites: Sprites;
  file: string;
}

/** A step of the tour; `link` holds what the controls are set to. */
export interface TourStep {
  link: Record<string, string>;
  title: string;
  do: string;
  notice: string;
  question: string;
  answer: string;
}

/** Images at their places over time. */
export interface StartFile {
  count: number;
  epochs: number[];
  /** Epoch by which half of the gain in kNN accuracy was reached; null where little was gained. */
  half: number | null;
  /** kNN accuracy at each snapshot, 0 to 1. */
  accuracy: (number | null)[];
  /** (epochs, count, 2) int16. */
  points: string;
  /** Rows of the images in the data set. */
  rows: number[];
  names: string[];
  regions: Region[];
}

export interface ImageValue {
  src: string;
  caption: string;
}

/** Queries to begin a search with. */
export interface QueriesValue {
  examples: { src: string; kind: string; name: string }[];
}

/** Keys of a bank, a queue or a batch: base64. */
export interface KeysValue {
  /** int16 (K,), the image of each key. */
  instances: string;
  /** int16 (K,), updates of the weights since each was computed. */
  ages: string;
  /** float32 (K,), of each key and the one that the current weights give for the same view. */
  cosines: string;
}

export interface KeysAt {
  instances: Int16Array;
  ages: Int16Array;
  cosines: Float32Array;
}

export interface KeysViewValue {
  sprites: Sprites;
  file: string;
}

/** Where keys come from: runs that differ in it. */
export interface KeysFile {
  names: string[];
  /** At which the keys are known, the same for all. */
  steps: number[];
  /** The snapshot to begin with. */
  first: number;
  paradigms: ParadigmValue[];
}

export interface ParadigmValue {
  name: string;
  label: string;
  about: string;
  knn: number;
  snapshots: (KeysValue & { step: number; consistency: number; low: number; high: number; lag: number | null })[];
}

/** One step of training. */
export interface KeyStepValue {
  sprites: Sprites;
  names: string[];
  paradigm: string;
  paradigms: { name: string; label: string; kind: "batch" | "bank" | "queue" }[];
  number: number;
  most: number;
  step: number;
  lr: number;
  loss: number;
  chance: number;
  gradient: number;
  temperature: number;
  before: KeysValue & { places: string };
  /** float32 (K,), the cosines of `before` after the update. */
  updated: string;
  after: KeysValue & { places: string };
  consistency: { before: number; updated: number; after: number };
  /** int16 (N,), images of the batch. */
  batch: string;
  anchors: (ImageValue & { own: number; loss: number })[];
  /** float32 (A, K) */
  cosines: string;
  weights: string;
}

/** Rounds of k-means or EM on a map. */
export interface ClusterValue extends Numbered {
  sprites: Sprites;
  /** Address of the names of the images. */
  names: string;
  count: number;
  clusters: number;
  kind: "kmeans" | "mixture";
  /** int16 (count, 2) */
  points: string;
  steps: ClusterStep[];
  /** Whether the algorithm would go on after the last step. */
  cut: boolean;
  /** Agreement with the classes after the last step, 0 to 1; null without labels. */
  agreement: number | null;
}

export interface ClusterStep {
  kind: "expect" | "maximize";
  /** What falls: mean squared distance, or minus the mean log-likelihood. */
  objective: number;
  /** uint8 (count, clusters): how much of each point belongs to each cluster, of 255. */
  responsibilities: string;
  /** int16 (clusters,): the image nearest to each center. */
  nearest: string;
}

/** A batch for NCE and InfoNCE side by side. */
export interface NceValue extends Numbered {
  /** Of the views, and of images drawn from the whole data set. */
  sprites: Sprites;
  noise: Sprites;
  names: string[];
  views: number;
  /** float32 (V, V) */
  cosines: string;
  /** int16 (V, V - 1): of each anchor the positive, then the negatives in random order. */
  order: string;
  temperature: number;
  /** Whether the run was trained with that temperature. */
  trainedTemperature: boolean;
}

/** What a map learns from. */
export interface SpectrumValue extends Numbered {
  sprites: Sprites;
  count: number;
  /** int16 (count, 2): the first layout. */
  points: string;
  /** int16 (E, 2), pairs of neighbors in random order. */
  edges: string;
  /** int16 (count, K), the nearest neighbors of each image. */
  neighbors: string;
}

/** Why an answer is similar to the query. */
export interface WhyValue {
  query: ImageValue;
  answers: ImageValue[];
  /** Of the answer that is explained. */
  rank: number;
  /** Query and answer in full size. */
  images: string[];
  cosine: number;
  explanations: WhyExplanation[];
}

export interface WhyExplanation {
  kind: "split" | "occlusion" | "gradient";
  /** float32 (C, C) of the query and of the answer: what each part contributes. */
  maps: string[];
  /** Of the contributions, where it is the cosine. */
  sum: number | null;
  /** Means over both images, at equal steps from none to all parts; null for a large encoder. */
  curves: { deletion: number[]; insertion: number[]; random_deletion: number[]; random_insertion: number[]; gain: number } | null;
  /** Rank correlation with the maps of the untrained network. */
  untrained: number | null;
  /** The answers to the query without its most important quarter. */
  without: ImageValue[];
}

export interface PairValue {
  original: ImageValue;
  views: (ImageValue & { color: string; box: number[]; lines: string[] })[];
}

export interface RowsValue {
  rows: {
    title: string;
    hint?: string;
    items: (ImageValue & { note?: string; detail?: string; id?: number | string | null; pair?: ImageValue })[];
  }[];
  /** Name of a button on each image that takes it away; without it there is none. */
  remove?: string;
  /** The sentence where there are no rows. */
  empty?: string;
  /** Whether rows are still to come. */
  more?: boolean;
  /** Whether images are shown as a network sees them that converts to grayscale. */
  gray?: boolean;
}

// --- settings --------------------------------------------------------------------------------------------------------

export interface Setting {
  name: string;
  kind: "flag" | "whole" | "number" | "choice" | "text";
  default: string;
  low: number | null;
  high: number | null;
  /** Whether a bound itself is excluded. */
  above: boolean;
  below: boolean;
  choices: string[];
  hint: string;
}

export interface SettingGroup {
  title: string;
  /** That have these settings; empty for all. */
  methods: string[];
  settings: Setting[];
}

/** The method that is chosen, and the settings that differ from their defaults. */
export interface SettingsValue {
  method: string;
  given: Strings;
}

// --- figures ---------------------------------------------------------------------------------------------------------

export interface Trace {
  name?: string;
  x?: unknown;
  y?: unknown;
}

export interface Figure {
  data: Trace[];
  layout: { height?: number } & Record<string, unknown>;
}

export interface FiguresValue {
  figures: Figure[];
  label: string;
  /** "words": the card under the pointer shows `names` and `lines`, by a point's customdata. */
  card: string;
  names: string[];
  lines: string[];
}

export interface FigurePoint {
  x: unknown;
  y: unknown;
  customdata?: unknown;
}

export interface CardContent {
  title: string;
  lines: string[];
}

// --- losses ----------------------------------------------------------------------------------------------------------

export type FormKind =
  | "out" | "in" | "in-sum" | "views" | "ratio" | "hard" | "nce" | "sigmoid" | "cosine" | "correlation" | "covariance";

/** Which loss; `Form` in Python. */
export interface Form {
  kind: FormKind;
  temperature: number;
  log_z: number;
  log_kq: number;
  bias?: number;
  /** Concentration of the positives' weights; 0 or none: all are 1. */
  sigma?: number;
  hardness?: number;
  prior?: number;
  /** Of the entries off the diagonal of a correlation. */
  weight?: number;
}

/** A similarity matrix, flat, and which of its cells a loss compares. */
export interface Table {
  rows: number;
  columns: number;
  cosines: Float32Array | Float64Array;
  positive: Uint8Array;
  negative: Uint8Array;
  /** Weights of the positives, where they are not those of this table alone. */
  weights?: Float64Array;
  /** Each cell's part of the loss and its gradient, where they are not computed from the cosines here. */
  given?: { contribution: Float32Array; gradient: Float32Array };
}

/** A loss taken apart: flat matrices, a term for each row. */
export interface Anatomy {
  scaled: Float64Array;
  logProbabilities: Float64Array;
  /** Adds up to the loss. */
  contribution: Float64Array;
  /** Derivative of the row's term by the cosine. */
  gradient: Float64Array;
  terms: Float64Array;
  /** Rows with a positive. */
  anchors: number;
  loss: number;
}

/** Means over the anchors. */
export interface Overview {
  loss: number;
  probability: number;
  effective: number;
  hardest: number;
  pull: number;
}

export type Stage = "cosine" | "scaled" | "mask" | "probability" | "log" | "mean" | "gradient";

export type FormulaNode =
  | { kind: "sign" | "number" | "rest" | "note" | "result"; text: string }
  | { kind: "term"; text: string; column: number; positive: boolean; hint: string }
  | { kind: "fraction"; top: FormulaNode[]; bottom: FormulaNode[] }
  | { kind: "stop"; hint: string }
  | { kind: "break" };

export interface Column {
  /** Its image in the sheet, or -1. */
  sprite: number;
  caption: string;
  /** Equal keys are the same candidate. */
  key: string;
}

/** One matrix as Python sends it. */
export interface PanelValue {
  name: string;
  rows: number;
  rowNames: string[];
  columns: Column[];
  /** float32 (R, C). */
  cosines: string;
  /** uint8 (R, C), positions in `roles`. */
  roles: string;
  form: Form;
  chance: number | null;
  /** Places in the sheet of the rows' images, where they are not the first ones in order. */
  rowSprites?: number[];
  /** float32 (R, C), see `Table.given`. */
  contribution?: string;
  gradient?: string;
}

export interface MicroscopeValue {
  panels: PanelValue[];
  roles: string[];
  roleNames: Strings;
  /** The sheet begins with the rows' images. */
  sprites: Sprites | null;
  measure: "cosine" | "dot" | "logit" | "correlation" | "covariance";
  /** {t} and {loss0}, {loss1} ... stand for the temperature and the loss of each matrix. */
  summary: string;
  /** Whether the temperature is part of the example, and cannot be moved. */
  fixed: boolean;
  /** Whether the run was trained with a temperature. */
  trainedTemperature: boolean;
}

/** A run in the plane of uniformity and tolerance. */
export interface Place {
  name: string;
  label: string;
  here: boolean;
  uniformity: number | null;
  tolerance: number | null;
}

export interface LabValue extends MicroscopeValue {
  places: Place[];
}

/** One matrix, ready to compute with. */
export interface Panel {
  name: string;
  rowNames: string[];
  columns: Column[];
  form: Form;
  chance: number | null;
  codes: Uint8Array;
  /** Negatives of the row's class. */
  falseNegative: Uint8Array;
  table: Table;
  /** The largest similarity that the loss looks at. */
  largest: number;
  rowSprites: number[];
  columnSprites: number[];
  pixels: Uint8ClampedArray<ArrayBuffer>;
}

/** Which cells of a matrix are framed. */
export interface CellFrames {
  positive: ArrayLike<number>;
  falseNegative: ArrayLike<number>;
}

/** Images at the sides of a matrix: a sprite's number for each row and column. */
export interface CellImages {
  sheet: Sheet;
  rows: number[];
  columns: number[];
}

// --- maps ------------------------------------------------------------------------------------------------------------

export interface Points {
  xs: Float32Array;
  ys: Float32Array;
}

export interface PointColors {
  /** 0xAABBGGRR each. */
  colors: Uint32Array;
  groups: Uint16Array | null;
  score: Float32Array | null;
  /** The ends of the scale of scores. */
  low: number;
  high: number;
}

interface Colored {
  /** uint8 (N,), or null where a score colors the points. */
  groups: string | null;
  groupNames: string[];
}

export interface MapValue extends Colored {
  /** The model, the space and the projection. */
  name: string;
  label: string;
  count: number;
  /** int16 (N, 2). */
  points: string;
  sprites: Sprites;
  /** Address of a JSON list. */
  names: string;
  /** Points to mark. */
  batch: number[];
  regions: Region[];
  /** How well the map keeps neighbors. */
  note: string;
  /** What colors the points. */
  coloring: string;
  snapshots: SnapshotsValue | null;
  /** values: float32 (N,). */
  score: { values: string; about: string } | null;
}

export interface SnapshotsValue extends Colored {
  count: number;
  epochs: number[];
  sprites: Sprites;
  /** Themselves, or the address of a JSON list. */
  names: string[] | string;
  /** int16 (S, N, 2). */
  points: string;
  /** At the last snapshot. */
  regions: Region[];
  /** What is shown, and how its places were computed. */
  note: string;
  /** Whether all images can be laid out over time, which takes a while. */
  canLayOut: boolean;
  /** Points in the matrix of cosines. */
  cells: number[];
  /** int8 (S, M, M), in 127ths. */
  cosines: string;
  /** [epoch, value] each; the level is that of a model that has learned nothing. */
  loss: number[][];
  chance: number | null;
  std: number[][];
  even: number | null;
}

/** The neighbors of a point of the map, nearest first. */
export interface NeighborLines {
  from: number;
  to: number[];
  cosines: number[];
}

export interface TwinMapsValue {
  maps: { name: string; points: string }[];
  count: number;
  groups: string;
  groupNames: string[];
  sprites: Sprites;
  names: string;
}

/** What is on the plane of a map now. */
export interface Scene extends PointColors {
  points: Points;
  /** The points at each snapshot. */
  layouts: Points[];
  extent: { across: number; down: number };
  groupNames: string[];
  /** What the score is. */
  about: string;
  regions: Region[];
  /** Where every point stands as an image, on a cell of its own: the side of a cell; 0 where points are drawn. */
  side: number;
  /** The points before they moved to their cells. */
  source: Scene | null;
  /** How far they moved on average, in cells. */
  moved: number;
}

/** A place of a map where one class is the majority: the point in its middle. */
export interface Region {
  point: number;
  name: string;
}
