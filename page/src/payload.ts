// What the page is given: findings as JSON values, and what is said of each of N inputs as columns.
// arcal's tests hold what it writes against these types.

export type Verdict = "over-confident" | "under-confident" | "not shown" | "too few";

/** A figure with its 95 % interval and the number of inputs it rests on; null is "unknown". */
export interface Estimate {
  value: number | null;
  low: number | null;
  high: number | null;
  n: number;
}

/** The figures of a level, a class, a cell of both or a group of inputs. `gap` is confidence minus accuracy. */
export interface Group {
  name: string;
  n: number;
  accuracy: Estimate;
  confidence: number | null;
  gap: Estimate;
  ece: Estimate;
  error_share: number | null;
  few: boolean;
  verdict: Verdict;
}

export interface Level extends Group {
  /** Least and greatest distance; the greatest is null where no boundary was found. */
  distance?: [number | null, number | null] | null;
}

/** The figures of one class, by its number, in one level, from 0. */
export interface Cell extends Group {
  class: number;
  level: number;
}

/** The groups of the inputs by one column of the data. */
export interface Grouping {
  name: string;
  groups: Group[];
}

/** One bin (low, high] of a reliability diagram, with the interval of its accuracy. */
export interface Bin {
  low: number;
  high: number;
  count: number;
  accuracy: number | null;
  confidence: number | null;
  accuracy_low: number | null;
  accuracy_high: number | null;
  verdict: Verdict;
}

/** The inputs to which a class is given a probability in (low, high], and how many are of it. */
export interface ProbabilityBin {
  low: number;
  high: number;
  count: number;
  probability: number | null;
  frequency: Estimate;
  verdict: Verdict;
}

/** The probability of one class against its frequency; `gap` is the mean probability minus that. */
export interface ClassProbability {
  class: number;
  n: number;
  probability: number;
  frequency: Estimate;
  gap: Estimate;
  ece: Estimate;
  ece_if_calibrated: { value: number | null; high: number | null };
  verdict: Verdict;
  /** Of about as many inputs each. */
  bins: ProbabilityBin[];
  bins_of_equal_width: ProbabilityBin[];
}

/** The share of inputs that are right and that no change of at most `radius` flips. */
export interface RobustAccuracyAt {
  radius: number;
  accuracy: Estimate;
}

/** The accuracy on the share `coverage` of inputs whose confidence is at least this one. */
export interface SureOf {
  confidence: number;
  coverage: number;
  accuracy: Estimate;
}

/** From which confidence on it is shown to be right so often, on `n` inputs; null: from none. */
export interface Threshold {
  accuracy: number;
  confidence: number | null;
  coverage?: number;
  n?: number;
  share_right?: number;
}

/** How often it is right on the inputs that it is sure of. */
export interface Acting {
  curve: SureOf[];
  thresholds: Threshold[];
}

/** Numbers `(N,)` or `(N, k)`: a little-endian array in base64. "share" is uint16, 65535 being 1. */
export interface Column {
  dtype: "int8" | "int16" | "int32" | "float32" | "float64" | "uint16" | "share";
  shape: number[];
  data: string;
}

/** The figures over all inputs. */
export interface Overall {
  n: number;
  accuracy: Estimate;
  confidence: number | null;
  gap: Estimate;
  ece: Estimate;
  /** What a calibrated model would show: its ECE on as many inputs, and one rarely exceeded. */
  ece_if_calibrated: { value: number | null; high: number | null } | null;
  smooth_ece: Estimate;
  nll: Estimate;
  brier: Estimate;
  aurc: Estimate;
}

/** The figures minus those of the first model on the same inputs, and shares of the inputs. */
export interface Difference {
  than: string;
  accuracy: Estimate;
  gap: Estimate;
  nll: Estimate;
  brier: Estimate;
  aurc: Estimate;
  churn: number;
  negative_flips: number;
  positive_flips: number;
}

/** A figure in an earlier audit and in this one; `verdict` is corrected for how many there are. */
export interface Change {
  before: Estimate;
  after: Estimate;
  by: Estimate;
  verdict: "higher" | "lower" | "not shown" | "too few";
}

