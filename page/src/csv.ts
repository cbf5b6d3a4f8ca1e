// The inputs that are selected, as a CSV file.

import { bare } from "./data";
import { data, disagreement, filter, ordered, second, view } from "./state";

/** Quoted where it must be; a text that a spreadsheet would compute is led by an apostrophe. */
function field(value: string | number): string {
  if (typeof value === "number") return Number.isNaN(value) ? "" : String(value);
  const given = bare(value);
  const text = /^[=+\-@\t\r]/.test(given) ? `'${given}` : given;
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

const digits = (value: number) => (Number.isFinite(value) ? Number(value.toPrecision(7)) : value);

export function csv(): string {
  const one = view.value;
  const two = second.value;
  type Cell = (i: number) => string | number;
  const columns: [string, Cell][] = [["id", (i) => data.id[i]]];
  const add = (name: string, cell: Cell) => columns.push([name, cell]);
  /** A column of the data's, which another may be called like. */
  const addTheirs = (name: string, before: string, cell: Cell) => {
    while (columns.some(([taken]) => taken === name)) name = before + name;
    add(name, cell);
  };
  if (data.names) add("name", (i) => data.names![i]);
  if (data.weight) add("weight", (i) => digits(data.weight![i]));
  if (!data.answers) {
    add("label", (i) => data.classes[data.label[i]]);
    add("predicted", (i) => data.classes[one.predicted[i]]);
  }
  add("right", (i) => Number(one.predicted[i] === data.label[i]));
  add("confidence", (i) => digits(one.confidence[i]));
  if (!data.answers) add("label_probability", (i) => digits(one.labelProbability[i]));
  add("loss", (i) => digits(one.loss[i]));
  if (one.distance)
    add("distance", (i) => (one.distance![i] === Infinity ? "inf" : digits(one.distance![i])));
  if (one.nearest) add("nearest", (i) => (one.nearest![i] < 0 ? "" : data.classes[one.nearest![i]]));
  if (one.level) add("level", (i) => (one.level![i] < 0 ? "" : one.level![i]));
  const ranks: [string, ArrayLike<number> | null][] = [
    ["suspect_rank", one.suspectRank],
    ["fragile_rank", one.fragileRank],
  ];
  for (const [name, values] of ranks)
    if (values) add(name, (i) => (values[i] < 0 ? "" : values[i] + 1));
  if (one.calibrated) add("calibrated_confidence", (i) => digits(one.calibrated!.confidence[i]));
  if (two) {
    if (data.answers) add("other_right", (i) => Number(two.predicted[i] === data.label[i]));
    else add("other_predicted", (i) => data.classes[two.predicted[i]]);
    add("other_confidence", (i) => digits(two.confidence[i]));
    if (two.distance)
      add("other_distance", (i) => (two.distance![i] === Infinity ? "inf" : digits(two.distance![i])));
    add("disagreement", (i) => digits(disagreement.value![i]));
  }
  const under = filter.value.shift === null ? null : one.shift[filter.value.shift];
  if (under?.predicted) add("predicted_under_shift", (i) => data.classes[under.predicted![i]]);
  if (data.payload.texts) add("text", (i) => data.payload.texts![i]);
  for (const { name, groups, number } of data.groupings) addTheirs(name, "by_", (i) => groups[number[i]]);
  data.table?.columns.forEach((name, k) =>
    addTheirs(name, "column_", (i) => digits(data.table!.values[i * data.table!.columns.length + k])),
  );
  const lines = [columns.map(([name]) => field(name)).join(",")];
  for (const row of ordered.value) lines.push(columns.map(([, cell]) => field(cell(row))).join(","));
  return `${lines.join("\r\n")}\r\n`;
}

export function save(): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([csv()], { type: "text/csv" }));
  link.download = `${data.payload.data.name.replace(/[^\w.-]+/g, "-") || "inputs"}-selected.csv`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
