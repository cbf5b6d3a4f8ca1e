// Accuracy, confidence and gap of the inputs that are selected, with their intervals.

import { count, ends, gapWords, inputs, percent } from "./format";
import { byOutcome, data, isRight, second, view } from "./state";
import { clopperPearson, FEW, meanInterval } from "./statistics";
import type { Numbers } from "./data";

interface Figures {
  n: number;
  accuracy: number;
  accuracyEnds: { low: number; high: number };
  confidence: number;
  gap: { value: number; low: number; high: number };
}

export function figuresOf(rows: Int32Array, predicted: Numbers, confidence: Numbers): Figures {
  const known = Array.from(rows).filter((i) => !Number.isNaN(confidence[i]));
  const weights = data.weight && known.map((i) => data.weight![i]);
  const right = known.map((i) => Number(isRight(predicted, i)));
  const sure = known.map((i) => confidence[i]);
  const accuracy = meanInterval(right, weights);
  const gap = meanInterval(
    sure.map((c, k) => c - right[k]),
    weights,
  );
  const sum = right.reduce((a, b) => a + b, 0);
  const [low, high] = weights ? [accuracy.low, accuracy.high] : clopperPearson(sum, known.length);
  return {
    n: known.length,
    accuracy: accuracy.value,
    accuracyEnds: { low, high },
    confidence: meanInterval(sure, weights).value,
    gap,
  };
}

export function Summary({ rows }: { rows: Int32Array }) {
  const one = view.value;
  const two = second.value;
  if (!rows.length) return <span class="summary">No inputs.</span>;
  return (
    <>
      <Line rows={rows} name={two ? one.model.name : null} predicted={one.predicted} confidence={one.confidence} />
      {two && <Line rows={rows} name={two.name} predicted={two.predicted} confidence={two.confidence} />}
      {byOutcome.value && (
        <span class="summary">
          They are chosen by whether the model is right, so their accuracy says nothing.
        </span>
      )}
    </>
  );
}

interface LineProps {
  rows: Int32Array;
  name: string | null;
  predicted: Numbers;
  confidence: Numbers;
}

function Line({ rows, name, predicted, confidence }: LineProps) {
  const f = figuresOf(rows, predicted, confidence);
  return (
    <span class="summary">
      {name && <b>{name}: </b>}
      {name ? `${count(f.n)} inputs` : inputs(f.n)}
      {data.payload.listed && " of those listed"}
      {f.n > 0 && byOutcome.value && <>, mean confidence {percent(f.confidence)}</>}
      {f.n > 0 && !byOutcome.value && (
        <>
          , {percent(f.accuracy)} right ({ends(f.accuracyEnds, percent)}), mean confidence{" "}
          {percent(f.confidence)}:{" "}
          {f.n < FEW ? (
            "too few to say more"
          ) : (
            <>
              {gapWords(f.gap.value)} ({ends(f.gap)})
            </>
          )}
        </>
      )}
    </span>
  );
}
