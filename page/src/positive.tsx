// The probability of one class against how often inputs are of it.

import { scaleLinear } from "d3-scale";
import { bare, isolated } from "./data";
import { Figure } from "./figure";
import { figuresOf, type Figures } from "./figures";
import { count, ends, inputs, percent, points, signed, sideOf, withInterval, type Show } from "./format";
import { Mark, moveAmongMarks, Patterns, Picture } from "./marks";
import type { ClassProbability, Estimate, ProbabilityBin, Verdict } from "./payload";
import { Legend, Seconds } from "./seconds";
import { choose, data, equalWidths as even, filter, second, view } from "./state";

const HEIGHT = 380;
const PAD = { left: 40, right: 16, top: 14, bottom: 46 };
const TICKS = [0, 0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 1];

/** Axes on which the interval of a share of so many inputs is as long everywhere: wide near 0 and 1. */
const bent = (share: number) => Math.asin(Math.sqrt(Math.min(1, Math.max(0, share))));

const gapOf = ({ probability, frequency }: ProbabilityBin) => {
  const less = (end: number | null) => (probability === null || end === null ? null : probability - end);
  return { value: less(frequency.value), low: less(frequency.high), high: less(frequency.low), n: frequency.n };
};

/** A share that is not 0 with the digits that tell it from others near it. */
const share: Show = (value) => percent(value, value && value < 0.01 ? 2 : 1);
const shortened = (name: string) => (name.length > 24 ? isolated(`${bare(name).slice(0, 22)}…`) : name);

export const rangeOf = (bin: ProbabilityBin) => `${ends(bin, share)}\u00a0%`;

function says(gap: Estimate, verdict: Verdict): string {
  const { value, low, high } = gap;
  if (verdict === "too few" || value === null) return "too few inputs to say more";
  if (low === null || high === null || (low <= 0 && high >= 0)) return `no gap beyond chance (${signed(value)} points)`;
  const size = value > 0 ? { low, high } : { low: -high, high: -low };
  const chance = verdict === "not shown" ? ", which may be chance, given the number of bins" : "";
  return `too ${value > 0 ? "high" : "low"} by ${points(Math.abs(value))} points (${ends(size)})${chance}`;
}

function sentence(bin: ProbabilityBin, name: string): string {
  return (
    `Probability ${rangeOf(bin)}: ${inputs(bin.count)}, of which ${share(bin.frequency.value)} ` +
    `(${ends(bin.frequency, share)}) are ${name}; the mean probability, ${share(bin.probability)}, is ` +
    says(gapOf(bin), bin.verdict)
  );
}

export function Positive() {
  const { positive } = view.value.model;
  return positive ? <OfClass of={positive} /> : null;
}

function OfClass({ of }: { of: ClassProbability }) {
  const bins = even.value ? of.bins_of_equal_width : of.bins;
  const name = data.classes[of.class];
  const first = even.value ? of.bins.length : 0;
  return (
    <Figure
      id="positive"
      title={`How often it is ${shortened(name)}, by its probability`}
      controls={
        <button type="button" class="quiet" aria-pressed={even.value} onClick={() => (even.value = !even.value)}>
          Equal widths
        </button>
      }
      words={
        <>
          The line shows how many of the inputs with about this probability are {name}, whatever is predicted,
          with its 95&nbsp;% interval. {even.value
            ? "The bins are equally wide, so one near 0 may hold nearly all inputs."
            : bins.length > 1
              ? `Each of the ${bins.length} bins holds about as many inputs.`
              : "One bin holds all inputs."}{" "}
          The axes are stretched near 0 and 100&nbsp;%. The colour reaches from the line to the dashed one, on which the model would be calibrated:{" "}
          <b class="over">▲&nbsp;orange</b> where the probability is too high,{" "}
          <b class="under">▼&nbsp;blue</b> where it is too low.
          {bins.some((bin) => bin.verdict === "too few") && " A pale mark has too few inputs to tell."} Over all inputs the mean probability
          is {percent(of.probability)}, and {withInterval(of.frequency, percent)} are {name}:{" "}
          {says(of.gap, of.verdict)}. Class-wise ECE {withInterval(of.ece, points)} points;
          if calibrated, up to {points(of.ece_if_calibrated.high)}.
        </>
      }
      hint="Point at a mark to read it, choose it to see its inputs; with Shift, among those chosen before."
      table={{
        head: ["Probability", "Inputs", "Mean probability", `Are ${shortened(name)}`, "95\u00a0% interval", "Mean probability is"],
        rows: bins.map((bin) => [
          rangeOf(bin),
          count(bin.count),
          share(bin.probability),
          share(bin.frequency.value),
          ends(bin.frequency, share),
          says(gapOf(bin), bin.verdict),
        ]),
      }}
    >
      <Picture>{(width) => <Diagram bins={bins} z={of.class} first={first} width={width} />}</Picture>
      {data.classes.length === 2 && <Legend words={`how many are ${name}, at its mean probability, in the same bins`} />}
    </Figure>
  );
}

