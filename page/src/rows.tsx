// Pictures of many rows: a name, a dot with its interval on an axis they share, figures, cells.

import { scaleLinear } from "d3-scale";
import type { ComponentChildren } from "preact";
import { moveAmongMarks } from "./marks";

export interface Dot {
  value: number | null;
  low: number | null;
  high: number | null;
  /** How it is drawn: its side, hollow where it is the state before, pale where inputs are few. */
  side?: "over" | "under" | "none";
  hollow?: boolean;
  pale?: boolean;
  text?: string;
}

export interface Heat {
  label: string;
  text: string;
  gap: number | null;
  pale: boolean;
  pressed: boolean;
  onChoose: ((more: boolean) => void) | null;
}

export interface Row {
  name: ComponentChildren;
  label: string;
  dots: Dot[];
  figures: ComponentChildren;
  pressed: boolean;
  onChoose: ((more: boolean) => void) | null;
  cells?: (Heat | null)[];
}

interface Props {
  rows: Row[];
  unit: string;
  /** What the axis counts in, where that is not the unit of the figures beside it. */
  sign?: string;
  /** The axis shows values times this: shares in points unless said otherwise. */
  times?: number;
  /** Where on the axis nothing is wrong, or what others are held against. */
  reference: number;
  /** The ends of the axis, where they are known beforehand. */
  ends?: [number, number];
  cellHead?: string[];
  label: string;
}

/** A tint by the size of a gap: 20 points are the fullest. */
export function tint(gap: number | null): Record<string, string> | undefined {
  if (gap === null || !Number.isFinite(gap)) return undefined;
  const share = Math.round(Math.min(1, Math.abs(gap) / 0.2) * 62);
  return {
    backgroundColor: `color-mix(in oklab, var(--${gap > 0 ? "over" : "under"}) ${share}%, var(--paper))`,
  };
}

/** Characters that the labels of the axis may have together: a phone has room for no more. */
const MOST_DIGITS = 13;

/** The narrowest axis, a point: on a shorter one what is next to nothing looks large. */
const NARROWEST = 0.01;

/** The ends of an axis, moved apart where they are close, but not past 0. */
function wideEnough(low: number, high: number): [number, number] {
  const start = Math.min(low, (low + high - NARROWEST) / 2);
  const from = low < 0 ? start : Math.max(start, 0);
  return [from, Math.max(high, from + NARROWEST)];
}

export function Rows({ rows, unit, sign = "", times = 100, reference, ends: axis, cellHead, label }: Props) {
  const ends = rows.flatMap((row) =>
    row.dots.flatMap((dot) => (dot.pale ? [dot.value] : [dot.value, dot.low, dot.high])),
  );
  const known = [reference, ...ends.filter((v): v is number => v !== null && Number.isFinite(v))];
  const x = scaleLinear(axis ?? wideEnough(Math.min(...known), Math.max(...known)), [2, 98]).nice(5);
  x.clamp(true);
  const tickLabel = (t: number) => String(+(times * t).toFixed(1)).replace("-", "−");
  const every = [4, 3, 2, 1].map((n) => x.ticks(n));
  const ticks = every.find((some) => (some.map(tickLabel).join("") + sign).length <= MOST_DIGITS) ?? every[3];
  const place = (value: number) => `${x(value)}%`;
  return (
    <div
      class={cellHead ? "rows with-cells" : "rows"}
      role="group"
      aria-label={label}
      onKeyDown={(event) => moveAmongMarks(event)}
    >
      <div class="row head" aria-hidden="true">
        <div class="line">
          <span class="name" />
          <svg class="track axis" height="18" width="100%">
            {ticks.map((t) => (
              <text key={t} x={place(t)} y="13" text-anchor="middle">
                {tickLabel(t) + (t === ticks[0] ? sign : "")}
              </text>
            ))}
          </svg>
          <span class="figures unit">{unit}</span>
        </div>
        {cellHead && (
          <span class="cells">
            {cellHead.map((name) => (
              <i key={name}>{name}</i>
            ))}
          </span>
        )}
      </div>
      {rows.map((row, i) => {
        const inside = (
          <>
            <span class="name">
              <span>{row.name}</span>
            </span>
            <svg class="track" height="26" width="100%" aria-hidden="true">
              {ticks.map((t) => (
                <line key={t} class="grid" x1={place(t)} x2={place(t)} y1="0" y2="26" />
              ))}
              <line class="reference" x1={place(reference)} x2={place(reference)} y1="0" y2="26" />
              {row.dots.length === 2 && row.dots.every((dot) => dot.value !== null) && (
                <line class="step" x1={place(row.dots[0].value!)} x2={place(row.dots[1].value!)} y1="13" y2="13" />
              )}
              {row.dots.map((dot, k) => dot.value !== null && <DotMark key={k} dot={dot} place={place} y={row.dots.length === 2 ? 9 + 8 * k : 13} />)}
            </svg>
            <span class="figures">{row.figures}</span>
          </>
        );
        return (
          <div class={row.pressed ? "row pressed" : "row"} key={i} data-line>
            {row.onChoose ? (
              <button
                type="button"
                class="line"
                data-mark="0"
                tabIndex={i === 0 ? 0 : -1}
                aria-label={row.label}
                aria-pressed={row.pressed}
                onClick={(event) => row.onChoose!(event.shiftKey)}
              >
                {inside}
              </button>
            ) : (
              <div class="line" data-mark="0" role="img" tabIndex={i === 0 ? 0 : -1} aria-label={row.label}>
                {inside}
              </div>
            )}
            {row.cells && (
              <span class="cells">
                {row.cells.map((cell, k) =>
                  cell === null ? (
                    <i key={k} class="none" />
                  ) : (
                    <HeatCell key={k} cell={cell} column={k + 1} />
                  ),
                )}
              </span>
            )}
          </div>
        );
      })}
    </div>
  );
}

function DotMark({ dot, place, y }: { dot: Dot; place: (value: number) => string; y: number }) {
  const side = dot.side ?? "none";
  return (
    <g class={`dot ${side}${dot.hollow ? " hollow" : ""}${dot.pale ? " few" : ""}`}>
      {dot.low !== null && dot.high !== null && (
        <line class="whisker" x1={place(dot.low)} x2={place(dot.high)} y1={y} y2={y} />
      )}
      <circle cx={place(dot.value!)} cy={y} r="4.5" />
      {dot.text && (
        <text x={place(dot.value!)} y={y} dy="-7" text-anchor="middle">
          {dot.text}
        </text>
      )}
    </g>
  );
}

function HeatCell({ cell, column }: { cell: Heat; column: number }) {
  const props = {
    "data-mark": column,
    "aria-label": cell.label,
    tabIndex: -1,
    class: `heat${cell.pale ? " pale" : ""}${cell.pressed ? " pressed" : ""}`,
    style: cell.pale ? undefined : tint(cell.gap),
  };
  if (!cell.onChoose) return <i {...props} role="img">{cell.text}</i>;
  return (
    <button
      type="button"
      {...props}
      aria-pressed={cell.pressed}
      onClick={(event) => cell.onChoose!(event.shiftKey)}
    >
      {cell.text}
    </button>
  );
}