export interface FigureChange extends Change {
  name: string;
}

export interface GroupChange {
  name: string;
  accuracy: Change;
  gap: Change;
}

/** How the figures have changed since the audit called `since`, where the model is called `model`. */
export interface Changes {
  since: string;
  model: string;
  n: number;
  same_inputs: boolean;
  figures: FigureChange[];
  groupings: { name: string; groups: GroupChange[] }[];
  /** The groups of a column that the earlier audit did not have, and those that it alone had. */
  new: { name: string; groups: string[] }[];
  gone: { name: string; groups: string[] }[];
}

/** The figures under one corruption. */
export interface Shift {
  type: string;
  intensity: number | null;
  accuracy: Estimate;
  ece: Estimate;
  gap: Estimate;
  /** What the model says of each input under this shift; -1 is one that was not corrupted. */
  predicted?: Column | null;
  confidence?: Column | null;
}

/** How well confidence and entropy tell another data set's inputs from these. */
export interface Other {
  name: string;
  n: number;
  auroc_confidence: number | null;
  auroc_entropy: number | null;
}

/** What one calibrator does; `nll_difference` is after minus before. */
export interface Calibration {
  name: string;
  title: string;
  preserves_accuracy: boolean;
  ece_before: Estimate;
  ece_after: Estimate;
  nll_before: Estimate;
  nll_after: Estimate;
  nll_difference: Estimate;
  recommended: boolean;
}

/**
 * What a model says of each input, in the order of the page's inputs.
 *
 * `distance` is inf where no boundary was found; `nearest`, `level` and both ranks, which start at
 * 0, are -1 where there is none. `top_class` and `top_probability` are `(N, k)`, highest first. What
 * begins with `calibrated_` is after the calibration `calibrated_by`, NaN (a predicted class: -1)
 * where the input was fitted on.
 */
export interface ModelInputs {
  predicted: Column;
  confidence: Column;
  label_probability: Column;
  loss?: Column | null;
  distance?: Column | null;
  nearest?: Column | null;
  level?: Column | null;
  suspect_rank?: Column | null;
  fragile_rank?: Column | null;
  /** `(N, 2)`: the number among `bins` and among `bins_of_equal_width` of the positive class. */
  positive_bin?: Column | null;
  top_class: Column;
  top_probability: Column;
  calibrated_predicted?: Column | null;
  calibrated_confidence?: Column | null;
  calibrated_top_class?: Column | null;
  calibrated_top_probability?: Column | null;
}

/** Pictures of one size, in sheets of `rows` lines of `per_row`, as data: addresses. */
export interface Sheets {
  width: number;
  height: number;
  per_row: number;
  rows: number;
  sheets: string[];
}

/** What it takes to change a prediction, for some inputs. */
export interface Perturbations {
  /** Positions among the page's inputs, in the order of the pictures. */
  inputs: Column;
  top_class: Column;
  top_probability: Column;
  /** What the perturbations are multiplied by. */
  amplification?: number | null;
  /** The inputs larger than the thumbnails are. */
  original?: Sheets | null;
  perturbation?: Sheets | null;
  perturbed?: Sheets | null;
  /** Of a table: the perturbed rows. */
  values?: Column | null;
}

/** One model's findings; `classes` are by predicted class, `cells` only those that hold inputs. */
export interface Model {
  name: string;
  facts: Record<string, string>;
  sentence: string;
  order: "attack" | "gradient" | "margin" | "confidence" | "random" | null;
  /** What distances are measured in. */
  norm: "l2" | "linf" | null;
  /** Every figure by its name, as audit.json has them; the page reads none of these. */
  figures?: Record<string, number | null>;
  overall: Overall;
  reliability: Bin[];
  /** Of exactly two classes: the second one's. */
  positive?: ClassProbability | null;
  difference?: Difference | null;
  changes?: Changes | null;
  levels: Level[] | null;
  robust_accuracy?: RobustAccuracyAt[] | null;
  /** The inputs that are right although the attack failed on them, which robust accuracy counts everywhere. */
  without_distance?: number | null;
  acting?: Acting | null;
  classes: Group[];
  groupings: Grouping[];
  cells: Cell[];
  shift: Shift[];
  other: Other[];
  calibrations: Calibration[];
  /** The name of the calibration whose confidences the inputs have. */
  calibrated_by?: string | null;
  inputs: ModelInputs;
  perturbations?: Perturbations | null;
}

