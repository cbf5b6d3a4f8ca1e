// How many inputs are right and stay so, by the size of a change.

import { scaleLinear } from "d3-scale";
import { Figure } from "./figure";
import { ends, percent, plain } from "./format";
import { PercentAxis, Picture } from "./marks";
import type { RobustAccuracyAt } from "./payload";
import { data, second, view } from "./state";

const HEIGHT = 250;
const PAD = { left: 40, right: 12, top: 24, bottom: 40 };
/** Of the points, those that are in the table. */
const EVERY = 5;
/** The parts of the picture that are read one by one. */
const STRIPS = 40;

type Curve = RobustAccuracyAt[];

export function RobustAccuracy() {
  const curve = view.value.model.robust_accuracy;
  return curve && curve.length > 1 ? <Drawn curve={curve} /> : null;
}

/** The curve of the model that is compared with, if it has one. */
function curveOfSecond(): Curve | null {
  const other = second.value?.model ?? null;
  return other === null ? null : (data.views[other].model.robust_accuracy ?? null);
}

const sentence = ({ radius, accuracy }: RobustAccuracyAt) =>
  radius === 0
    ? `Unchanged: ${percent(accuracy.value)} are right (${ends(accuracy, percent)})`
    : `Right, and not flipped by a change of ${plain(radius)}: ${percent(accuracy.value)} (${ends(accuracy, percent)})`;

const NORMS = { l2: "L2 norm", linf: "L-infinity norm" };

const norm = () => NORMS[view.value.model.norm ?? "l2"];

const nearest = (curve: Curve, radius: number) =>
  curve.reduce((best, point) => (Math.abs(point.radius - radius) < Math.abs(best.radius - radius) ? point : best));

function Drawn({ curve }: { curve: Curve }) {
  const other = curveOfSecond();
  return (
    <Figure
      id="robust"
      title="How often it stays right when inputs change"
      words={
        <>
          The share of inputs that the model gets right, and that no change up to a given size flips, with its
          95&nbsp;% interval. A flip that the attack missed would lower it.
        </>
      }
      hint="Point at the curve to read it."
      table={{
        head: [`Size of the change (${norm()})`, "Right and not flipped", "95\u00a0%"],
        rows: curve
          .filter((_, i) => i % EVERY === 0 || i === curve.length - 1)
          .map(({ radius, accuracy }) => [plain(radius), percent(accuracy.value), ends(accuracy, percent)]),
      }}
    >
      <Picture>{(width) => <Diagram curve={curve} other={other} width={width} />}</Picture>
      {other && (
        <p class="legend">
          <svg width="24" height="14" aria-hidden="true">
            <line class="curve other" x1="0" x2="24" y1="7" y2="7" />
          </svg>
          {second.value!.name}
        </p>
      )}
    </Figure>
  );
}

function Diagram({ curve, other, width }: { curve: Curve; other: Curve | null; width: number }) {
  const right = Math.min(width, 620) - PAD.right;
  const base = PAD.top + HEIGHT;
  const furthest = Math.max(...[...curve, ...(other ?? [])].map((point) => point.radius));
  const x = scaleLinear([0, furthest], [PAD.left, right]);
  const y = scaleLinear([0, 1], [base, PAD.top]);
  const line = (points: Curve, of: (point: RobustAccuracyAt) => number | null) =>
    points.map((point) => `${x(point.radius)},${y(of(point) ?? 0)}`);
  const low = line(curve, (point) => point.accuracy.low);
  const high = line(curve, (point) => point.accuracy.high);
  return (
    <svg
      width={right + PAD.right}
      height={base + PAD.bottom}
      role="img"
      aria-label={`Robust accuracy, from ${percent(curve[0].accuracy.value)} of inputs as they are to ${percent(
        curve.at(-1)!.accuracy.value,
      )} under changes of ${plain(curve.at(-1)!.radius)}; the table has the numbers`}
    >
      <PercentAxis y={y} from={PAD.left} to={right} />
      {x.ticks(5).map((t) => (
        <text key={t} x={x(t)} y={base + 16} text-anchor="middle" aria-hidden="true">
          {t}
        </text>
      ))}
      <polygon class="band" points={[...high, ...low.reverse()].join(" ")} />
      <polyline class="curve" points={line(curve, (point) => point.accuracy.value).join(" ")} />
      {other && <polyline class="curve other" points={line(other, (point) => point.accuracy.value).join(" ")} />}
      {Array.from({ length: STRIPS }, (_, i) => {
        const wide = (right - PAD.left) / STRIPS;
        const from = PAD.left + i * wide;
        const point = nearest(curve, x.invert(from + wide / 2));
        return (
          <rect key={i} class="strip" x={from} width={wide} y={PAD.top} height={HEIGHT} data-reads={sentence(point)} />
        );
      })}
      <text class="unit" x={PAD.left} y={PAD.top - 12} aria-hidden="true">
        % right and not flipped
      </text>
      <text class="unit" x={right} y={base + 34} text-anchor="end" aria-hidden="true">
        size of the change ({norm()}) →
      </text>
    </svg>
  );
}
