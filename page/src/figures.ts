// The figures of some of the inputs, each counting by its weight where there are weights.

import type { Numbers } from "./data";
import { count, inputs, noun } from "./format";
import type { Estimate } from "./payload";
import { data, isRight } from "./state";
import { clopperPearson, effectiveNumber, meanOf, tooFew } from "./statistics";

export type Interval = Pick<Estimate, "value" | "low" | "high">;

export interface Figures {
  n: number;
  accuracy: Interval;
  confidence: number;
  gap: Interval;
  few: boolean;
}

const weightsOf = (rows: number[]) => data.weight && rows.map((i) => data.weight![i]);

export const weightOf = (rows: number[]) => weightsOf(rows)?.reduce((a, b) => a + b, 0) ?? rows.length;

const clustersOf = (rows: number[]) =>
  data.clusters && { ...data.clusters, number: rows.map((i) => data.clusters!.number[i]) };

export const effective = (rows: number[], confidence: Numbers) =>
  effectiveNumber(rows.map((i) => confidence[i]), weightsOf(rows), undefined, clustersOf(rows));

/** A share of so many inputs, with its exact interval. */
function exact(value: number, n: number): Interval {
  const [low, high] = clopperPearson(Math.min(1, value) * n, n);
  return { value, low, high };
}

/** The figures of some inputs, whose intervals are as those of an audit's groups. */
export function figuresOf(rows: ArrayLike<number>, predicted: Numbers, confidence: Numbers): Figures {
  const known = Array.from(rows).filter((i) => !Number.isNaN(confidence[i]));
  const weights = weightsOf(known);
  const sure = known.map((i) => confidence[i]);
  const correct = known.map((i) => Number(isRight(predicted, i)));
  const mean = meanOf(sure, weights);
  const n = effectiveNumber(sure, weights, correct, clustersOf(known));
  const accuracy = exact(meanOf(correct, weights), n);
  return {
    n: known.length,
    accuracy,
    confidence: mean,
    gap: { value: mean - accuracy.value!, low: mean - accuracy.high!, high: mean - accuracy.low! },
    few: tooFew(mean, effective(known, confidence)),
  };
}

/** How large a part of `all` inputs `some` of them are. */
export const shareOf = (some: number[], all: number[], confidence: Numbers): Interval =>
  exact(weightOf(some) / weightOf(all), effective(all, confidence));

/** How many inputs a figure rests on, which of weighted ones is their effective number. */
export const restsOn = (n: number) =>
  data.weight ? `worth ${inputs(n)} of equal weight`
  : data.clusters ? `worth ${inputs(n)} that are independent`
  : inputs(n);

/** What figures are counted from in the page, where it does not list every input. */
export const amongListed = () =>
  data.payload.listed ? ` among the ${count(data.N)} ${noun}s that are listed` : "";
