// The inputs: filters, order, export, and the list.

import { useSignal } from "@preact/signals";
import { save } from "./csv";
import { parts } from "./describe";
import { count, noun } from "./format";
import { List } from "./list";
import {
  clear,
  data,
  filter,
  isFiltered,
  NOTHING,
  possibleSorts,
  refine,
  second,
  selected,
  sort,
  SORTS,
  sortTitle,
  suspectsTitle,
  view,
  type Filter,
  type SortKey,
} from "./state";
import { Summary } from "./summary";

interface SelectProps {
  label: string;
  value: string;
  options: [string, string][];
  onSelect: (value: string) => void;
}

export function Select({ label, value, options, onSelect }: SelectProps) {
  return (
    <label class="select">
      <span>{label}</span>
      <select aria-label={label} value={value} onChange={(event) => onSelect(event.currentTarget.value)}>
        {options.map(([key, title]) => (
          <option value={key} key={key}>
            {title}
          </option>
        ))}
      </select>
    </label>
  );
}

const ANY = "";
const numbered = (names: string[]): [string, string][] => [
  [ANY, "any"],
  ...names.map((name, i): [string, string] => [String(i), name]),
];
const chosenNumber = (value: string) => (value === ANY ? null : Number(value));
const text = (value: number | null) => (value === null ? ANY : String(value));

export function Inputs() {
  const one = view.value;
  const f = filter.value;
  const rows = selected.value;
  const classes = numbered(data.classes);
  const filtersOpen = useSignal(matchMedia("(min-width: 700px)").matches);
  const levels = one.model.levels;
  const count_of = (list: ArrayLike<number> | null) =>
    list ? Array.prototype.reduce.call(list, (n: any, rank: any) => n + (rank >= 0 ? 1 : 0), 0) : 0;
  const suspects = count_of(one.suspectRank) as number;
  const fragile = count_of(one.fragileRank) as number;
  const { key, descending } = sort.value;
  const searched = data.payload.texts ? "Id, name or words" : data.names ? "Id or name" : "Id";
  return (
    <section class="inputs" id="inputs" aria-labelledby="inputs-title">
      <header>
        <h2 id="inputs-title">The {noun}s</h2>
        <div class="controls">
          <button type="button" onClick={save}>
            Export {count(rows.length)} as CSV
          </button>
        </div>
      </header>
      <details
        class="filters"
        open={filtersOpen.value}
        onToggle={(event) => (filtersOpen.value = event.currentTarget.open)}
      >
        <summary>Filters and order</summary>
        <div class="filter-bar">
          {!data.answers && (
            <>
              <Select label="Predicted" value={text(f.predicted)} options={classes} onSelect={(v) => refine({ predicted: chosenNumber(v) })} />
              <Select label="Label" value={text(f.label)} options={classes} onSelect={(v) => refine({ label: chosenNumber(v) })} />
            </>
          )}
          {levels && (
            <Select
              label="Level"
              value={text(f.level)}
              options={numbered(levels.map((_, r) => `${r}${r === 0 ? ", least robust" : r === levels.length - 1 ? ", most robust" : ""}`))}
              onSelect={(v) => refine({ level: chosenNumber(v) })}
            />
          )}
          {data.groups.length > 0 && (
            <Select
              label="Group"
              value={text(f.group)}
              options={numbered(data.groups.map(({ words }) => words))}
              onSelect={(v) => refine({ group: chosenNumber(v) })}
            />
          )}
          <Select
            label="Right or wrong"
            value={f.right === null ? ANY : String(f.right)}
            options={[[ANY, "any"], ["true", "right"], ["false", "wrong"]]}
            onSelect={(v) => refine({ right: v === ANY ? null : v === "true" })}
          />
          {(suspects > 0 || fragile > 0) && (
            <Select
              label="Lists"
              value={f.list ?? ANY}
              options={[
                [ANY, "any"],
                ...(suspects ? [["suspects", `${suspectsTitle()} (${count(suspects)})`] as [string, string]] : []),
                ...(fragile ? [["fragile", `right but fragile (${count(fragile)})`] as [string, string]] : []),
              ]}
              onSelect={(v) => {
                refine({ list: (v || null) as Filter["list"] });
                if (v) sort.value = { key: v === "suspects" ? "suspect" : "fragile", descending: false };
              }}
            />
          )}
          {second.value && (
            <Select
              label="Who is right"
              value={f.pair ?? ANY}
              options={[
                [ANY, "any"],
                ["both", "both"],
                ["first", `only ${one.model.name}`],
                ["second", `only ${second.value.name}`],
                ["neither", "neither"],
              ]}
              onSelect={(v) => refine({ pair: (v || null) as Filter["pair"] })}
            />
          )}
          <label class="select">
            <span>{searched}</span>
            <input
              aria-label={`${searched}, search`}
              type="search"
              value={f.search}
              onInput={(event) => refine({ search: event.currentTarget.value })}
            />
          </label>
          <Select
            label="Order"
            value={key}
            options={possibleSorts.value.map((k) => [k, sortTitle(k)])}
            onSelect={(v) => (sort.value = { key: v as SortKey, descending: SORTS[v as SortKey].descending })}
          />
          <button
            type="button"
            class="direction"
            aria-label={descending ? "Greatest first; reverse" : "Least first; reverse"}
            onClick={() => (sort.value = { key, descending: !descending })}
          >
            {descending ? "↓ greatest first" : "↑ least first"}
          </button>
        </div>
      </details>
      <div class="chips">
        {parts(f).map((part) => (
          <button
            type="button"
            key={part.key}
            aria-label={`Remove the filter: ${part.text}`}
            onClick={() => refine({ [part.key]: NOTHING[part.key] })}
          >
            {part.text} <span aria-hidden="true">×</span>
          </button>
        ))}
        {isFiltered.value && (
          <button type="button" class="quiet" onClick={clear}>
            Clear all
          </button>
        )}
      </div>
      <p class="selection" role="status">
        <Summary rows={rows} />
      </p>
      <List />
    </section>
  );
}
