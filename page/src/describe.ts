// A filter in words.

import { noun, percent, within } from "./format";
import { rangeOf } from "./positive";
import { data, second, suspectsTitle, view, type Filter } from "./state";

export function parts(f: Filter): { key: keyof Filter; text: string }[] {
  const one = view.value;
  const listed: { key: keyof Filter; text: string }[] = [];
  const add = (key: keyof Filter, text: string) => listed.push({ key, text });
  if (f.bin !== null) {
    const bin = one.model.reliability[f.bin];
    add("bin", `confidence ${percent(bin.low, 0)} to ${percent(bin.high, 0)}`);
  }
  const { positive } = one.model;
  if (f.positive !== null && positive) {
    const bin = [...positive.bins, ...positive.bins_of_equal_width][f.positive];
    if (bin) add("positive", `probability of ${data.classes[positive.class]} ${rangeOf(bin)}`);
  }
  if (f.predicted !== null) add("predicted", `predicted ${data.classes[f.predicted]}`);
  if (f.label !== null) add("label", `labelled ${data.classes[f.label]}`);
  if (f.level !== null) add("level", `level ${f.level}`);
  if (f.group !== null) add("group", data.groups[f.group].words);
  if (f.right !== null) add("right", f.right ? "right" : "wrong");
  if (f.list) add("list", f.list === "suspects" ? suspectsTitle() : "right but fragile");
  if (f.pair !== null && second.value) {
    const names = [one.model.name, second.value.name];
    add(
      "pair",
      {
        both: "both are right",
        neither: "neither is right",
        first: `only ${names[0]} is right`,
        second: `only ${names[1]} is right`,
      }[f.pair],
    );
  }
  if (f.shift !== null) {
    const { shift } = one.shift[f.shift];
    add("shift", `right, but wrong under ${within(shift.type)} ${shift.intensity ?? ""}`.trim());
  }
  if (f.search) add("search", `“${f.search}”`);
  return listed;
}

export function describe(f: Filter): string {
  const text = parts(f)
    .map((part) => part.text)
    .join(", ");
  return text ? text[0].toUpperCase() + text.slice(1) : `All ${noun}s`;
}
