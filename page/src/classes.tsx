// By predicted class, and by class and level.

import { useComputed, useSignal } from "@preact/signals";
import { Figure } from "./figure";
import { count, ends, percent, sideOf, signed, whole } from "./format";
import { groupCells, groupHead, groupSentence } from "./levels";
import type { Cell, Group } from "./payload";
import { Rows, type Heat, type Row } from "./rows";
import { choose, classOrder as order, data, filter, ORDERS, view, type Order } from "./state";

const SHOWN = 20;

/** Where as many or more have too few inputs, and most do, they are left out at first. */
const MANY_FEW = 10;

/** How far the interval of a gap stays away from 0; below 0 where it does not. */
export const sureness = (group: Group) =>
  group.few ? -2 : Math.max(group.gap.low ?? -1, -(group.gap.high ?? 1));

const sizeOf = (group: Group) => (group.few ? -1 : Math.abs(group.gap.value ?? 0));

const BY: Record<Order, (a: Group, b: Group) => number> = {
  gap: (a, b) => sureness(b) - sureness(a),
  size: (a, b) => sizeOf(b) - sizeOf(a),
  name: (a, b) => a.name.localeCompare(b.name),
  accuracy: (a, b) => (a.accuracy.value ?? 2) - (b.accuracy.value ?? 2),
  inputs: (a, b) => b.n - a.n,
};

export function Classes() {
  const { model } = view.value;
  const shown = useSignal(SHOWN);
  const withFew = useSignal(false);
  const R = model.levels?.length ?? 0;
  const cells = useComputed(() => {
    const byPlace = new Map<string, Cell>();
    for (const cell of view.value.model.cells) byPlace.set(`${cell.class} ${cell.level}`, cell);
    return byPlace;
  });
  const said = model.classes
    .map((group, index) => ({ group: { ...group, name: data.classes[index] }, index }))
    .filter(({ group }) => group.n > 0)
    .sort((a, b) => BY[order.value](a.group, b.group) || a.index - b.index);
  const tooFew = said.filter(({ group }) => group.few).length;
  const mostAreFew = tooFew >= MANY_FEW && 2 * tooFew > said.length;
  const groups = mostAreFew && !withFew.value ? said.filter(({ group }) => !group.few) : said;
  const heat = (index: number, r: number): Heat | null => {
    const cell = cells.value.get(`${index} ${r}`);
    if (!cell) return null;
    const name = `${data.classes[index]}, level ${r}`;
    return {
      label: groupSentence({ ...cell, name }),
      text: cell.few ? "·" : whole(cell.gap.value),
      gap: cell.gap.value,
      pale: cell.few,
      pressed: filter.value.predicted === index && filter.value.level === r,
      onChoose: (more) => choose("classes", { predicted: index, level: r }, more),
    };
  };
  const rows: Row[] = groups.slice(0, shown.value).map(({ group, index }) => ({
    name: group.name,
    label: groupSentence(group, "Predicted "),
    dots: [{ ...group.gap, side: sideOf(group.gap.value), pale: group.few }],
    figures: group.few ? (
      <>too few <small>{count(group.n)}</small></>
    ) : (
      <>
        {signed(group.gap.value)} <small>{ends(group.gap)}</small>
      </>
    ),
    pressed: filter.value.predicted === index && filter.value.level === null,
    onChoose: (more) => choose("classes", { predicted: index, ...(more ? {} : { level: null }) }, more),
    cells: R ? Array.from({ length: R }, (_, r) => heat(index, r)) : undefined,
  }));
  if (!model.classes.length) return null;
  const left = groups.length - rows.length;
  const never = model.classes.length - said.length;
  return (
    <Figure
      id="classes"
      wide
      title={R ? "By predicted class and robustness" : "By predicted class"}
      words={
        <>
          Confidence minus accuracy, in points, for each predicted class, with its 95&nbsp;% interval. At 0 the
          model is calibrated; to the right it is over-confident.
          {R > 0 && " The squares show the gap in each robustness level, 0 being the least robust; a dot means too few inputs to tell."}
          {said.some(({ group }) => group.few) && !mostAreFew && " A pale dot is a class with too few inputs."}
          {never > 0 && ` ${never === 1 ? "One class is" : `${count(never)} classes are`} never predicted.`}
        </>
      }
      controls={
        <label>
          Order{" "}
          <select
            aria-label="Order of the classes"
            value={order.value}
            onChange={(event) => (order.value = event.currentTarget.value as Order)}
          >
            {Object.entries(ORDERS).map(([key, title]) => (
              <option value={key} key={key}>
                {title}
              </option>
            ))}
          </select>
        </label>
      }
      table={{
        head: ["Class", ...groupHead(), "Share of all errors", ...Array.from({ length: R }, (_, r) => `Gap in level ${r}`)],
        rows: said.map(({ group, index }) => [
          group.name,
          ...groupCells(group),
          percent(group.error_share),
          ...Array.from({ length: R }, (_, r) => {
            const cell = cells.value.get(`${index} ${r}`);
            return !cell ? "–" : cell.few ? "too few" : `${signed(cell.gap.value)} (n ${count(cell.n)})`;
          }),
        ]),
      }}
    >
      {mostAreFew && (
        <p class="words">
          {tooFew === said.length ? "All" : `${count(tooFew)} of the`} {count(said.length)} predicted
          classes have too few inputs for a verdict{withFew.value ? ": they are pale." : "."}
          {!withFew.value && groups.length > 0 && ` The other ${groups.length === 1 ? "one is" : `${count(groups.length)} are`} shown.`}
        </p>
      )}
      {rows.length > 0 && <Rows
        rows={rows}
        unit="gap, points"
        reference={0}
        label="Gap by predicted class; classes and cells are buttons"
        cellHead={R ? Array.from({ length: R }, (_, r) => String(r)) : undefined}
      />}
      {left > 0 && (
        <button type="button" class="more" onClick={() => (shown.value += 100)}>
          {left > 100 ? `Show 100 of the other ${count(left)} classes` : `Show the other ${left} classes`}
        </button>
      )}
      {left === 0 && mostAreFew && !withFew.value && (
        <button type="button" class="more" onClick={() => (withFew.value = true)}>
          Show those with too few
        </button>
      )}
    </Figure>
  );
}

