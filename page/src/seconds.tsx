// What is compared, drawn into the pictures of the model: open circles with their intervals.

import { amongListed, figuresOf, type Figures } from "./figures";
import { data, second, type Second } from "./state";
import { FEW } from "./statistics";

/** The figures of what the model is compared with, in each of some groups of inputs. */
export function pointsOfSecond(groups: number, groupOf: (two: Second, i: number) => number): Figures[] {
  const two = second.value;
  if (!two) return [];
  const rows = Array.from({ length: groups }, (): number[] => []);
  for (let i = 0; i < data.N; i++) rows[groupOf(two, i)]?.push(i);
  return rows.map((some) => figuresOf(some, two.predicted, two.confidence));
}

interface Props {
  points: Figures[];
  x: (point: Figures, i: number) => number;
  y: (share: number) => number;
  /** Whether the circle is at the confidence, beside a dash at the accuracy. */
  atConfidence?: boolean;
}

export function Seconds({ points, x, y, atConfidence }: Props) {
  return (
    <g class="rival" aria-hidden="true">
      {points.map((point, i) => {
        if (point.n < FEW) return null;
        const place = x(point, i);
        return (
          <g key={i}>
            <line class="whisker" x1={place} x2={place} y1={y(point.accuracy.low!)} y2={y(point.accuracy.high!)} />
            {atConfidence && (
              <line class="dash" x1={place - 7} x2={place + 7} y1={y(point.accuracy.value!)} y2={y(point.accuracy.value!)} />
            )}
            <circle cx={place} cy={y(atConfidence ? point.confidence : point.accuracy.value!)} r="4.5" />
          </g>
        );
      })}
    </g>
  );
}

export function Legend({ words }: { words: string }) {
  if (!second.value) return null;
  return (
    <p class="legend">
      <svg width="14" height="14" aria-hidden="true" class="rival">
        <circle cx="7" cy="7" r="4.5" />
      </svg>
      {second.value.name}: {words}
      {amongListed()}
    </p>
  );
}
