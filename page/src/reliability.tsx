// The reliability diagram: how often a prediction is right, by how sure it is.

import { scaleLinear } from "d3-scale";
import { binOf } from "./data";
import { Figure } from "./figure";
import { count, ends, heading, inputs, noun, percent, sideOf, verdictWords } from "./format";
import { Mark, moveAmongMarks, Patterns, PercentAxis, Picture } from "./marks";
import type { Bin } from "./payload";
import { Legend, pointsOfSecond, Seconds } from "./seconds";
import { choose, filter, view } from "./state";
import { FEW } from "./statistics";

const HEIGHT = 330;
const HISTOGRAM = 64;
const PAD = { left: 40, right: 12, top: 14, between: 34, bottom: 40 };

const range = (bin: Bin) => `${percent(bin.low, 0).replace("\u00a0%", "")} to ${percent(bin.high, 0)}`;
const minus = (a: number | null, b: number | null) => (a === null || b === null ? null : a - b);

/** Confidence minus accuracy; its interval is the confidence minus that of the accuracy. */
const gapOf = (bin: Bin) => ({
  value: minus(bin.confidence, bin.accuracy),
  low: minus(bin.confidence, bin.accuracy_high),
  high: minus(bin.confidence, bin.accuracy_low),
});

const says = (bin: Bin) => verdictWords(gapOf(bin), bin.verdict, "ranges");

function sentence(bin: Bin): string {
  if (!bin.count) return `Confidence ${range(bin)}: no ${noun}s`;
  const interval = ends({ low: bin.accuracy_low, high: bin.accuracy_high }, percent);
  return (
    `Confidence ${range(bin)}: ${inputs(bin.count)}, ${percent(bin.accuracy)} right (${interval}), ` +
    `mean confidence ${percent(bin.confidence)}, ` +
    says(bin)
  );
}

export function Reliability() {
  const { model } = view.value;
  const bins = model.reliability;
  return (
    <Figure
      id="reliability"
      title="How often it is right, by how sure it is"
      words={
        <>
          Each bar is one of {bins.length} ranges of confidence. The solid line is how often its
          predictions are right, with its 95&nbsp;% interval; the colour reaches from there to the mean
          confidence: <b class="over">▲&nbsp;orange</b> where it is over-confident,{" "}
          <b class="under">▼&nbsp;blue</b> where under-confident. On the dashed line the model would be
          calibrated.
          {bins.some((bin) => bin.count > 0 && bin.count < FEW) &&
            ` A pale bar has fewer than ${FEW} ${noun}s.`}
        </>
      }
      hint={`Point at a bar to read it, choose it to see its ${noun}s; with Shift, among those chosen before.`}
      table={{
        head: ["Confidence", heading(), "Mean confidence", "Right", "95\u00a0% interval", "Gap"],
        rows: bins.map((bin) => [
          range(bin),
          count(bin.count),
          percent(bin.confidence),
          percent(bin.accuracy),
          bin.count ? ends({ low: bin.accuracy_low, high: bin.accuracy_high }, percent) : "–",
          bin.count ? says(bin) : "–",
        ]),
      }}
    >
      <Picture>{(width) => <Diagram bins={bins} width={width} />}</Picture>
      <Legend words="how often it is right, at its mean confidence, in the same ranges" />
    </Figure>
  );
}

function Diagram({ bins, width }: { bins: Bin[]; width: number }) {
  const right = Math.min(width, 620) - PAD.right;
  const x = scaleLinear([0, 1], [PAD.left, right]);
  const y = scaleLinear([0, 1], [PAD.top + HEIGHT, PAD.top]);
  const base = PAD.top + HEIGHT + PAD.between + HISTOGRAM;
  const most = Math.max(1, ...bins.map((bin) => bin.count));
  const h = scaleLinear([0, most], [base, base - HISTOGRAM]);
  const ticks = [0, 0.2, 0.4, 0.6, 0.8, 1];
  const first = bins.findIndex((bin) => bin.count > 0);
  return (
    <svg
      width={right + PAD.right}
      height={base + PAD.bottom}
      role="group"
      aria-label="Reliability diagram; its bars are buttons"
      onKeyDown={(event) => moveAmongMarks(event)}
    >
      <Patterns id="reliability-stripes" />
      <PercentAxis y={y} from={x(0)} to={x(1)} />
      {ticks.map((t) => (
        <text key={t} x={x(t)} y={base + 16} text-anchor="middle" aria-hidden="true">
          {Math.round(100 * t)}
        </text>
      ))}
      <text class="unit" x={x(0) + 4} y={y(1) + 12} aria-hidden="true">
        % right
      </text>
      <text class="unit" x={x(0)} y={base + 34} aria-hidden="true">
        confidence, %
      </text>
      <line class="calibrated" x1={x(0)} y1={y(0)} x2={x(1)} y2={y(1)} />
      {bins.map((bin, i) => {
        const gap = gapOf(bin).value;
        const left = x(bin.low) + 1;
        const wide = x(bin.high) - x(bin.low) - 2;
        const drawn = bin.count > 0 && bin.accuracy !== null && bin.confidence !== null;
        const middle = left + wide / 2;
        const marks = (
          <>
            <rect class="hit" x={x(bin.low)} width={wide + 2} y={PAD.top} height={base - PAD.top} />
            {drawn && (
              <g class={bin.count < FEW ? "few" : undefined}>
                <rect
                  x={left}
                  width={wide}
                  y={y(Math.max(bin.accuracy!, bin.confidence!))}
                  height={Math.abs(y(bin.accuracy!) - y(bin.confidence!))}
                  fill={`url(#reliability-stripes-${sideOf(gap)})`}
                />
                <line class="whisker" x1={middle} x2={middle} y1={y(bin.accuracy_low ?? 0)} y2={y(bin.accuracy_high ?? 1)} />
                <line class="value" x1={left} x2={left + wide} y1={y(bin.accuracy!)} y2={y(bin.accuracy!)} />
                <rect class="count" x={left} width={wide} y={Math.min(h(bin.count), base - 1)} height={Math.max(1, base - h(bin.count))} />
              </g>
            )}
          </>
        );
        return bin.count ? (
          <Mark
            key={i}
            label={sentence(bin)}
            first={i === first}
            pressed={filter.value.bin === i}
            onChoose={(more) => choose("reliability", { bin: i }, more)}
          >
            {marks}
          </Mark>
        ) : (
          <g key={i}>{marks}</g>
        );
      })}
      <Seconds
        points={pointsOfSecond(bins.length, (two, i) => binOf(two.confidence[i], bins.length))}
        x={(point) => x(point.confidence)}
        y={y}
      />
      <line class="base" x1={x(0)} x2={x(1)} y1={base} y2={base} />
      <text class="unit" x={x(0) + 4} y={base - HISTOGRAM - 6} aria-hidden="true">
        {noun}s, {count(most)} at most
      </text>
    </svg>
  );
}
