// What is chosen: the model, what it is compared with, the filters, the order, the opened input.

import { batch, computed, signal } from "@preact/signals";
import { binOf, read, type Data, type Numbers, type Top, type View } from "./data";
import { callThem } from "./format";
import type { Payload } from "./payload";

export let data: Data;

export interface Filter {
  label: number | null;
  predicted: number | null;
  level: number | null;
  bin: number | null;
  /** Of the bins by the probability of the positive class, those of equal width after the others. */
  positive: number | null;
  right: boolean | null;
  list: "suspects" | "fragile" | null;
  /** Who is right, of the model and what it is compared with. */
  pair: "both" | "first" | "second" | "neither" | null;
  /** A shift: right without it, wrong under it. */
  shift: number | null;
  /** One of the groups of all groupings. */
  group: number | null;
  search: string;
}

export const NOTHING: Filter = {
  label: null,
  predicted: null,
  level: null,
  bin: null,
  positive: null,
  right: null,
  list: null,
  pair: null,
  shift: null,
  group: null,
  search: "",
};

export type SortKey =
  | "suspect"
  | "fragile"
  | "loss"
  | "confidence"
  | "distance"
  | "disagreement"
  | "id";

export const SORTS: Record<SortKey, { title: string; descending: boolean }> = {
  suspect: { title: "suspect label", descending: false },
  fragile: { title: "fragile", descending: false },
  loss: { title: "loss", descending: true },
  confidence: { title: "confidence", descending: true },
  distance: { title: "distance", descending: false },
  disagreement: { title: "disagreement", descending: true },
  id: { title: "id", descending: false },
};

export const ORDERS = {
  gap: "most certain gap first",
  size: "largest gap first",
  name: "by name",
  accuracy: "lowest accuracy first",
  inputs: "most inputs first",
};
export type Order = keyof typeof ORDERS;

export const MEASURES = ["ece", "accuracy", "gap"] as const;
export type Measure = (typeof MEASURES)[number];

/** What the inputs can be sorted by, in words. */
export const sortTitle = (key: SortKey) =>
  key === "suspect" && data.answers ? "surest wrong" : SORTS[key].title;

/** What the mistakes are called that come first in the list. */
export const suspectsTitle = () => (data.answers ? "wrong answers" : "suspect labels");

/** Another model by its number, or this model after calibration. */
export type Rival = number | "calibrated" | null;

export const modelIndex = signal(0);
export const rival = signal<Rival>(null);
export const filter = signal<Filter>(NOTHING);
export const sort = signal<{ key: SortKey; descending: boolean }>({
  key: "loss",
  descending: true,
});
export const opened = signal<number | null>(null);
/** How pictures are drawn: the order of the classes, what is shown under corruptions, bins of equal width. */
export const classOrder = signal<Order>("gap");
export const measure = signal<Measure>("ece");
export const equalWidths = signal(false);
/** The picture that the filter comes from. */
export const origin = signal<string | null>(null);

export const view = computed<View>(() => data.views[modelIndex.value]);

export interface Second {
  name: string;
  model: number | null;
  predicted: Numbers;
  confidence: Numbers;
  top: Top | null;
  distance: Numbers | null;
}

export const second = computed<Second | null>(() => {
  const chosen = rival.value;
  if (chosen === null) return null;
  if (chosen === "calibrated") {
    const calibrated = view.value.calibrated;
    return (
      calibrated && {
        name: `after ${calibrated.by}`,
        model: null,
        predicted: calibrated.predicted,
        confidence: calibrated.confidence,
        top: calibrated.top,
        distance: null,
      }
    );
  }
  const other = data.views[chosen];
  return { ...other, name: other.model.name, model: chosen };
});

/** Half the sum of absolute differences of the probabilities that are known; 0 to 1. */
export const disagreement = computed<Float32Array | null>(() => {
  const one = view.value;
  const two = second.value;
  if (!two) return null;
  const result = new Float32Array(data.N);
  for (let i = 0; i < data.N; i++) {
    if (Number.isNaN(two.confidence[i])) {
      result[i] = NaN; // the calibrators were fitted on it
      continue;
    }
    if (!two.top) {
      result[i] = Math.abs(one.confidence[i] - two.confidence[i]);
      continue;
    }
    let sum = 0;
    let shared = 0;
    for (let k = 0; k < one.top.width; k++) {
      const p = one.top.probabilities[i * one.top.width + k];
      let q = 0;
      for (let m = 0; m < two.top.width; m++)
        if (two.top.classes[i * two.top.width + m] === one.top.classes[i * one.top.width + k])
          q = two.top.probabilities[i * two.top.width + m];
      sum += Math.abs(p - q);
      shared += q;
    }
    for (let m = 0; m < two.top.width; m++) sum += two.top.probabilities[i * two.top.width + m];
    result[i] = (sum - shared) / 2;
  }
  return result;
});

export const isRight = (predicted: Numbers, i: number) => predicted[i] === data.label[i];

