// Which class it says where the label is another.

import { useComputed, useSignal } from "@preact/signals";
import { Figure } from "./figure";
import { amongListed, figuresOf, shareOf, weightOf } from "./figures";
import { count, ends, inputs, percent } from "./format";
import { Rows } from "./rows";
import { choose, data, filter, view } from "./state";
import { FEW } from "./statistics";

const SHOWN = 8;

interface Mistake {
  label: number;
  predicted: number;
  rows: number[];
  /** All inputs with this label. */
  of: number[];
}

function mistakes(): Mistake[] {
  const one = view.value;
  const of = data.classes.map((): number[] => []);
  const pairs = new Map<string, Mistake>();
  for (let i = 0; i < data.N; i++) {
    const label = data.label[i];
    const predicted = one.predicted[i];
    of[label].push(i);
    if (label === predicted) continue;
    const key = `${label} ${predicted}`;
    if (!pairs.has(key)) pairs.set(key, { label, predicted, rows: [], of: of[label] });
    pairs.get(key)!.rows.push(i);
  }
  return [...pairs.values()]
    .map((pair) => ({ ...pair, weight: weightOf(pair.rows) }))
    .filter(({ weight }) => weight > 0)
    .sort((a, b) => b.weight - a.weight || a.label - b.label || a.predicted - b.predicted);
}

export function Mistakes() {
  const shown = useSignal(SHOWN);
  const all = useComputed(mistakes).value;
  if (!all.length || data.answers) return null;
  const listed = all.slice(0, shown.value).map((mistake) => {
    const { predicted, confidence } = view.value;
    const share = shareOf(mistake.rows, mistake.of, confidence);
    const said = figuresOf(mistake.rows, predicted, confidence);
    const [n, of] = [said.n, mistake.of.length];
    const names = [data.classes[mistake.label], data.classes[mistake.predicted]];
    return { ...mistake, n, of, share, names, confidence: said.confidence };
  });
  const left = all.length - listed.length;
  return (
    <Figure
      id="mistakes"
      title="Most common mistakes"
      words={
        `Label → predicted class${amongListed()}: the percentage of the label's inputs that are predicted this way, with its 95\u00a0% interval, and the mean confidence of these predictions.` +
        (listed.some((m) => m.of < FEW) ? ` Pale: a label with fewer than ${FEW} inputs.` : "")
      }
      table={{
        head: ["Label", "Predicted", "Inputs", "Share of the label", "95\u00a0%", "Mean confidence"],
        rows: listed.map((m) => [
          m.names[0],
          m.names[1],
          count(m.n),
          percent(m.share.value),
          ends(m.share, percent),
          percent(m.confidence),
        ]),
      }}
    >
      <Rows
        unit="inputs"
        sign={"\u00a0%"}
        reference={0}
        label="Most common mistakes; each is a button"
        rows={listed.map((m) => ({
          name: (
            <>
              <span>{m.names[0]}</span> <span class="arrow">→ {m.names[1]}</span>
            </>
          ),
          label:
            `${m.names[0]} said to be ${m.names[1]}: ${inputs(m.n)} of ${count(m.of)}, ` +
            `${percent(m.share.value)} (${ends(m.share, percent)}), mean confidence ${percent(m.confidence)}`,
          dots: [{ ...m.share, pale: m.of < FEW }],
          figures: (
            <>
              {count(m.n)} <small>{percent(m.confidence, 0)} sure</small>
            </>
          ),
          pressed: filter.value.label === m.label && filter.value.predicted === m.predicted,
          onChoose: (more) => choose("mistakes", { label: m.label, predicted: m.predicted }, more),
        }))}
      />
      {left > 0 && (
        <button type="button" class="more" onClick={() => (shown.value += 20)}>
          {left > 20 ? `Show 20 of the other ${count(left)}` : `Show the other ${left}`}
        </button>
      )}
    </Figure>
  );
}
