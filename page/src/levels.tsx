// Accuracy and confidence by robustness level.

import { scaleLinear } from "d3-scale";
import { Figure } from "./figure";
import { count, ends, heading, inputs, percent, plain, points, sideOf, signed, verdictWords } from "./format";
import { Mark, moveAmongMarks, Patterns, PercentAxis, Picture } from "./marks";
import type { Level } from "./payload";
import { Legend, pointsOfSecond, Seconds } from "./seconds";
import { choose, filter, view } from "./state";

export const ORDERS = {
  attack: "the smallest change that flips the prediction, found by an attack,",
  gradient: "the distance to the nearest boundary, estimated from the gradient,",
  margin: "the margin between the two highest logits",
  confidence: "the probability of the predicted class",
  random: "chance, as a control,",
};

function distances({ distance }: Level): string {
  if (!distance) return "";
  const [least, greatest] = distance;
  if (least === null) return "no distance found";
  return `distance ${plain(least)} ${greatest === null ? "or more, none found for some" : `to ${plain(greatest)}`}`;
}

export function groupSentence(group: Level, prefix = ""): string {
  return [
    `${prefix}${group.name}: ${inputs(group.n)}`,
    `${percent(group.accuracy.value)} right (${ends(group.accuracy, percent)})`,
    `mean confidence ${percent(group.confidence)}`,
    verdictWords(group.gap, group.verdict),
    distances(group),
  ]
    .filter(Boolean)
    .join(", ");
}

export const VERDICTS = {
  "over-confident": "▲ over-confident",
  "under-confident": "▼ under-confident",
  "not shown": "no gap beyond chance",
  "too few": "too few inputs",
};

export const groupHead = () => [heading(), "Right", "95\u00a0%", "Confidence", "Gap, points", "95\u00a0%", "ECE, points", "95\u00a0%", "Verdict"];
export const groupCells = (group: Level) => [
  count(group.n),
  percent(group.accuracy.value),
  ends(group.accuracy, percent),
  percent(group.confidence),
  signed(group.gap.value),
  ends(group.gap),
  points(group.ece.value),
  ends(group.ece),
  VERDICTS[group.verdict],
];

const PAD = { left: 40, right: 12, top: 14, between: 34, bottom: 40 };
const HEIGHT = 330;
const SHARES = 64;

export function Levels() {
  const { levels } = view.value.model;
  return levels?.length ? <Drawn levels={levels} /> : null;
}

function Drawn({ levels }: { levels: Level[] }) {
  const { model } = view.value;
  const R = levels.length;
  return (
    <Figure
      id="levels"
      title="How often it is right, by robustness"
      words={
        <>
          Inputs ranked by {model.order ? ORDERS[model.order] : "robustness"} and cut into {R} levels
          of equal size; level 0 is the least robust. The line is how often the model is right there, with
          its 95&nbsp;% interval; the bar reaches to its mean confidence. Below: each level's share of all errors.
          {levels.some((level) => level.few && level.n > 0) && " A pale bar has too few inputs to tell."}
        </>
      }
      table={{
        head: ["Level", ...groupHead(), "Distance"],
        rows: levels.map((level) => [level.name, ...groupCells(level), distances(level)]),
      }}
    >
      <Picture>{(width) => <Diagram levels={levels} width={width} />}</Picture>
      <Legend words="mean confidence, with a dash at how often it is right" />
    </Figure>
  );
}

function Diagram({ levels, width }: { levels: Level[]; width: number }) {
  const level = view.value.level ?? [];
  const right = Math.min(width, 620) - PAD.right;
  const step = (right - PAD.left) / levels.length;
  const lowest = Math.min(
    ...levels.flatMap((level) => [level.accuracy.low ?? 1, level.confidence ?? 1]),
  );
  const bottom = Math.max(0, Math.floor(lowest * 10 - 0.2) / 10);
  const base = PAD.top + HEIGHT + PAD.between + SHARES;
  const most = Math.max(0.01, ...levels.map((level) => level.error_share ?? 0));
  const share = scaleLinear([0, most], [base, base - SHARES]);
  const y = scaleLinear([bottom, 1], [PAD.top + HEIGHT, PAD.top]);
  return (
    <svg
      width={right + PAD.right}
      height={base + PAD.bottom}
      role="group"
      aria-label="Accuracy and confidence by robustness level; the levels are buttons"
      onKeyDown={(event) => moveAmongMarks(event)}
    >
      <Patterns id="levels-stripes" />
      <PercentAxis y={y} from={PAD.left} to={right} />
      <text class="unit" x={PAD.left + 4} y={base - SHARES - 6} aria-hidden="true">
        share of all errors, {percent(most, 0)} at most
      </text>
      <line class="base" x1={PAD.left} x2={right} y1={base} y2={base} />
      {levels.map((level, r) => {
        const left = PAD.left + r * step;
        const bar = Math.min(34, step * 0.62);
        const middle = left + step / 2;
        const accuracy = level.accuracy.value;
        const drawn = accuracy !== null && level.confidence !== null;
        return (
          <Mark
            key={r}
            label={groupSentence(level)}
            first={r === 0}
            pressed={filter.value.level === r}
            onChoose={(more) => choose("levels", { level: r }, more)}
          >
            <rect class="hit" x={left} width={step} y={PAD.top} height={base - PAD.top + 20} />
            {drawn && (
              <g class={level.few ? "few" : undefined}>
                <rect
                  x={middle - bar / 2}
                  width={bar}
                  y={y(Math.max(accuracy, level.confidence!))}
                  height={Math.abs(y(accuracy) - y(level.confidence!))}
                  fill={`url(#levels-stripes-${sideOf(level.gap.value)})`}
                />
                <line class="whisker" x1={middle} x2={middle} y1={y(Math.max(bottom, level.accuracy.low ?? 0))} y2={y(level.accuracy.high ?? 1)} />
                <line class="value" x1={middle - bar / 2} x2={middle + bar / 2} y1={y(accuracy)} y2={y(accuracy)} />
              </g>
            )}
            <rect
              class="count"
              x={middle - bar / 2}
              width={bar}
              y={share(level.error_share ?? 0)}
              height={base - share(level.error_share ?? 0)}
            />
            <text class="tick" x={middle} y={base + 16} text-anchor="middle">
              {r}
            </text>
          </Mark>
        );
      })}
      <Seconds
        points={pointsOfSecond(levels.length, (_, i) => level[i])}
        x={(_, r) => PAD.left + (r + 0.5) * step + Math.min(34, step * 0.62) / 2 + 5}
        y={(share) => y(Math.max(bottom, share))}
        atConfidence
      />
      <text class="unit" x={PAD.left} y={base + 34} aria-hidden="true">
        ← least robust
      </text>
      <text class="unit" x={right} y={base + 34} text-anchor="end" aria-hidden="true">
        most robust →
      </text>
    </svg>
  );
}
