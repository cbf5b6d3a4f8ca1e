// A share of the inputs, with its interval, over a quantity: read by pointing at the place, or by the arrow keys.

import { scaleLinear } from "d3-scale";
import { percent } from "./format";
import { moveAmongMarks, PercentAxis, Picture } from "./marks";
import type { Estimate } from "./payload";
import { second } from "./state";

const HEIGHT = 250;
const PAD = { left: 40, right: 12, top: 24, bottom: 40 };
/** The parts of the picture that are read one by one. */
const STRIPS = 40;

/** A point of a curve, and what is said of it. */
export interface Point {
  x: number;
  share: Estimate;
  reads: string;
}

interface Props {
  points: Point[];
  /** The curve of what the model is compared with. */
  other: Point[] | null;
  /** From where to where the axes go. */
  across: [number, number];
  up: [number, number];
  /** The quantities of the axes, and one of the horizontal axis in words. */
  unit: string;
  of: string;
  tick: (x: number) => string;
  label: string;
}

const nearest = (points: Point[], x: number) =>
  points.reduce((best, point) => (Math.abs(point.x - x) < Math.abs(best.x - x) ? point : best));

export function Curve(props: Props) {
  return (
    <>
      <Picture>{(width) => <Drawn {...props} width={width} />}</Picture>
      {props.other && (
        <p class="legend">
          <svg width="24" height="14" aria-hidden="true">
            <line class="curve other" x1="0" x2="24" y1="7" y2="7" />
          </svg>
          {second.value!.name}
        </p>
      )}
    </>
  );
}

function Drawn({ points, other, across, up, unit, of, tick, label, width }: Props & { width: number }) {
  const right = Math.min(width, 620) - PAD.right;
  const base = PAD.top + HEIGHT;
  const x = scaleLinear(across, [PAD.left, right]);
  const y = scaleLinear(up, [base, PAD.top]);
  const line = (some: Point[], end: "value" | "low" | "high") =>
    some.map((point) => `${x(point.x)},${y(Math.max(point.share[end] ?? 0, up[0]))}`);
  const band = [...line(points, "high"), ...line(points, "low").reverse()];
  return (
    <svg
      width={right + PAD.right}
      height={base + PAD.bottom}
      role="group"
      aria-label={label}
      onKeyDown={(event) => moveAmongMarks(event)}
    >
      <PercentAxis y={y} from={PAD.left} to={right} />
      {x.ticks(5).map((t) => (
        <text key={t} x={x(t)} y={base + 16} text-anchor="middle" aria-hidden="true">
          {tick(t)}
        </text>
      ))}
      <polygon class="band" points={band.join(" ")} />
      <polyline class="curve" points={line(points, "value").join(" ")} />
      {other && <polyline class="curve other" points={line(other, "value").join(" ")} />}
      {Array.from({ length: STRIPS }, (_, i) => {
        const wide = (right - PAD.left) / STRIPS;
        const from = PAD.left + i * wide;
        const point = nearest(points, x.invert(from + wide / 2));
        return (
          <rect
            key={i}
            class="strip"
            x={from}
            width={wide}
            y={PAD.top}
            height={HEIGHT}
            data-mark="0"
            role="img"
            tabindex={i === 0 ? 0 : -1}
            aria-label={point.reads}
          />
        );
      })}
      <text class="unit" x={PAD.left} y={PAD.top - 12} aria-hidden="true">
        {unit}
      </text>
      <text class="unit" x={right} y={base + 34} text-anchor="end" aria-hidden="true">
        {of} →
      </text>
    </svg>
  );
}

/** The first and the last share, for whoever does not see the picture. */
export const fromTo = (points: Point[]) =>
  [points[0], points.at(-1)!].map((point) => percent(point.share.value));
