// The payload, decoded: typed arrays, and one view of the inputs for each model.

import type { Column, Model, Payload, Perturbations, Shift } from "./payload";

export type Numbers = ArrayLike<number>;

const ARRAYS = {
  int8: Int8Array,
  int16: Int16Array,
  int32: Int32Array,
  float32: Float32Array,
  float64: Float64Array,
  uint16: Uint16Array,
  share: Uint16Array,
};

export function bytesOf(base64: string): Uint8Array<ArrayBuffer> {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

export function decode(column: Column): Numbers {
  const array = new ARRAYS[column.dtype](bytesOf(column.data).buffer);
  return column.dtype === "share" ? Float32Array.from(array, (value) => value / 65535) : array;
}

const optional = (column: Column | null | undefined) => (column ? decode(column) : null);

/** The highest probabilities of each input, `width` of them. */
export interface Top {
  width: number;
  classes: Numbers;
  probabilities: Numbers;
}

const top = (classes?: Column | null, probabilities?: Column | null): Top | null =>
  classes && probabilities
    ? { width: classes.shape[1], classes: decode(classes), probabilities: decode(probabilities) }
    : null;

export interface Changed {
  row: Map<number, number>;
  top: Top;
  values: Numbers | null;
  payload: Perturbations;
}

/** What one model says of every input. */
export interface View {
  model: Model;
  predicted: Numbers;
  confidence: Numbers;
  labelProbability: Numbers;
  loss: Numbers;
  distance: Numbers | null;
  nearest: Numbers | null;
  level: Numbers | null;
  /** Two numbers of each input: its bin of equal mass and its bin of equal width. */
  positiveBin: Numbers | null;
  suspectRank: Numbers | null;
  fragileRank: Numbers | null;
  top: Top;
  /** The same after calibration; NaN where the calibrators saw the input. */
  calibrated: { predicted: Numbers; confidence: Numbers; top: Top | null; by: string } | null;
  shift: { shift: Shift; predicted: Numbers | null; confidence: Numbers | null }[];
  changed: Changed | null;
}

export interface Data {
  payload: Payload;
  classes: string[];
  /** Whether each input is an answer, right or wrong, with nothing but a confidence. */
  answers: boolean;
  N: number;
  id: Numbers;
  label: Numbers;
  names: string[] | null;
  weight: Numbers | null;
  /** Which inputs belong together, and how much their errors come together. */
  clusters: { number: Numbers; alike: number } | null;
  /** The group of each input, by grouping. */
  groupings: { name: string; groups: string[]; number: Numbers }[];
  /** The groups of all groupings, one after another. */
  groups: { grouping: number; number: number; words: string }[];
  rowOfId: Map<number, number>;
  views: View[];
  table: { columns: string[]; values: Numbers } | null;
}

function view(model: Model): View {
  const inputs = model.inputs;
  const labelProbability = decode(inputs.label_probability);
  const perturbations = model.perturbations;
  const predicted = decode(inputs.predicted);
  return {
    model,
    predicted,
    confidence: decode(inputs.confidence),
    labelProbability,
    loss: optional(inputs.loss) ?? Float32Array.from(labelProbability, (p) => -Math.log(p)),
    distance: optional(inputs.distance),
    nearest: optional(inputs.nearest),
    level: optional(inputs.level),
    positiveBin: optional(inputs.positive_bin),
    suspectRank: optional(inputs.suspect_rank),
    fragileRank: optional(inputs.fragile_rank),
    top: top(inputs.top_class, inputs.top_probability)!,
    calibrated: inputs.calibrated_confidence
      ? {
          confidence: decode(inputs.calibrated_confidence),
          predicted: optional(inputs.calibrated_predicted) ?? predicted,
          top: top(inputs.calibrated_top_class, inputs.calibrated_top_probability),
          by:
            model.calibrations.find((one) => one.name === model.calibrated_by)?.title ??
            model.calibrated_by ??
            "calibration",
        }
      : null,
    shift: model.shift.map((shift) => ({
      shift,
      predicted: optional(shift.predicted),
      confidence: optional(shift.confidence),
    })),
    changed: perturbations
      ? {
          row: new Map(Array.from(decode(perturbations.inputs), (input, row) => [input, row])),
          top: top(perturbations.top_class, perturbations.top_probability)!,
          values: optional(perturbations.values),
          payload: perturbations,
        }
      : null,
  };
}

/** Control characters and those that turn the direction of writing are shown, not obeyed. */
export const harmless = (text: string) =>
  text.replace(/[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]+/g, "\ufffd");

const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/;

/** A name; one that has letters from right to left does not move the numbers beside it. */
export const isolated = (text: string) =>
  RIGHT_TO_LEFT.test(text) ? `\u2068${harmless(text)}\u2069` : harmless(text);

/** The name as it was given. */
export const bare = (name: string) => name.replace(/[\u2068\u2069]/g, "");

/** A sentence, whose numbers stay with their sign of per cent. */
const sentence = (text: string) => harmless(text).replace(/(\d) %/g, "$1\u00a0%");

/** The same for what may have several lines. */
const harmlessText = (text: string) => text.split(/\r\n|[\r\n]/).map(harmless).join("\n");

/** Everything that is said, made harmless; pictures and columns have no words. */
function harmlessIn<T>(value: T, made = harmless): T {
  if (typeof value === "string") return (value.startsWith("data:image/") ? value : made(value)) as T;
  if (Array.isArray(value)) return value.map((entry) => harmlessIn(entry, made)) as T;
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, entry]) => [harmless(key), harmlessIn(entry, made)]),
  ) as T;
}

