// The inputs to look at first: labels that may be wrong, and what is right but easily changed.

import { Figure } from "./figure";
import { called, count, percent, plain } from "./format";
import { data, opened, refine, sort, view, clear } from "./state";
import { nameOf, Thumbnail } from "./thumbnail";

const PICTURES = 10;
const LINES = 4;

interface Kind {
  id: string;
  title: string;
  list: "suspects" | "fragile";
  words: string;
  ranks: (one: typeof view.value) => ArrayLike<number> | null;
}

const WRONG_ANSWERS = {
  title: "Wrong, and sure",
  words: "The wrong answers with the highest confidence. Some may have been graded wrongly: look at them to tell.",
};

const KINDS: Kind[] = [
  {
    id: "suspects",
    title: "Suspect labels",
    list: "suspects",
    words:
      "The model contradicts these labels the most. Some of them are wrong labels, others are mistakes of the model: look at them to tell.",
    ranks: (one) => one.suspectRank,
  },
  {
    id: "fragile",
    title: "Right but fragile",
    list: "fragile",
    words:
      "The model is right on these, but the smallest changes flip its prediction. Trust its confidence least here.",
    ranks: (one) => one.fragileRank,
  },
];

function inOrder(ranks: ArrayLike<number> | null): number[] {
  const rows = Array.from({ length: data.N }, (_, i) => i).filter((i) => ranks && ranks[i] >= 0);
  return rows.sort((a, b) => ranks![a] - ranks![b]);
}

export function Worst() {
  return (
    <>
      {KINDS.map((kind) => (
        <WorstOf key={kind.id} kind={data.answers && kind.list === "suspects" ? { ...kind, ...WRONG_ANSWERS } : kind} />
      ))}
    </>
  );
}

function WorstOf({ kind }: { kind: Kind }) {
  const one = view.value;
  const rows = inOrder(kind.ranks(one));
  if (!rows.length) return null;
  const shown = rows.slice(0, data.payload.images ? PICTURES : LINES);
  const show = () => {
    clear();
    refine({ list: kind.list });
    sort.value = { key: kind.list === "suspects" ? "suspect" : "fragile", descending: false };
    document.getElementById("inputs")!.scrollIntoView({ block: "start" });
  };
  return (
    <Figure
      id={kind.id}
      title={kind.title}
      words={kind.words}
      table={{
        head: [
          called(),
          ...(data.answers ? [] : ["Label", "Said"]),
          "Confidence",
          ...(one.distance ? ["Distance"] : []),
        ],
        rows: rows
          .slice(0, 50)
          .map((i) => [
            nameOf(i),
            ...(data.answers ? [] : [data.classes[data.label[i]], data.classes[one.predicted[i]]]),
            percent(one.confidence[i]),
            ...(one.distance ? [plain(one.distance[i])] : []),
          ]),
      }}
    >
      <div class={data.payload.images ? "worst pictures" : "worst"}>
        {shown.map((row) => (
          <Thumbnail key={row} row={row} onOpen={() => (opened.value = row)} plainly />
        ))}
      </div>
      <button type="button" class="more" onClick={show}>
        {rows.length > shown.length ? `All ${count(rows.length)} in the list` : "In the list"}
      </button>
    </Figure>
  );
}
