// What is compared, drawn into the pictures of the model: open circles with their intervals.

import { data, isRight, second, type Second } from "./state";
import { clopperPearson, FEW } from "./statistics";

export interface Point {
  n: number;
  accuracy: number;
  low: number;
  high: number;
  confidence: number;
}

/** Accuracy and confidence of what the model is compared with, in each of some groups of inputs. */
export function pointsOfSecond(groups: number, groupOf: (two: Second, i: number) => number): Point[] {
  const two = second.value;
  if (!two) return [];
  const sums = Array.from({ length: groups }, () => ({ n: 0, right: 0, confidence: 0 }));
  for (let i = 0; i < data.N; i++) {
    const sum = sums[groupOf(two, i)];
    if (!sum || Number.isNaN(two.confidence[i])) continue;
    sum.n += 1;
    sum.right += Number(isRight(two.predicted, i));
    sum.confidence += two.confidence[i];
  }
  return sums.map(({ n, right, confidence }) => {
    const [low, high] = clopperPearson(right, n);
    return { n, accuracy: right / n, low, high, confidence: confidence / n };
  });
}

interface Props {
  points: Point[];
  x: (point: Point, i: number) => number;
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
            <line class="whisker" x1={place} x2={place} y1={y(point.low)} y2={y(point.high)} />
            {atConfidence && (
              <line class="dash" x1={place - 7} x2={place + 7} y1={y(point.accuracy)} y2={y(point.accuracy)} />
            )}
            <circle cx={place} cy={y(atConfidence ? point.confidence : point.accuracy)} r="4.5" />
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
    </p>
  );
}
