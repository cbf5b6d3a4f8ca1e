// Two models, or one before and after calibration, input by input.

import { batch } from "@preact/signals";
import { Figure } from "./figure";
import { count, percent } from "./format";
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
import { clopperPearson } from "./statistics";

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
  const total = groups.reduce((sum, group) => sum + group.n, 0);
  return (
    <Figure
      id="compare"
      wide
      title="Side by side, input by input"
      words={
        two
          ? `${one.model.name} and ${two.name} on the same inputs. The list below shows both predictions, sorted by how far their probabilities are apart (half the sum of absolute differences, 0 to 1).`
          : "Choose what to compare with, on the same inputs: which one is right, how sure, and how far they differ."
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
        head: ["Who is right", "Inputs", "Share", "95 %", "Mean confidence, first", "Mean confidence, second"],
        rows: groups.map((g) => [
          g.title,
          count(g.n),
          percent(g.n / total),
          interval(g.n, total),
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
                {percent(g.n / total)} ({interval(g.n, total)})
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

function interval(n: number, total: number): string {
  const [low, high] = clopperPearson(n, total);
  return `${percent(low).replace("\u00a0%", "")} to ${percent(high)}`;
}

interface Quadrant {
  pair: NonNullable<Filter["pair"]>;
  title: string;
  n: number;
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
  const result = titles.map(([pair, title]) => ({ pair, title, n: 0, first: 0, second: 0 }));
  for (let i = 0; i < data.N; i++) {
    if (Number.isNaN(two.confidence[i])) continue;
    const a = isRight(one.predicted, i);
    const b = isRight(two.predicted, i);
    const group = result[a ? (b ? 0 : 1) : b ? 2 : 3];
    group.n += 1;
    group.first += one.confidence[i];
    group.second += two.confidence[i];
  }
  for (const group of result) {
    group.first /= group.n;
    group.second /= group.n;
  }
  return result;
}
