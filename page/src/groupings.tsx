// By the groups of the inputs: a picture for each column that they are grouped by.

import { useSignal } from "@preact/signals";
import { sureness } from "./classes";
import { Figure } from "./figure";
import { count, ends, noun, percent, sideOf, signed } from "./format";
import { groupCells, groupHead, groupSentence } from "./levels";
import { Rows, type Row } from "./rows";
import { choose, data, filter, view } from "./state";

const SHOWN = 20;

export function Groupings() {
  return (
    <>
      {data.groupings.map((_, k) => (
        <OneGrouping key={k} k={k} />
      ))}
    </>
  );
}

function OneGrouping({ k }: { k: number }) {
  const shown = useSignal(SHOWN);
  const { name, groups } = view.value.model.groupings[k];
  const first = data.groups.findIndex((one) => one.grouping === k);
  const said = groups.map((group, g) => ({ group, index: first + g })).filter(({ group }) => group.n > 0);
  const many = said.length > SHOWN;
  const sorted = many ? [...said].sort((a, b) => sureness(b.group) - sureness(a.group)) : said;
  const id = `by-${k + 1}`;
  const rows: Row[] = sorted.slice(0, shown.value).map(({ group, index }) => ({
    name: group.name,
    label: groupSentence({ ...group, name: data.groups[index].words }),
    dots: [{ ...group.gap, side: sideOf(group.gap.value), pale: group.few }],
    figures: group.few ? (
      <>too few <small>{count(group.n)}</small></>
    ) : (
      <>
        {signed(group.gap.value)} <small>{ends(group.gap)}</small>
      </>
    ),
    pressed: filter.value.group === index,
    onChoose: (more) => choose(id, { group: index }, more),
  }));
  const left = sorted.length - rows.length;
  return (
    <Figure
      id={id}
      wide
      title={`By ${name}`}
      words={
        <>
          Confidence minus accuracy, in points, with its 95&nbsp;% interval. At 0 the model is calibrated; to
          the right it is over-confident.
          {many && " The groups whose gap is most certain come first."}
          {said.some(({ group }) => group.few) && ` A pale dot is a group with too few ${noun}s.`}
        </>
      }
      table={{
        head: [name, ...groupHead(), "Share of all errors"],
        rows: said.map(({ group }) => [group.name, ...groupCells(group), percent(group.error_share)]),
      }}
    >
      <Rows rows={rows} unit="gap, points" reference={0} label={`Gap by ${name}; the groups are buttons`} />
      {left > 0 && (
        <button type="button" class="more" onClick={() => (shown.value += 100)}>
          {left > 100 ? `Show 100 of the other ${count(left)} groups` : `Show the other ${left} groups`}
        </button>
      )}
    </Figure>
  );
}
