// What calibrators would do.

import { Figure } from "./figure";
import { restsOn } from "./figures";
import { ends, noun, plain, points, withInterval } from "./format";
import type { Calibration } from "./payload";
import { Rows } from "./rows";
import { compareWith, rival, view } from "./state";

const CHANGES = (one: Calibration) => {
  const { low, high } = one.nll_difference;
  if (low === null || high === null) return "not known";
  if (high < 0) return "better";
  return low > 0 ? "worse" : "no difference shown";
};

export function Calibrations() {
  const one = view.value;
  const calibrations = one.model.calibrations;
  if (!calibrations.length) return null;
  const applied = one.calibrated && one.model.calibrated_by;
  return (
    <Figure
      id="calibrations"
      title="Would calibration help?"
      words={
        <>
          ECE in points before (hollow) and after (filled) each calibrator, with 95&nbsp;% intervals.{" "}
          {calibrations.some((c) => c.recommended) ? (
            `The recommended one ${one.model.classes.length ? "keeps every prediction, " : ""}lowers the log-loss beyond chance, and is the simplest that is not clearly worse than the best.`
          ) : (
            <b>None{one.model.classes.length > 0 && " that keeps every prediction"} lowers the log-loss of these {noun}s beyond chance.</b>
          )}{" "}
          {applied && `Choose it to see each ${noun} before and after.`}
        </>
      }
      hint="Point at a calibrator to read what it does."
      table={{
        head: ["Calibrator", "ECE before", "ECE after", "Log-loss before", "Log-loss after", "Difference", "Log-loss is", "Predictions"],
        rows: calibrations.map((c) => [
          c.title + (c.recommended ? " (recommended)" : ""),
          withInterval(c.ece_before, points),
          withInterval(c.ece_after, points),
          withInterval(c.nll_before, plain),
          withInterval(c.nll_after, plain),
          withInterval(c.nll_difference, plain),
          CHANGES(c),
          c.preserves_accuracy ? "stay" : "may change",
        ]),
      }}
    >
      <Rows
        unit="ECE, points"
        reference={0}
        label="ECE before and after each calibrator"
        rows={calibrations.map((c) => ({
          name: (
            <>
              {c.title}
              {c.recommended && <b class="badge">recommended</b>}
              {!c.preserves_accuracy && <small>may change predictions</small>}
            </>
          ),
          label:
            `${c.title}${c.recommended ? ", recommended" : ""}: ECE ${withInterval(c.ece_before, points)} points before, ` +
            `${withInterval(c.ece_after, points)} after, ${restsOn(c.ece_after.n)}; log-loss ${CHANGES(c)}, by ${withInterval(c.nll_difference, plain)}`,
          dots: [
            { ...c.ece_before, hollow: true },
            { ...c.ece_after },
          ],
          figures: (
            <>
              {points(c.ece_after.value)} <small>{ends(c.ece_after)}</small>
            </>
          ),
          pressed: rival.value === "calibrated" && c.name === applied,
          onChoose:
            c.name === applied
              ? () => {
                  compareWith(rival.value === "calibrated" ? null : "calibrated");
                  if (rival.value) document.getElementById("compare")?.scrollIntoView({ block: "start" });
                }
              : null,
        }))}
      />
    </Figure>
  );
}