/** A subject of several runs: its names, its marks in the pictures, a word for each run's seed. */
export interface ComparedMethod {
  name: string;
  kind: string;
  settings: string;
  about: string;
  colour: string;
  marker: string;
  seeds: string[];
}

/**
 * A cell. `mean` and `deviation` over the runs are those of the figure itself, null where there is
 * none; `best` says whether it leads. `methods` are subjects by number, whose marks come before the
 * text, and `small` is said after it.
 */
export interface MeanCell {
  text: string;
  mean: number | null;
  deviation: number | null;
  best: boolean;
  methods?: number[];
  small?: string;
}

/** `words` has unit and direction; a `tinted` column shows the sign and size of its gaps. */
export interface TableColumn {
  title: string;
  words: string;
  method: number | null;
  tinted: boolean;
}

export interface TableRow {
  name: string;
  words: string;
  method: number | null;
  cells: MeanCell[];
}

export interface TablePart {
  title: string;
  folded: boolean;
  rows: TableRow[];
}

/** `folded` is what is chosen to see the table, `folded_parts` the same for its folded parts. */
export interface ComparisonTable {
  title: string;
  head: string;
  columns: TableColumn[];
  parts: TablePart[];
  note: string;
  folded: string | null;
  folded_parts: string | null;
}

/** A picture as a data: address; the caption goes on from the lead. */
export interface ComparisonPicture {
  name: string;
  alt: string;
  lead: string;
  caption: string;
  width: "wide" | "narrow";
  image: string;
}

export interface ComparisonSection {
  id: string;
  title: string;
  pictures: ComparisonPicture[];
  tables: ComparisonTable[];
  note: string;
}

export interface Term {
  name: string;
  words: string;
}

export interface File {
  href: string;
  words: string;
}

/** All that is said of several subjects over their runs. */
export interface SeveralSubjects {
  remarks: string[];
  about: string;
  terms: Term[];
  methods: ComparedMethod[];
  sections: ComparisonSection[];
  made: Record<string, string>;
  files: File[];
}

export interface Payload {
  format: 1;
  arcal: string;
  title: string;
  sentence: string;
  notes: string[];
  data: {
    name: string;
    /** How many inputs the findings rest on. */
    n: number;
    /** Of answers class 0 is right and 1 wrong: the label of all is 0, and predicted what they are. */
    kind: "images" | "table" | "texts" | "predictions" | "answers";
    /** The column of each of whose values one input was drawn. */
    one_per: string | null;
    /** The column that tells which inputs belong together, and how many values it has. */
    clusters: { by: string; n: number } | null;
    /** Whether inputs have weights. */
    weighted: boolean;
    classes: string[];
    facts: Record<string, string>;
  };
  /** How many inputs are audited, and of how many. */
  done: { inputs: number; of: number };
  /** Where not every input is listed: which ones are, in words. */
  listed?: string | null;
  inputs: {
    id: Column;
    label: Column;
    name?: string[] | null;
    weight?: Column | null;
    /** The cluster of each input, and the correlation of errors within one. */
    clusters?: { number: Column; alike: number } | null;
    /** The group of each input, by grouping. */
    groupings: { groups: string[]; number: Column }[];
  };
  models: Model[];
  /** A tile for each input; null where there are none, as of the texts and rows below. */
  images?: Sheets | null;
  texts?: string[] | null;
  table?: { columns: string[]; values: Column } | null;
  /** Several subjects over their runs; each model is then one run of a subject. */
  comparison?: SeveralSubjects | null;
}
