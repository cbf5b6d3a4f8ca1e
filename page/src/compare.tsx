// Two models, or one before and after calibration, input by input.

import { batch } from "@preact/signals";
import { Figure } from "./figure";
import { amongListed, figuresOf, shareOf, type Interval } from "./figures";
import { count, ends, heading, inputs, noun, percent } from "./format";
import { Select } from "./inputs";
import {
  choose,
  compareWith,
  data,
  filter,
  isRight,
  modelIndex,
  second,
  rival,
  view,
  type Filter,
  type Rival,
} from "./state";

const NO = "no";

export function Compare() {
  const one = view.value;
  const two = second.value;
  const options: [string, string][] = [
    [NO, "nothing"],
    ...(one.calibrated ? [["calibrated", `itself after ${one.calibrated.by}`] as [string, string]] : []),
    ...data.views.flatMap(({ model }, i): [string, string][] =>
      i === modelIndex.value ? [] : [[String(i), model.name]],
    ),
  ];
  if (options.length === 1) return null;
  const pick = (value: string) => {
    const other: Rival = value === NO ? null : value === "calibrated" ? value : Number(value);
    compareWith(other);
  };
  const groups = two ? quadrants() : [];
  const n = groups.reduce((sum, group) => sum + group.n, 0);
  const same = n < data.N ? `the ${inputs(n)} that it was not fitted on` : `the same ${noun}s`;
  return (
    <Figure
      id="compare"
      wide
      title={`Side by side, ${noun} by ${noun}`}
      words={
        two
          ? `${one.model.name}${two.model === null ? ", uncalibrated," : ""} and ${two.name} on ${same}${amongListed()}. The list below shows both predictions, sorted by how far apart their probabilities are (half the sum of absolute differences, 0 to 1).`
          : `Choose what to compare with, on the same ${noun}s: which one is right, how sure each is, and how much they differ.`
      }
      controls={
        <Select
          label={`Compare ${data.views.length > 1 ? one.model.name : "it"} with`}
          value={rival.value === null ? NO : String(rival.value)}
          options={options}
          onSelect={pick}
        />
      }
      table={{
        head: ["Who is right", heading(), "Share", "95\u00a0%", "Mean confidence, first", "Mean confidence, second"],
        rows: groups.map((g) => [
          g.title,
          count(g.n),
          percent(g.share.value),
          ends(g.share, percent),
          percent(g.first),
          percent(g.second),
        ]),
      }}
    >
      {two && (
        <div class="quadrants" role="group" aria-label="Who is right; each is a button">
          {groups.map((g) => (
            <button
              type="button"
              key={g.pair}
              class={`quadrant ${g.pair}`}
              disabled={!g.n}
              aria-pressed={filter.value.pair === g.pair}
              onClick={(event) =>
                batch(() => choose("compare", { pair: g.pair }, event.shiftKey))
              }
            >
              <span class="what">{g.title}</span>
              <b>{count(g.n)}</b>
              <small>
                {percent(g.share.value)} ({ends(g.share, percent)})
              </small>
              {g.n > 0 && (
                <small>
                  mean confidence {percent(g.first)} and {percent(g.second)}
                </small>
              )}
            </button>
          ))}
        </div>
      )}
    </Figure>
  );
}

interface Quadrant {
  pair: NonNullable<Filter["pair"]>;
  title: string;
  n: number;
  share: Interval;
  first: number;
  second: number;
}

function quadrants(): Quadrant[] {
  const one = view.value;
  const two = second.value!;
  const titles: [Quadrant["pair"], string][] = [
    ["both", "Both right"],
    ["first", `Only ${one.model.name}`],
    ["second", `Only ${two.name}`],
    ["neither", "Neither"],
  ];
  const rows = titles.map((): number[] => []);
  for (let i = 0; i < data.N; i++) {
    if (Number.isNaN(two.confidence[i])) continue;
    const a = isRight(one.predicted, i);
    const b = isRight(two.predicted, i);
    rows[a ? (b ? 0 : 1) : b ? 2 : 3].push(i);
  }
  const all = rows.flat();
  return titles.map(([pair, title], k) => ({
    pair,
    title,
    n: rows[k].length,
    share: shareOf(rows[k], all, one.confidence),
    first: figuresOf(rows[k], one.predicted, one.confidence).confidence,
    second: figuresOf(rows[k], two.predicted, two.confidence).confidence,
  }));
}