function matches(f: Filter, one: View, two: Second | null): (i: number) => boolean {
  const tests: ((i: number) => boolean)[] = [];
  const bins = one.model.reliability.length;
  const words = f.search.trim().toLowerCase();
  if (f.label !== null) tests.push((i) => data.label[i] === f.label);
  if (f.predicted !== null) tests.push((i) => one.predicted[i] === f.predicted);
  if (f.level !== null && one.level) tests.push((i) => one.level![i] === f.level);
  if (f.bin !== null) tests.push((i) => binOf(one.confidence[i], bins) === f.bin);
  const { positive } = one.model;
  if (f.positive !== null && positive && one.positiveBin) {
    const even = f.positive >= positive.bins.length;
    const bin = f.positive - (even ? positive.bins.length : 0);
    tests.push((i) => one.positiveBin![2 * i + Number(even)] === bin);
  }
  if (f.right !== null) tests.push((i) => isRight(one.predicted, i) === f.right);
  if (f.list === "suspects" && one.suspectRank) tests.push((i) => one.suspectRank![i] >= 0);
  if (f.list === "fragile" && one.fragileRank) tests.push((i) => one.fragileRank![i] >= 0);
  if (f.pair !== null && two) {
    const first = f.pair === "both" || f.pair === "first";
    const other = f.pair === "both" || f.pair === "second";
    tests.push(
      (i) =>
        !Number.isNaN(two.confidence[i]) &&
        isRight(one.predicted, i) === first &&
        isRight(two.predicted, i) === other,
    );
  }
  if (f.shift !== null && one.shift[f.shift]?.predicted) {
    const under = one.shift[f.shift].predicted!;
    tests.push((i) => isRight(one.predicted, i) && !isRight(under, i));
  }
  if (f.group !== null) {
    const { grouping, number } = data.groups[f.group];
    tests.push((i) => data.groupings[grouping].number[i] === number);
  }
  if (words)
    tests.push(
      (i) =>
        String(data.id[i]) === words ||
        !!data.names?.[i].toLowerCase().includes(words) ||
        !!data.payload.texts?.[i].toLowerCase().includes(words),
    );
  return (i) => tests.every((test) => test(i));
}

export const selected = computed<Int32Array>(() => {
  const test = matches(filter.value, view.value, second.value);
  const rows: number[] = [];
  for (let i = 0; i < data.N; i++) if (test(i)) rows.push(i);
  return Int32Array.from(rows);
});

/** The values that an order sorts by; those that are negative or unknown come last. */
function keyValues(key: SortKey): Numbers | null {
  const one = view.value;
  switch (key) {
    case "suspect":
      return one.suspectRank;
    case "fragile":
      return one.fragileRank;
    case "loss":
      return one.loss;
    case "confidence":
      return one.confidence;
    case "distance":
      return one.distance;
    case "disagreement":
      return disagreement.value;
    case "id":
      return data.id;
  }
}

export const possibleSorts = computed(() =>
  (Object.keys(SORTS) as SortKey[]).filter((key) => {
    const values = keyValues(key);
    const ranks = key === "suspect" || key === "fragile";
    return values !== null && (!ranks || Array.prototype.some.call(values, (rank) => rank >= 0));
  }),
);

export const ordered = computed<Int32Array>(() => {
  const { key, descending } = sort.value;
  const values = keyValues(key) ?? data.id;
  const ranks = key === "suspect" || key === "fragile";
  const sign = descending ? -1 : 1;
  const value = (i: number) => {
    const v = values[i];
    return Number.isNaN(v) || (ranks && v < 0) ? Infinity : sign * v;
  };
  const keys = Float64Array.from(selected.value, value);
  const order = Array.from(keys, (_, i) => i);
  order.sort((a, b) => (keys[a] === keys[b] ? a - b : keys[a] < keys[b] ? -1 : 1));
  return Int32Array.from(order, (i) => selected.value[i]);
});

/** Chosen by whether they are right, or by label and prediction: how often they are says nothing. */
export const byOutcome = computed(() => {
  const { right, list, pair, shift, label, predicted } = filter.value;
  if (label !== null && predicted !== null) return true;
  return right !== null || list !== null || pair !== null || shift !== null;
});

export const isFiltered = computed(() =>
  (Object.keys(NOTHING) as (keyof Filter)[]).some((key) => filter.value[key] !== NOTHING[key]),
);

/** A click on a picture: its inputs and no others, or, with `more`, among those chosen before. */
export function choose(from: string, chosen: Partial<Filter>, more = false): void {
  const now = filter.value;
  const keys = Object.keys(chosen) as (keyof Filter)[];
  const again = origin.value === from && keys.every((key) => now[key] === chosen[key]);
  batch(() => {
    if (again) {
      filter.value = more
        ? { ...now, ...Object.fromEntries(keys.map((key) => [key, NOTHING[key]])) }
        : NOTHING;
      origin.value = null;
    } else {
      filter.value = { ...(more ? now : NOTHING), ...chosen };
      origin.value = from;
    }
  });
}

/** A change of one filter in the list's own bar. */
export function refine(chosen: Partial<Filter>): void {
  batch(() => {
    filter.value = { ...filter.value, ...chosen };
    if (!isFiltered.value) origin.value = null;
  });
}

export function clear(): void {
  batch(() => {
    filter.value = NOTHING;
    origin.value = null;
  });
}

export function compareWith(other: Rival): void {
  batch(() => {
    rival.value = other;
    if (other === null) {
      if (filter.value.pair !== null) refine({ pair: null });
      if (sort.value.key === "disagreement") sort.value = defaultSort();
    } else sort.value = { key: "disagreement", descending: true };
  });
}

export function showModel(index: number): void {
  batch(() => {
    if (rival.value === index) rival.value = modelIndex.value;
    if (rival.value === "calibrated" && !data.views[index].calibrated) compareWith(null);
    if (filter.value.positive !== null) refine({ positive: null }); // its bins are other ones
    modelIndex.value = index;
    if (!possibleSorts.value.includes(sort.value.key)) sort.value = defaultSort();
  });
}

function defaultSort(): { key: SortKey; descending: boolean } {
  const key = possibleSorts.value.includes("suspect") ? "suspect" : "loss";
  return { key, descending: SORTS[key].descending };
}

export function start(payload: Payload): void {
  data = read(payload);
  callThem(data.answers ? "answer" : "input");
  sort.value = defaultSort();
}
