// Under corruptions, and on other data.

import { Figure } from "./figure";
import { restsOn } from "./figures";
import { count, ends, gapWords, inputs, percent, points, sideOf, signed, whole, withInterval, words, type Show } from "./format";
import type { Shift } from "./payload";
import { Rows, type Row } from "./rows";
import { choose, data, filter, measure, view, type Measure } from "./state";

const MEASURES: Record<Measure, { title: string; show: Show }> = {
  ece: { title: "ECE", show: points },
  accuracy: { title: "accuracy", show: percent },
  gap: { title: "gap", show: signed },
};

const title = (shift: Shift) =>
  words(shift.type) + (shift.intensity === null ? "" : `, intensity ${shift.intensity}`);

function sentence(shift: Shift): string {
  return (
    `${title(shift)}: ${withInterval(shift.accuracy, percent)} right, ` +
    `ECE ${withInterval(shift.ece, points)} points, ${gapWords(shift.gap)}, ` +
    restsOn(shift.accuracy.n)
  );
}

export function UnderShift() {
  const one = view.value;
  if (!one.shift.length) return null;
  const { show, title: name } = MEASURES[measure.value];
  const types = [...new Set(one.shift.map(({ shift }) => shift.type))];
  const intensities = [...new Set(one.shift.map(({ shift }) => shift.intensity))].sort(
    (a, b) => (a ?? 0) - (b ?? 0),
  );
  const several = intensities.length > 1;
  const numbers = (type: string) =>
    one.shift.map((_, i) => i).filter((i) => one.shift[i].shift.type === type);
  const clean = one.model.overall[measure.value];
  const chooser = (i: number) =>
    one.shift[i].predicted ? (more: boolean) => choose("shift", { shift: i }, more) : null;
  const rows: Row[] = types.map((type) => {
    const its = numbers(type);
    const worst = its.reduce((a, b) =>
      (one.shift[b].shift.ece.value ?? 0) > (one.shift[a].shift.ece.value ?? 0) ? b : a,
    );
    const shift = one.shift[worst].shift;
    const value = shift[measure.value];
    return {
      name: words(type) + (several ? "" : shift.intensity === null ? "" : ` ${shift.intensity}`),
      label: sentence(shift),
      dots: [{ ...value, side: sideOf(shift.gap.value) }],
      figures: (
        <>
          {show(value.value)} <small>{ends(value, show)}</small>
        </>
      ),
      pressed: filter.value.shift === worst,
      onChoose: chooser(worst),
      cells: several
        ? intensities.map((intensity) => {
            const i = its.find((k) => one.shift[k].shift.intensity === intensity);
            if (i === undefined) return null;
            const cell = one.shift[i].shift;
            return {
              label: sentence(cell),
              text: measure.value === "gap" ? whole(cell.gap.value) : whole(cell[measure.value].value).replace("+", ""),
              gap: cell.gap.value,
              pale: false,
              pressed: filter.value.shift === i,
              onChoose: chooser(i),
            };
          })
        : undefined,
    };
  });
  return (
    <Figure
      id="shift"
      wide={several}
      title="Under corruptions"
      words={
        <>
          The same inputs under corruptions, in {measure.value === "accuracy" ? "per cent right" : "points"}
          {one.shift.some(({ shift }) => shift.ece.low !== null) && ", with 95\u00a0% intervals"}; the vertical
          line is without corruption.{" "}
          {!several && intensities[0] !== null && "The number is the intensity, from 1 to 5. "}
          {several && `The dot is the intensity with the largest ECE; the squares are the ${name} at each intensity, tinted by the gap. `}
          {one.shift.some((s) => s.predicted)
            ? "Choose one to see the inputs that it turns from right to wrong."
            : "This page does not have the individual inputs under corruptions."}
        </>
      }
      hint={one.shift.some((s) => s.predicted) ? undefined : "Point at a row to read it."}
      controls={
        <label>
          Measure{" "}
          <select
            aria-label="Measure"
            value={measure.value}
            onChange={(event) => (measure.value = event.currentTarget.value as Measure)}
          >
            {Object.entries(MEASURES).map(([key, { title }]) => (
              <option value={key} key={key}>
                {title}
              </option>
            ))}
          </select>
        </label>
      }
      table={{
        head: ["Corruption", data.weight ? "Inputs of equal weight" : "Inputs", "Right", "95\u00a0%", "ECE, points", "95\u00a0%", "Gap, points", "95\u00a0%"],
        rows: one.shift.map(({ shift }) => [
          title(shift),
          count(shift.accuracy.n),
          percent(shift.accuracy.value),
          ends(shift.accuracy, percent),
          points(shift.ece.value),
          ends(shift.ece),
          signed(shift.gap.value),
          ends(shift.gap),
        ]),
      }}
    >
      <Rows
        rows={rows}
        unit={measure.value === "accuracy" ? "% right" : `${name}, points`}
        reference={clean.value ?? 0}
        label="Under corruptions; each is a button where its inputs are known"
        cellHead={several ? intensities.map(String) : undefined}
      />
    </Figure>
  );
}

export function OtherData() {
  const { model } = view.value;
  if (!model.other.length) return null;
  return (
    <Figure
      id="other"
      title="Data of unknown classes"
      words="How well confidence separates these inputs from the audited ones: an AUROC of 1 separates all of them, 0.5 is chance."
      hint="Point at a row to read it."
      table={{
        head: ["Data", "Inputs", "AUROC of confidence", "AUROC of entropy"],
        rows: model.other.map((other) => [
          other.name,
          count(other.n),
          (other.auroc_confidence ?? NaN).toFixed(3),
          (other.auroc_entropy ?? NaN).toFixed(3),
        ]),
      }}
    >
      <Rows
        rows={model.other.map((other) => ({
          name: other.name,
          label: `${other.name}: ${inputs(other.n)}, AUROC ${other.auroc_confidence?.toFixed(3)} by confidence, ${other.auroc_entropy?.toFixed(3)} by entropy`,
          dots: [{ value: other.auroc_confidence, low: null, high: null }],
          figures: <>{(other.auroc_confidence ?? NaN).toFixed(3)}</>,
          pressed: false,
          onChoose: null,
        }))}
        unit="AUROC"
        times={1}
        reference={0.5}
        ends={[Math.min(0.5, ...model.other.map((other) => other.auroc_confidence ?? 0.5)), 1]}
        label="AUROC by data set"
      />
    </Figure>
  );
}