/** The payload with every name of a user's made harmless. */
function named(payload: Payload): Payload {
  const facts = (all: Record<string, string>) =>
    Object.fromEntries(Object.entries(all).map((pair) => pair.map(harmless)));
  const group = <G extends { name: string }>(of: G): G => ({ ...of, name: isolated(of.name) });
  return {
    ...payload,
    title: harmless(payload.title),
    sentence: sentence(payload.sentence),
    notes: payload.notes.map(sentence),
    data: {
      ...payload.data,
      name: harmless(payload.data.name),
      classes: payload.data.classes.map((name) => isolated(name) || "(no name)"),
      facts: facts(payload.data.facts),
    },
    inputs: {
      ...payload.inputs,
      name: payload.inputs.name?.map(isolated),
      groupings: payload.inputs.groupings.map((one) => ({ ...one, groups: one.groups.map(isolated) })),
    },
    models: payload.models.map((model) => ({
      ...group(model),
      sentence: sentence(model.sentence),
      facts: facts(model.facts),
      levels: model.levels?.map(group) ?? null,
      classes: model.classes.map(group),
      groupings: model.groupings.map((one) => ({ ...group(one), groups: one.groups.map(group) })),
      shift: model.shift.map((shift) => ({ ...shift, type: harmless(shift.type) })),
      other: model.other.map(group),
      difference: harmlessIn(model.difference, isolated),
      changes: harmlessIn(model.changes, isolated),
    })),
    texts: payload.texts?.map(harmlessText),
    table: payload.table && {
      ...payload.table,
      columns: payload.table.columns.map(harmless),
    },
    comparison: harmlessIn(payload.comparison),
  };
}

export function read(given: Payload): Data {
  if (given.format !== 1)
    throw new Error(`this page reads format 1, and this audit is of format ${given.format}`);
  const payload = named(given);
  const id = decode(payload.inputs.id);
  const groupings = payload.inputs.groupings.map(({ groups, number }, k) => ({
    name: payload.models[0].groupings[k].name,
    groups,
    number: decode(number),
  }));
  return {
    payload,
    classes: payload.data.classes,
    answers: payload.data.kind === "answers",
    N: id.length,
    id,
    label: decode(payload.inputs.label),
    names: payload.inputs.name ?? null,
    weight: optional(payload.inputs.weight),
    clusters: payload.inputs.clusters
      ? { ...payload.inputs.clusters, number: decode(payload.inputs.clusters.number) }
      : null,
    groupings,
    groups: groupings.flatMap(({ name, groups }, grouping) =>
      groups.map((group, number) => ({ grouping, number, words: `${name} ${group}` })),
    ),
    rowOfId: new Map(Array.from(id, (value, row) => [value, row])),
    views: payload.models.map(view),
    table: payload.table
      ? { columns: payload.table.columns, values: decode(payload.table.values) }
      : null,
  };
}

/** The bin (low, high] of a confidence, of `count` bins; 0 is in the first, 1 in the last. */
export function binOf(confidence: number, count: number): number {
  return Math.min(count - 1, Math.max(0, Math.ceil(confidence * count) - 1));
}
