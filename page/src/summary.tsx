// Accuracy, confidence and gap of the inputs that are selected, with their intervals.

import { figuresOf, type Figures } from "./figures";
import { count, ends, gapWords, inputs, noun, percent } from "./format";
import type { Model } from "./payload";
import { byOutcome, data, isFiltered, second, view } from "./state";
import { tooFew } from "./statistics";

/** What the audit says of all inputs, where all are listed. */
function figuresOfAll({ overall }: Model): Figures | null {
  if (isFiltered.value || data.N !== overall.n || overall.confidence === null) return null;
  const { n, accuracy, confidence, gap } = overall;
  return { n, accuracy, confidence, gap, few: tooFew(confidence, accuracy.n) };
}

export function Summary({ rows }: { rows: Int32Array }) {
  const one = view.value;
  const two = second.value;
  if (!rows.length) return <span class="summary">No {noun}s.</span>;
  return (
    <>
      <Line
        name={two ? one.model.name : null}
        figures={figuresOfAll(one.model) ?? figuresOf(rows, one.predicted, one.confidence)}
      />
      {two && (
        <Line
          name={two.name}
          figures={
            (two.model === null ? null : figuresOfAll(data.views[two.model].model)) ??
            figuresOf(rows, two.predicted, two.confidence)
          }
        />
      )}
      {isFiltered.value && !byOutcome.value && (
        <span class="summary">
          One in twenty calibrated selections may seem miscalibrated, by chance.
        </span>
      )}
      {byOutcome.value && (
        <span class="summary">
          These are filtered by whether the model is right, so their accuracy means nothing.
        </span>
      )}
    </>
  );
}

function Line({ name, figures: f }: { name: string | null; figures: Figures }) {
  return (
    <span class="summary">
      {name && <b>{name}: </b>}
      {name ? `${count(f.n)} ${noun}s` : inputs(f.n)}
      {data.payload.listed && " of those listed"}
      {f.n > 0 && byOutcome.value && <>, mean confidence {percent(f.confidence)}</>}
      {f.n > 0 && !byOutcome.value && (
        <>
          , {percent(f.accuracy.value)} right ({ends(f.accuracy, percent)}), mean confidence{" "}
          {percent(f.confidence)}: {f.few ? `too few ${noun}s to say more` : gapWords(f.gap)}
        </>
      )}
    </span>
  );
}
