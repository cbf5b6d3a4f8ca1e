// How the figures have changed since an earlier audit, and what of it chance does not explain.

import { Figure, Numbers } from "./figure";
import { count, ends, noun, percent, plain, signed, type Show } from "./format";
import type { Change, GroupChange } from "./payload";
import { data, view } from "./state";

const SHOWN = 20;

const VERDICTS: Record<Change["verdict"], string> = {
  higher: "higher",
  lower: "lower",
  "not shown": "not shown",
  "too few": "too few",
};

/** The title of a figure and how it is shown. */
function titled(name: string): [string, Show] {
  const { positive } = view.value.model;
  const rare = positive ? data.classes[positive.class] : "";
  const titles: Record<string, [string, Show]> = {
    accuracy: ["Accuracy", percent],
    confidence: ["Confidence", percent],
    gap: ["Gap, in points", signed],
    nll: ["Log-loss", plain],
    brier: ["Brier", plain],
    aurc: ["AURC", plain],
    "positive.frequency": [`Share of ${rare}`, percent],
    "positive.gap": [`Probability of ${rare} minus its share, in points`, signed],
  };
  return titles[name] ?? [name, plain];
}

/** A change with its sign and interval, in points or as it is. */
function by({ by }: Change, show: Show): string {
  if (by.value === null) return "unknown";
  const own = show === plain;
  const sign = own && by.value > 0 ? "+" : "";
  const interval = ends(by, own ? show : undefined);
  return `${sign}${(own ? show : signed)(by.value)}${own ? "" : "\u00a0points"}${interval && ` (${interval.replaceAll(" ", "\u00a0")})`}`;
}

const HEAD = ["Then → now", "Change (95\u00a0% interval)", "Verdict"];

const cells = (title: string, show: Show, one: Change) => [
  title,
  `${show(one.before.value)}\u00a0→ ${show(one.after.value)}`,
  by(one, show),
  VERDICTS[one.verdict],
];

const isShown = ({ verdict }: Change) => verdict === "higher" || verdict === "lower";

export function ChangesSince() {
  const { model } = view.value;
  const since = model.changes;
  if (!since) return null;
  const shown = since.figures.filter(isShown).length;
  return (
    <Figure
      id="changes"
      wide
      title={`Since ${since.since}`}
      words={
        <>
          The figures of that audit, from {count(since.n)} {noun}s
          {since.model !== model.name && <>, where the model is called {since.model}</>}, beside those of this one, from{" "}
          {count(model.overall.n)}. {shown ? "The last column says" : <b>No figure has changed beyond chance.</b>}
          {shown > 0 && " what chance does not explain, given how many rows there are."}
        </>
      }
      table={{ head: [], rows: [] }}
    >
      <Numbers
        title={`Figures since ${since.since}`}
        head={["Figure", ...HEAD]}
        rows={since.figures.map((one) => cells(...titled(one.name), one))}
      />
      {since.groupings.map(({ name, groups }) => {
        const changed = (group: GroupChange) => Number(isShown(group.accuracy) || isShown(group.gap));
        const first = [...groups].sort((a, b) => changed(b) - changed(a)).slice(0, SHOWN);
        return (
          <div key={name}>
            <Numbers
              title={`By ${name} since ${since.since}`}
              head={[`By ${name}`, ...HEAD]}
              rows={first.flatMap((group) => [
                cells(`Accuracy, ${group.name}`, percent, group.accuracy),
                cells(`Gap in points, ${group.name}`, signed, group.gap),
              ])}
            />
            {groups.length > SHOWN && (
              <p class="words">The other {count(groups.length - SHOWN)} groups are in audit.json.</p>
            )}
          </div>
        );
      })}
      {[since.new, since.gone].flatMap((columns, i) =>
        columns.map(({ name, groups }) => (
          <p class="words" key={`${i} ${name}`}>
            By {name}, {i ? "gone" : "new"} since {since.since}: {groups.slice(0, SHOWN).join(", ")}
            {groups.length > SHOWN && ` and ${count(groups.length - SHOWN)} more`}.
          </p>
        )),
      )}
    </Figure>
  );
}