/** What the model is compared with, in the same bins by its own probability of one of two classes. */
function pointsOfSecond(bins: ProbabilityBin[], z: number): Figures[] {
  const two = second.value;
  if (!two || data.classes.length > 2) return []; // of more classes only the most probable ones are here
  const probability = Float64Array.from(two.confidence, (c, i) => (two.predicted[i] === z ? c : 1 - c));
  const rows = bins.map((): number[] => []);
  probability.forEach((p, i) => {
    if (!Number.isNaN(p)) (rows[bins.findIndex((bin) => p <= bin.high)] ?? rows.at(-1)!).push(i);
  });
  return rows.map((some) => figuresOf(some, new Int32Array(data.N).fill(z), probability));
}

interface DiagramProps {
  bins: ProbabilityBin[];
  z: number;
  /** The number of the first of these bins among all that can be chosen. */
  first: number;
  width: number;
}

function Diagram({ bins, z, first, width }: DiagramProps) {
  const name = data.classes[z];
  const short = shortened(name);
  const drawn = bins.flatMap((bin, i) =>
    bin.probability === null || bin.frequency.value === null
      ? []
      : [{ bin, i, p: bin.probability, share: bin.frequency.value, low: bin.frequency.low!, high: bin.frequency.high! }],
  );
  const others = pointsOfSecond(bins, z);
  const seen = [
    ...drawn.flatMap(({ p, low, high }) => [p, low, high]),
    ...others.filter(({ n }) => n > 0).flatMap(({ confidence, accuracy }) => [confidence, accuracy.low!, accuracy.high!]),
  ];
  const start = TICKS.findLast((t) => t <= Math.min(...seen)) ?? 0;
  const end = TICKS.find((t) => t >= Math.max(...seen)) ?? 1;
  const right = Math.min(width, 620) - PAD.right;
  const base = PAD.top + HEIGHT;
  const across = scaleLinear([bent(start), bent(end)], [PAD.left, right]);
  const up = scaleLinear([bent(start), bent(end)], [base, PAD.top]);
  const x = (p: number) => across(bent(p));
  const y = (p: number) => up(bent(p));
  const middles = drawn.slice(1).map(({ p }, k) => (x(p) + x(drawn[k].p)) / 2);
  const sides = [PAD.left, ...middles, right];
  return (
    <svg
      width={right + PAD.right}
      height={base + PAD.bottom}
      role="group"
      aria-label={`Probability of ${name} against its frequency; the marks are buttons`}
      onKeyDown={(event) => moveAmongMarks(event)}
    >
      <Patterns id="positive-stripes" />
      <g class="axis" aria-hidden="true">
        {apart(start, end, y, 22).map((t) => (
          <g key={t}>
            <line x1={PAD.left} x2={right} y1={y(t)} y2={y(t)} />
            <text x={PAD.left - 6} y={y(t)} dy=".35em" text-anchor="end">
              {Number((100 * t).toFixed(1))}
            </text>
          </g>
        ))}
        {apart(start, end, x, 34).map((t) => (
          <text key={t} x={x(t)} y={base + 16} text-anchor="middle">
            {Number((100 * t).toFixed(1))}
          </text>
        ))}
      </g>
      <text class="unit" x={PAD.left + 4} y={PAD.top + 12} aria-hidden="true">
        % are {short}
      </text>
      <text class="unit" x={PAD.left} y={base + 36} aria-hidden="true">
        probability of {short}, %
      </text>
      <line class="calibrated" x1={x(start)} y1={y(start)} x2={x(end)} y2={y(end)} />
      {drawn.map(({ bin, i, p, share, low, high }, k) => {
        const wide = Math.max(3, Math.min(16, 1.6 * Math.min(sides[k + 1] - x(p), x(p) - sides[k])));
        const left = x(p) - wide / 2;
        return (
          <Mark
            key={i}
            label={sentence(bin, name)}
            first={k === 0}
            pressed={filter.value.positive === first + i}
            onChoose={(more) => choose("positive", { positive: first + i }, more)}
          >
            <rect class="hit" x={sides[k]} width={Math.max(0, sides[k + 1] - sides[k])} y={PAD.top} height={HEIGHT} />
            <g class={bin.verdict === "too few" ? "few" : undefined}>
              <rect
                x={left}
                width={wide}
                y={Math.min(y(share), y(p))}
                height={Math.abs(y(share) - y(p))}
                fill={`url(#positive-stripes-${sideOf(p - share)})`}
              />
              <line class="whisker" x1={x(p)} x2={x(p)} y1={y(low)} y2={y(high)} />
              <line class="value" x1={left} x2={left + wide} y1={y(share)} y2={y(share)} />
            </g>
          </Mark>
        );
      })}
      <Seconds points={others} x={(point) => x(point.confidence)} y={y} />
      <line class="base" x1={PAD.left} x2={right} y1={base} y2={base} />
    </svg>
  );
}

/** The ticks from `start` to `end` that are so many pixels apart, both ends among them. */
function apart(start: number, end: number, place: (p: number) => number, least: number): number[] {
  const far = (a: number, b: number) => Math.abs(place(a) - place(b)) >= least;
  const ticks = TICKS.filter((t) => t >= start && t <= end);
  return ticks.reduce<number[]>(
    (some, t) => (some.length === 0 || t === end || (far(t, some.at(-1)!) && far(t, end)) ? [...some, t] : some),
    [],
  );
}
