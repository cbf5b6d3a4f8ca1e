// How often it is right where it is sure, and how sure that must be.

import { Curve, fromTo, type Point } from "./curve";
import { Figure } from "./figure";
import { count, ends, noun, percent, plain, withInterval } from "./format";
import type { Acting as Found, SureOf, Threshold } from "./payload";
import { data, second, view } from "./state";

/** Of the points, those that are in the table. */
const EVERY = 5;

export function Acting() {
  const found = view.value.model.acting;
  return found && found.curve.length > 1 ? <Drawn found={found} /> : null;
}

/** The curve of the model that is compared with, if it has one. */
function curveOfSecond(): SureOf[] | null {
  const other = second.value?.model ?? null;
  return other === null ? null : (data.views[other].model.acting?.curve ?? null);
}

/** A confidence as a percentage, rounded up, with the digits that tell it from 100. */
function sure(confidence: number): string {
  const digits = confidence < 0.99 ? 1 : confidence < 0.9999 ? 3 : 6;
  const steps = Math.ceil(Number((confidence * 10 ** (2 + digits)).toFixed(6)));
  return `${Math.min(steps / 10 ** digits, 100).toFixed(digits)}\u00a0%`;
}

const sentence = ({ confidence, coverage, accuracy }: SureOf) =>
  `The ${percent(coverage)} on which it is at least ${sure(confidence)} sure: ${percent(accuracy.value)} right (${ends(accuracy, percent)})`;

const pointOf = (one: SureOf): Point => ({ x: one.coverage, share: one.accuracy, reads: sentence(one) });

function Drawn({ found }: { found: Found }) {
  const points = found.curve.map(pointOf);
  const other = curveOfSecond()?.map(pointOf) ?? null;
  const [first, last] = fromTo(points);
  const least = Math.min(...[...points, ...(other ?? [])].map((point) => point.share.value!));
  const { overall } = view.value.model;
  const wanted = found.thresholds.filter(({ accuracy }) => accuracy > overall.accuracy.value!);
  return (
    <Figure
      id="acting"
      title="If it only acts when it is sure"
      words={
        <>
          How often it is right on the {noun}s that it is most sure of, with the 95&nbsp;% interval. The more {noun}s it
          acts on, the more of its doubtful answers are among them. The area above this curve, the AURC, is{" "}
          {withInterval(overall.aurc, plain)}: the smaller, the better.
        </>
      }
      hint="Point at the curve to read it."
      table={{
        head: ["Acts on", "Confidence from", "Right", "95\u00a0%"],
        rows: found.curve
          .filter((_, i) => (i + 1) % EVERY === 0 || i === found.curve.length - 1)
          .map(({ confidence, coverage, accuracy }) => [
            percent(coverage),
            sure(confidence),
            percent(accuracy.value),
            ends(accuracy, percent),
          ]),
      }}
    >
      <Curve
        points={points}
        other={other}
        across={[0, 1]}
        up={[Math.floor(20 * Math.max(0, least - 0.01)) / 20, 1]}
        unit="% right"
        of={`% of the ${noun}s, the surest first`}
        tick={(share) => String(Math.round(100 * share))}
        label={`Accuracy by confidence, from ${first} of the surest ${noun}s to ${last} of all; the table has the numbers`}
      />
      {wanted.length > 0 && <Thresholds wanted={wanted} />}
    </Figure>
  );
}

function Thresholds({ wanted }: { wanted: Threshold[] }) {
  return (
    <>
      <div class="scroll" tabIndex={0} role="region" aria-label="Thresholds">
        <table>
          <thead>
            <tr>
              <th scope="col">To be right on</th>
              <th scope="col">require a confidence of</th>
              <th scope="col">share of the {noun}s</th>
            </tr>
          </thead>
          <tbody>
            {wanted.map(({ accuracy, confidence, coverage, n }) => (
              <tr key={accuracy}>
                <th scope="row">{`${Number((100 * accuracy).toFixed(3))}\u00a0% or more`}</th>
                <td>{confidence === null ? "not shown" : sure(confidence)}</td>
                <td>{confidence === null ? "–" : `${percent(coverage)} (${count(n!)})`}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <p class="unit">
        Each of these holds at a confidence level of 95&nbsp;% for {noun}s like the audited ones. The confidences are
        rounded up; audit.json has the exact ones. “Not shown” means that there is none, or that it takes more {noun}s to show one.
      </p>
    </>
  );
}
