// The part of the address after #: what is chosen, so that a link shows the same.

import { batch, effect } from "@preact/signals";
import {
  classOrder,
  data,
  equalWidths,
  filter,
  MEASURES,
  measure,
  modelIndex,
  NOTHING,
  opened,
  ORDERS,
  origin,
  possibleSorts,
  rival,
  sort,
  SORTS,
  type Filter,
  type Order,
  type Rival,
  type SortKey,
} from "./state";

/** The state of a step that was taken by opening an input. */
const OPENED = "opened";
const NUMBERS = ["label", "predicted", "level", "bin", "positive", "shift", "group"] as const;

function written(): string {
  const words = new URLSearchParams();
  if (modelIndex.value) words.set("model", String(modelIndex.value + 1));
  if (rival.value !== null)
    words.set("with", rival.value === "calibrated" ? "calibrated" : String(rival.value + 1));
  const f = filter.value;
  for (const key of NUMBERS) if (f[key] !== null) words.set(key, String(f[key]));
  if (f.right !== null) words.set("right", f.right ? "yes" : "no");
  if (f.list) words.set("list", f.list);
  if (f.pair) words.set("pair", f.pair);
  if (f.search) words.set("search", f.search);
  if (f !== NOTHING && origin.value) words.set("from", origin.value);
  words.set("sort", `${sort.value.key}${sort.value.descending ? "-down" : ""}`);
  if (classOrder.value !== "gap") words.set("classes", classOrder.value);
  if (measure.value !== "ece") words.set("measure", measure.value);
  if (equalWidths.value) words.set("bins", "equal-width");
  if (opened.value !== null) words.set("input", String(data.id[opened.value]));
  return words.toString();
}

const within = (text: string | null, end: number, first = 0): number | null => {
  const value = text ? Number(text) - first : NaN;
  return Number.isInteger(value) && value >= 0 && value < end ? value : null;
};

/** Take over what the address says; what is not there, or makes no sense, is left out. */
function follow(): void {
  const words = new URLSearchParams(location.hash.slice(1));
  batch(() => {
    modelIndex.value = within(words.get("model"), data.views.length, 1) ?? 0;
    const one = data.views[modelIndex.value];
    const other: Rival =
      words.get("with") === "calibrated"
        ? one.calibrated && "calibrated"
        : within(words.get("with"), data.views.length, 1);
    rival.value = other === modelIndex.value ? null : other;
    const { positive } = one.model;
    const ends: Record<(typeof NUMBERS)[number], number> = {
      label: data.classes.length,
      predicted: data.classes.length,
      level: one.model.levels?.length ?? 0,
      bin: one.model.reliability.length,
      positive: positive ? positive.bins.length + positive.bins_of_equal_width.length : 0,
      shift: one.shift.length,
      group: data.groups.length,
    };
    const next: Filter = { ...NOTHING };
    for (const key of NUMBERS) next[key] = within(words.get(key), ends[key]);
    const right = words.get("right");
    next.right = right === "yes" ? true : right === "no" ? false : null;
    const list = words.get("list");
    next.list = list === "suspects" || list === "fragile" ? list : null;
    const pair = words.get("pair");
    next.pair =
      rival.value !== null && (["both", "first", "second", "neither"] as const).find((p) => p === pair)
        ? (pair as Filter["pair"])
        : null;
    next.search = words.get("search") ?? "";
    filter.value = next;
    origin.value = words.get("from");
    const [, key, down] = /^([a-z]+)(-down)?$/.exec(words.get("sort") ?? "") ?? [];
    if (key in SORTS && possibleSorts.value.includes(key as SortKey))
      sort.value = { key: key as SortKey, descending: !!down };
    const order = words.get("classes");
    classOrder.value = order !== null && Object.hasOwn(ORDERS, order) ? (order as Order) : "gap";
    measure.value = MEASURES.find((name) => name === words.get("measure")) ?? "ece";
    equalWidths.value = words.get("bins") === "equal-width";
    const id = words.get("input");
    opened.value = id === null ? null : (data.rowOfId.get(Number(id)) ?? null);
  });
}

export function followAddress(): void {
  if (location.hash.length > 1) follow();
  let wasOpen = opened.peek() !== null;
  let afterBack: string | null = null; // the address once the step back has been taken
  effect(() => {
    const hash = `#${written()}`;
    if (hash === location.hash) return;
    const isOpen = opened.value !== null;
    // Opening an input is a step that Back takes back, as closing it does; everything else replaces.
    if (afterBack !== null) afterBack = hash;
    else if (isOpen && !wasOpen) history.pushState(OPENED, "", hash);
    else if (!isOpen && wasOpen && history.state === OPENED) {
      afterBack = hash;
      history.back();
    } else history.replaceState(history.state, "", hash);
    wasOpen = isOpen;
  });
  addEventListener("popstate", () => {
    if (afterBack !== null) history.replaceState(null, "", afterBack);
    else follow();
    afterBack = null;
    wasOpen = opened.peek() !== null;
  });
  addEventListener("hashchange", () => {
    follow();
    wasOpen = opened.peek() !== null;
  });
}
