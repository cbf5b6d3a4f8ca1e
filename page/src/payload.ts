// What the page is given: the TypedDicts of src/arcal/report/explorer.py, in the same words.

export type Verdict = "over-confident" | "under-confident" | "not shown" | "too few";

/** A figure with its 95 % interval and the number of inputs it rests on; null is "unknown". */
export interface Estimate {
  value: number | null;
  low: number | null;
  high: number | null;
  n: number;
}

/** The figures of a level, a class or a cell of both. */
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

export interface Cell extends Group {
  class: number;
  level: number;
}

export interface Bin {
  low: number;
  high: number;
  count: number;
  accuracy: number | null;
  confidence: number | null;
  accuracy_low: number | null;
  accuracy_high: number | null;
}

/** The share of inputs that are right and that no change of at most `radius` flips. */
export interface RobustAccuracyAt {
  radius: number;
  accuracy: Estimate;
}

/** A column of numbers: base64 of a little-endian array. "share" is uint16, 65535 being 1. */
export interface Column {
  dtype: "int8" | "int16" | "int32" | "float32" | "float64" | "uint16" | "share";
  shape: number[];
  data: string;
}

export interface Overall {
  n: number;
  accuracy: Estimate;
  confidence: number | null;
  gap: Estimate;
  ece: Estimate;
  ece_if_calibrated: { value: number | null; high: number | null } | null;
  smooth_ece: Estimate;
  nll: Estimate;
  brier: Estimate;
}

export interface Shift {
  type: string;
  intensity: number | null;
  accuracy: Estimate;
  ece: Estimate;
  gap: Estimate;
  /** What the model says of each input under this shift. */
  predicted?: Column | null;
  confidence?: Column | null;
}

export interface Other {
  name: string;
  n: number;
  auroc_confidence: number | null;
  auroc_entropy: number | null;
}

export interface Calibration {
  name: string;
  title: string;
  preserves_accuracy: boolean;
  ece_before: Estimate;
  ece_after: Estimate;
  smooth_ece_before?: Estimate | null;
  smooth_ece_after?: Estimate | null;
  nll_before: Estimate;
  nll_after: Estimate;
  nll_difference: Estimate;
  recommended: boolean;
}

/** What a model says of each input, in the order of the page's inputs. */
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
  top_class: Column;
  top_probability: Column;
  calibrated_predicted?: Column | null;
  calibrated_confidence?: Column | null;
  calibrated_top_class?: Column | null;
  calibrated_top_probability?: Column | null;
}

/** Sprite sheets: tiles row by row, `per_row * rows` on a sheet. */
export interface Sheets {
  width: number;
  height: number;
  per_row: number;
  rows: number;
  sheets: string[];
}

/** What it takes to change a prediction, for some inputs. */
export interface Perturbations {
  /** Positions among the page's inputs. */
  inputs: Column;
  top_class: Column;
  top_probability: Column;
  amplification?: number | null;
  /** The inputs larger than the thumbnails are. */
  original?: Sheets | null;
  perturbation?: Sheets | null;
  perturbed?: Sheets | null;
  /** Of a table: the perturbed rows. */
  values?: Column | null;
}

export interface Model {
  name: string;
  facts: Record<string, string>;
  sentence: string;
  order: "attack" | "gradient" | "margin" | "confidence" | "random" | null;
  overall: Overall;
  reliability: Bin[];
  levels: Level[] | null;
  robust_accuracy?: RobustAccuracyAt[] | null;
  classes: Group[];
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

/** A cell; `methods` are subjects by number, whose marks come before the text. */
export interface MeanCell {
  text: string;
  mean: number | null;
  deviation: number | null;
  best: boolean;
  methods?: number[];
  small?: string;
}

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
  title: string;
  alt: string;
  lead: string;
  caption: string;
  width: "wide" | "narrow" | "half";
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
    n: number;
    kind: "images" | "table" | "texts" | "predictions";
    classes: string[];
    facts: Record<string, string>;
  };
  done: { inputs: number; of: number };
  /** Where not every input is listed: which ones are, in words. */
  listed?: string | null;
  inputs: {
    id: Column;
    label: Column;
    name?: string[] | null;
    weight?: Column | null;
  };
  models: Model[];
  images?: Sheets | null;
  texts?: string[] | null;
  table?: { columns: string[]; values: Column } | null;
  /** Several subjects over their runs; each model is then one run of a subject. */
  comparison?: SeveralSubjects | null;
}
