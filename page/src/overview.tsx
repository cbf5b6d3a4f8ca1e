// The figures over all inputs, of every model.

import { restsOn } from "./figures";
import { ends, inputs, noun, percent, plain, points, signed, type Show } from "./format";
import type { Difference, Estimate, Model, Overall } from "./payload";
import { data, modelIndex, showModel, view } from "./state";

interface Reading {
  name: string;
  about: string;
  of: (overall: Overall) => Estimate;
  differs?: (difference: Difference) => Estimate;
  show: Show;
  unit: string;
}

const READINGS: Reading[] = [
  { name: "Accuracy", about: "How often it is right", of: (o) => o.accuracy, differs: (d) => d.accuracy, show: percent, unit: "" },
  {
    name: "Confidence",
    about: "How sure it says it is, on average",
    of: (o) => ({ value: o.confidence, low: null, high: null, n: o.accuracy.n }),
    show: percent,
    unit: "",
  },
  { name: "Gap", about: "Confidence minus accuracy", of: (o) => o.gap, differs: (d) => d.gap, show: signed, unit: "points" },
  { name: "ECE", about: "How far apart confidence and accuracy are, over the range of confidence", of: (o) => o.ece, show: points, unit: "points" },
  { name: "Smooth ECE", about: "The same without bins", of: (o) => o.smooth_ece, show: points, unit: "points" },
  { name: "Log-loss", about: "Scores all probabilities; lower is better", of: (o) => o.nll, differs: (d) => d.nll, show: plain, unit: "" },
  { name: "Brier", about: "Scores all probabilities; lower is better", of: (o) => o.brier, differs: (d) => d.brier, show: plain, unit: "" },
];

export function Overview() {
  const several = data.views.length > 1;
  const differences = data.views.flatMap(({ model }) => model.difference ?? []);
  return (
    <>
    <div class={several ? "overview several" : "overview"}>
      {data.views.map(({ model }, i) => (
        <div class="readings" key={i} role="group" aria-label={model.name}>
          {several && (
            <button
              type="button"
              class="model"
              aria-pressed={modelIndex.value === i}
              onClick={() => showModel(i)}
            >
              <span>{model.name}</span>
            </button>
          )}
          {READINGS.map((reading) => (
            <ReadingOf key={reading.name} reading={reading} model={model} />
          ))}
        </div>
      ))}
    </div>
    <Terms />
    {differences.length > 0 && (
      <p class="words">
        “Against the first” is the difference from {differences[0].than} on the same {noun}s, with its 95&nbsp;%
        interval: one that excludes 0 shows a difference, though one interval in twenty may do so by chance.
      </p>
    )}
    </>
  );
}

/** What the figures are, and on how many inputs those of the chosen model rest. */
function Terms() {
  const { overall } = view.value.model;
  return (
    <details class="terms">
      <summary>What these figures are</summary>
      <dl>
        {READINGS.filter(({ of }) => of(overall).value !== null).map(({ name, about, of }) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{`${about}; ${restsOn(of(overall).n)}`}</dd>
          </div>
        ))}
        <div>
          <dt>If calibrated</dt>
          <dd>
            The ECE that a calibrated model with these confidences would have by chance: its mean, and what it
            stays below in 95&nbsp;% of draws
          </dd>
        </div>
        <div>
          <dt>The lines</dt>
          <dd>The 95&nbsp;% interval of a figure; the upright mark is the best value</dd>
        </div>
      </dl>
    </details>
  );
}

/** A difference with its sign and interval, in points or as it is. */
function against(estimate: Estimate, show: Show): string {
  if (estimate.value === null) return "unknown";
  const inPoints = show !== plain;
  const interval = ends(estimate, inPoints ? undefined : show);
  const sign = estimate.value > 0 && !inPoints ? "+" : "";
  return `${sign}${(inPoints ? signed : show)(estimate.value)} (${interval})`;
}

/** What the intervals of all models span, with the ends that mean something. */
function domainOf(reading: Reading): [number, number] {
  const ends = data.views.flatMap(({ model }) => {
    const { low, value, high } = reading.of(model.overall);
    return [low, value, high].filter((v): v is number => v !== null && Number.isFinite(v));
  });
  const share = reading.name === "Accuracy";
  return [Math.min(...ends, share ? 1 : 0), Math.max(...ends, share ? 1 : 0)];
}

/** An interval on a line that starts, or ends, at what would be best. */
function Interval({ estimate, domain }: { estimate: Estimate; domain: [number, number] }) {
  const place = (value: number) => `${2 + (96 * (value - domain[0])) / (domain[1] - domain[0] || 1)}%`;
  const best = domain[1] === 1 ? 1 : 0;
  return (
    <svg class="interval" width="100%" height="14" aria-hidden="true">
      <line class="track-line" x1="2%" x2="98%" y1="7" y2="7" />
      <line class="best" x1={place(best)} x2={place(best)} y1="2" y2="12" />
      <line class="whisker" x1={place(estimate.low!)} x2={place(estimate.high!)} y1="7" y2="7" />
      <circle cx={place(estimate.value!)} cy="7" r="3.5" />
    </svg>
  );
}

function ReadingOf({ reading, model }: { reading: Reading; model: Model }) {
  const estimate = reading.of(model.overall);
  const inPoints = reading.unit === "points";
  const interval = inPoints ? ends(estimate) : ends(estimate, reading.show);
  const calm = reading.name === "ECE" ? model.overall.ece_if_calibrated : null;
  if (estimate.value === null || estimate.value === undefined) return null;
  return (
    <div class="reading">
      <span class="what">{reading.name}</span>
      <b>
        {reading.show(estimate.value)}
        {reading.unit && <small> {reading.unit}</small>}
      </b>
      {interval && <Interval estimate={estimate} domain={domainOf(reading)} />}
      <small>{interval ? interval : `of ${inputs(model.overall.n)}`}</small>
      {calm && (
        <small>
          if calibrated: {points(calm.value)}, up to {points(calm.high)}
        </small>
      )}
      {model.difference && reading.differs && (
        <small class="against">
          against the first: {against(reading.differs(model.difference), reading.show)}
        </small>
      )}
    </div>
  );
}
