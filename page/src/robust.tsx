// How many inputs are right and stay so, by the size of a change.

import { Curve, fromTo, type Point } from "./curve";
import { Figure } from "./figure";
import { ends, inputs, percent, plain } from "./format";
import type { RobustAccuracyAt } from "./payload";
import { data, second, view } from "./state";

/** Of the points, those that are in the table. */
const EVERY = 5;

export function RobustAccuracy() {
  const curve = view.value.model.robust_accuracy;
  return curve && curve.length > 1 ? <Drawn curve={curve} /> : null;
}

/** The curve of the model that is compared with, if it has one. */
function curveOfSecond(): RobustAccuracyAt[] | null {
  const other = second.value?.model ?? null;
  return other === null ? null : (data.views[other].model.robust_accuracy ?? null);
}

const sentence = ({ radius, accuracy }: RobustAccuracyAt) =>
  radius === 0
    ? `Unchanged: ${percent(accuracy.value)} are right (${ends(accuracy, percent)})`
    : `Right, and not flipped by a change of ${plain(radius)}: ${percent(accuracy.value)} (${ends(accuracy, percent)})`;

const pointOf = (one: RobustAccuracyAt): Point => ({ x: one.radius, share: one.accuracy, reads: sentence(one) });

const NORMS = { l2: "L2 norm", linf: "L-infinity norm" };

const norm = () => NORMS[view.value.model.norm ?? "l2"];

/** How many inputs count at every size because the attack failed on them; nothing where none do. */
function withoutDistance(): string {
  const n = view.value.model.without_distance ?? 0;
  if (n === 0) return "";
  const they = n === 1 ? "It counts" : "They count";
  return ` The attack failed on ${inputs(n)} that the model gets right. ${they} as not flipped at any size.`;
}

function Drawn({ curve }: { curve: RobustAccuracyAt[] }) {
  const points = curve.map(pointOf);
  const other = curveOfSecond()?.map(pointOf) ?? null;
  const [first, last] = fromTo(points);
  const furthest = Math.max(...[...points, ...(other ?? [])].map((point) => point.x));
  return (
    <Figure
      id="robust"
      title="How often it stays right when inputs change"
      words={
        <>
          The share of inputs that the model gets right, and that no change up to a given size flips, with its
          95&nbsp;% interval. A flip that the attack missed would lower it.
          {withoutDistance()}
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
      <Curve
        points={points}
        other={other}
        across={[0, furthest]}
        up={[0, 1]}
        unit="% right and not flipped"
        of={`size of the change (${norm()})`}
        tick={String}
        label={`Robust accuracy, from ${first} of inputs as they are to ${last} under changes of ${plain(
          curve.at(-1)!.radius,
        )}; the table has the numbers`}
      />
    </Figure>
  );
}
