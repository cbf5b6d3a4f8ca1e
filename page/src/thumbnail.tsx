// One input in the list: its picture, or its words, and what is said of it.

import { useLayoutEffect, useRef } from "preact/hooks";
import { called, percent, plain } from "./format";
import type { Sheets } from "./payload";
import { drawTile } from "./sheets";
import { data, disagreement, filter, isRight, second, sort, view } from "./state";

/** The side of a thumbnail on the page; few pixels are shown as whole squares. */
const THUMB = 96;

function shownSize(sheets: Sheets, size: number): { width: string; height: string } {
  const scale = size / Math.max(sheets.width, sheets.height);
  const whole = scale >= 2 ? Math.floor(scale) : scale;
  return { width: `${whole * sheets.width}px`, height: `${whole * sheets.height}px` };
}

interface TileProps {
  sheets: Sheets;
  tile: number;
  size?: number;
  label?: string;
}

export function Tile({ sheets, tile, size, label }: TileProps) {
  const ref = useRef<HTMLCanvasElement>(null);
  useLayoutEffect(() => drawTile(ref.current!, sheets, tile), [sheets, tile]);
  const said = label ? { role: "img" as const, "aria-label": label } : { "aria-hidden": true as const };
  return (
    <canvas
      ref={ref}
      class={Math.max(sheets.width, sheets.height) <= 48 ? "tile pixels" : "tile"}
      width={sheets.width}
      height={sheets.height}
      style={size ? shownSize(sheets, size) : undefined}
      {...said}
    />
  );
}

export const nameOf = (row: number) => data.names?.[row] ?? String(data.id[row]);

/** What the list is sorted by, of one input. */
export function measured(row: number): string {
  const one = view.value;
  const rank = (ranks: ArrayLike<number> | null) =>
    ranks && ranks[row] >= 0 ? `no. ${ranks[row] + 1}` : "";
  switch (sort.value.key) {
    case "loss":
      return `loss ${plain(one.loss[row])}`;
    case "distance":
      return one.distance![row] === Infinity ? "none found" : `dist. ${plain(one.distance![row])}`;
    case "disagreement":
      return Number.isNaN(disagreement.value![row])
        ? "used to fit"
        : `apart ${disagreement.value![row].toFixed(2)}`;
    case "suspect":
      return rank(one.suspectRank) || `loss ${plain(one.loss[row])}`;
    case "fragile":
      return rank(one.fragileRank) || (one.distance ? `dist. ${plain(one.distance[row])}` : "");
    case "id":
      return nameOf(row);
    default:
      return "";
  }
}

export function saidOf(row: number): string {
  const one = view.value;
  const right = isRight(one.predicted, row);
  const label = data.classes[data.label[row]];
  const words = data.classes[one.predicted[row]];
  if (data.answers) return `${called()} ${nameOf(row)}: ${words}, confidence ${percent(one.confidence[row])}`;
  return (
    `${called()} ${nameOf(row)}: ` +
    (right ? `right, ${label}` : `wrong, said ${words}, is ${label}`) +
    `, confidence ${percent(one.confidence[row])}`
  );
}

interface Props {
  row: number;
  onOpen: () => void;
  tabIndex?: number;
  /** Without what it is compared with and what the list is sorted by. */
  plainly?: boolean;
}

export function Thumbnail({ row, onOpen, tabIndex, plainly }: Props) {
  const one = view.value;
  const two = plainly ? null : second.value;
  const images = data.payload.images;
  const right = isRight(one.predicted, row);
  const label = data.classes[data.label[row]];
  const predicted = data.classes[one.predicted[row]];
  const under = plainly || filter.value.shift === null ? null : one.shift[filter.value.shift];
  const shared = {
    type: "button" as const,
    tabIndex,
    "aria-label": saidOf(row),
    title: saidOf(row),
    onClick: onOpen,
    "data-row": row,
  };
  const verdict = (
    <span class={right ? "said" : "said mistaken"}>
      <span class="class">{right ? predicted : `✕ ${predicted}`}</span>{" "}
      <i>{percent(one.confidence[row], 0)}</i>
    </span>
  );
  const then =
    under?.predicted && !Number.isNaN(under.predicted[row]) ? (
      <span class="said mistaken">
        <span class="class">→ {data.classes[under.predicted[row]]}</span>{" "}
        <i>{under.confidence ? percent(under.confidence[row], 0) : ""}</i>
      </span>
    ) : two && !Number.isNaN(two.confidence[row]) ? (
      <span class={isRight(two.predicted, row) ? "said" : "said mistaken"}>
        <span class="class">
          {isRight(two.predicted, row) ? "" : "✕ "}
          {data.classes[two.predicted[row]]}
        </span>{" "}
        <i>{percent(two.confidence[row], 0)}</i>
      </span>
    ) : null;
  const is = <span class="is">{(right && !then) || data.answers ? " " : `is ${label}`}</span>;
  if (images)
    return (
      <button class={right ? "thumb" : "thumb mistaken"} {...shared}>
        <span class="frame">
          <Tile sheets={images} tile={row} size={THUMB} />
        </span>
        {verdict}
        {then}
        {is}
        {!plainly && <span class="is">{measured(row)}</span>}
      </button>
    );
  const words = wordsOf(row);
  return (
    <button class={`line-input${right ? "" : " mistaken"}${words ? "" : " bare"}`} {...shared}>
      <span class="what">
        <b>{nameOf(row)}</b> {words}
      </span>
      {verdict}
      {then}
      <span class="is">{data.answers ? " " : `is ${label}`}</span>
      {!plainly && <span class="is measured">{measured(row)}</span>}
    </button>
  );
}

/** The text of an input, or the first of its columns. */
export function wordsOf(row: number): string {
  const { texts } = data.payload;
  if (texts) return texts[row];
  if (!data.table) return "";
  const { columns, values } = data.table;
  return columns
    .slice(0, 6)
    .map((name, k) => `${name} ${plain(values[row * columns.length + k])}`)
    .join(" · ");
}
