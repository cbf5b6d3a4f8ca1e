// One input opened: what it is, what it takes to change the prediction, all that is said of it.

import { useLayoutEffect, useRef } from "preact/hooks";
import type { Numbers, Top } from "./data";
import { called, noun, percent, plain, within } from "./format";
import { Long } from "./long";
import { data, isRight, opened, ordered, second, suspectsTitle, view } from "./state";
import { nameOf, Tile, wordsOf } from "./thumbnail";

export function Opened() {
  const row = opened.value;
  const ref = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => {
    const dialog = ref.current!;
    if (row !== null && !dialog.open) dialog.showModal();
    if (row === null && dialog.open) dialog.close();
  }, [row]);
  return (
    <dialog
      ref={ref}
      class="opened"
      aria-labelledby="opened-title"
      onClose={() => {
        if (!ref.current?.open) opened.value = null; // the event is late: another may be open by now
      }}
      onClick={(event) => event.target === ref.current && ref.current?.close()}
      onKeyDown={(event) => {
        const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
        if (!by || (event.target as Element).matches("select, input")) return;
        event.preventDefault();
        go(by);
      }}
    >
      {row !== null && <Content row={row} />}
    </dialog>
  );
}

/** To the next input of the list; from one that is not in it, to its first. */
function go(by: number): void {
  const rows = ordered.value;
  const place = rows.indexOf(opened.value!);
  const next = place < 0 ? rows[0] : rows[place + by];
  if (next !== undefined) opened.value = next;
}

function Content({ row }: { row: number }) {
  const one = view.value;
  const rows = ordered.value;
  const place = rows.indexOf(row);
  const right = isRight(one.predicted, row);
  const label = data.classes[data.label[row]];
  const said = data.classes[one.predicted[row]];
  return (
    <article>
      <header>
        <div class="controls">
          <button type="button" aria-label={`Previous ${noun}`} aria-disabled={place <= 0} onClick={() => go(-1)}>
            ←
          </button>
          <span class="unit">
            {place < 0 ? "not in the list" : `${(place + 1).toLocaleString("en-US")} of ${rows.length.toLocaleString("en-US")}`}
          </span>
          <button type="button" aria-label={`Next ${noun}`} aria-disabled={place === rows.length - 1} onClick={() => go(1)}>
            →
          </button>
          <button type="button" class="close" aria-label="Close" onClick={() => (opened.value = null)}>
            ×
          </button>
        </div>
        <h2 id="opened-title" aria-live="polite">
          {data.answers ? (
            <>
              {!right && <span class="cross">✕</span>} Answered, which is <b>{said}</b>
            </>
          ) : right ? (
            <>
              Predicted <b>{said}</b>, which is right
            </>
          ) : (
            <>
              <span class="cross">✕</span> Predicted <b>{said}</b>, labelled <b>{label}</b>
            </>
          )}
        </h2>
        <p class="unit">
          {called()} {nameOf(row)}, {percent(one.confidence[row])} confident
        </p>
      </header>
      <Pictures row={row} />
      <div class="two">
        {!data.answers && <Probabilities row={row} />}
        <Facts row={row} />
      </div>
    </article>
  );
}

function Pictures({ row }: { row: number }) {
  const one = view.value;
  const { images, texts } = data.payload;
  const changed = one.changed;
  const at = changed?.row.get(row);
  if (texts) return <blockquote class="text">{texts[row]}</blockquote>;
  if (data.table) return <TableRow row={row} />;
  if (!images) return null;
  const sheets = at === undefined ? null : changed!.payload;
  const becomes = at === undefined ? null : data.classes[changed!.top.classes[at * changed!.top.width]];
  const found = !one.distance || one.distance[row] !== Infinity;
  return (
    <div class="pictures-of-one">
      <figure>
        {sheets?.original ? (
          <Tile sheets={sheets.original} tile={at!} label={`Input ${nameOf(row)}`} />
        ) : (
          <Tile sheets={images} tile={row} label={`Input ${nameOf(row)}`} />
        )}
        <figcaption>the input</figcaption>
      </figure>
      {sheets?.perturbation && sheets.perturbed ? (
        <>
          <figure>
            <Tile sheets={sheets.perturbation} tile={at!} label="The perturbation" />
            <figcaption>
              perturbation{sheets.amplification ? `, × ${plain(sheets.amplification)}` : ""}
            </figcaption>
          </figure>
          <figure>
            <Tile sheets={sheets.perturbed} tile={at!} label="The perturbed input" />
            <figcaption>
              perturbed: <b>{becomes}</b>
            </figcaption>
          </figure>
        </>
      ) : (
        <p class="unit">
          {!found
            ? "No perturbation was found that changes the prediction."
            : changed
              ? "The perturbations are in this page for the worst inputs only."
              : "This page has no perturbations."}
        </p>
      )}
    </div>
  );
}

function TableRow({ row }: { row: number }) {
  const { columns, values } = data.table!;
  const changed = view.value.changed;
  const at = changed?.row.get(row);
  const after = at === undefined ? null : changed!.values;
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={`The ${noun}'s columns`}>
      <table>
        <thead>
          <tr>
            <th scope="col">Column</th>
            <th scope="col">Value</th>
            {after && <th scope="col">Perturbed</th>}
            {after && <th scope="col">Change</th>}
          </tr>
        </thead>
        <tbody>
          {columns.map((name, k) => {
            const value = values[row * columns.length + k];
            const next = after?.[at! * columns.length + k];
            return (
              <tr key={k}>
                <th scope="row">
                  <Long text={name} />
                </th>
                <td>{plain(value)}</td>
                {next !== undefined && <td>{plain(next)}</td>}
                {next !== undefined && <td>{plain(next - value)}</td>}
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

interface Said {
  predicted: Numbers;
  confidence: Numbers;
}

/** Probabilities by class; that of the predicted one is known without rounding. */
const lookup = (top: Top, row: number, said?: Said): Map<number, number> => {
  const listed = new Map(
    Array.from({ length: top.width }, (_, k): [number, number] => [
      top.classes[row * top.width + k],
      top.probabilities[row * top.width + k],
    ]).filter(([index]) => index >= 0),
  );
  return said ? listed.set(said.predicted[row], said.confidence[row]) : listed;
};

function Probabilities({ row }: { row: number }) {
  const one = view.value;
  const two = second.value;
  const at = one.changed?.row.get(row);
  const sources: { name: string; of: Map<number, number>; tone: string }[] = [
    { name: one.calibrated ? "uncalibrated" : one.model.name, of: lookup(one.top, row, one), tone: "before" },
  ];
  if (one.calibrated?.top && !Number.isNaN(one.calibrated.confidence[row]))
    sources.push({ name: "calibrated", of: lookup(one.calibrated.top, row, one.calibrated), tone: "calibrated" });
  if (at !== undefined)
    sources.push({ name: "perturbed", of: lookup(one.changed!.top, at), tone: "perturbed" });
  if (two?.top && two.model !== null)
    sources.push({ name: two.name, of: lookup(two.top, row, two), tone: "other" });
  const classes = [...new Set(sources.flatMap((source) => [...source.of.keys()].slice(0, 5)))].slice(0, 8);
  return (
    <section>
      <h3>Probabilities</h3>
      <table class="probabilities">
        <thead>
          <tr>
            <th scope="col">Class</th>
            {sources.map((source, i) => (
              <th scope="col" key={i}>
                <Long text={source.name} />
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {classes.map((index) => (
            <tr key={index}>
              <th scope="row">
                <Long text={data.classes[index]} />
                {index === data.label[row] && <small> label</small>}
              </th>
              {sources.map((source, i) => {
                const value = source.of.get(index);
                return (
                  <td key={i}>
                    <span class={`bar ${source.tone}`}>
                      <i style={{ width: `${100 * (value ?? 0)}%` }} />
                    </span>
                    <span class="number">{value === undefined ? "less" : value < 0.0005 ? "<\u00a00.1\u00a0%" : percent(value)}</span>
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
      {sources.some(({ tone }) => tone === "calibrated") && <p class="unit">Calibrated: after {one.calibrated!.by}.</p>}
    </section>
  );
}

function Facts({ row }: { row: number }) {
  const several = data.views.length > 1;
  return (
    <section>
      <h3>What is known about it</h3>
      <table class="facts">
        <thead class={several ? "" : "unseen"}>
          <tr>
            <th scope="col">Fact</th>
            {data.views.map(({ model }, i) => (
              <th scope="col" key={i}>
                <Long text={model.name} />
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {facts(row).map(([name, cells]) => (
            <tr key={name}>
              <th scope="row">
                <Long text={name} />
              </th>
              {cells.map((cell, i) => (
                <td key={i}>
                  <Long text={cell} />
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {!data.payload.images && !data.payload.texts && !data.table && wordsOf(row)}
    </section>
  );
}

function facts(row: number): [string, string[]][] {
  const of = (cell: (view: (typeof data.views)[number]) => string) => data.views.map(cell);
  const all: [string, string[]][] = [
    ["Label", of(() => (data.answers ? "–" : data.classes[data.label[row]]))],
    ...data.groupings.map(({ name, groups, number }): [string, string[]] => [name, of(() => groups[number[row]])]),
    [data.answers ? "The answer is" : "Predicted", of((one) => `${isRight(one.predicted, row) ? "" : "✕ "}${data.classes[one.predicted[row]]}`)],
    ["Confidence", of((one) => percent(one.confidence[row]))],
    [
      "Calibrated",
      of((one) =>
        !one.calibrated
          ? "–"
          : Number.isNaN(one.calibrated.confidence[row])
            ? "used to fit"
            : percent(one.calibrated.confidence[row]),
      ),
    ],
    ["Probability of the label", of((one) => (data.answers ? "–" : percent(one.labelProbability[row])))],
    ["Loss", of((one) => plain(one.loss[row]))],
    [
      "Distance",
      of((one) =>
        !one.distance ? "–" : one.distance[row] === Infinity ? "none found" : plain(one.distance[row]),
      ),
    ],
    ["Nearest class", of((one) => (one.nearest && one.nearest[row] >= 0 ? data.classes[one.nearest[row]] : "–"))],
    ["Level", of((one) => (one.level && one.level[row] >= 0 ? String(one.level[row]) : "–"))],
    [`Among ${suspectsTitle()}`, of((one) => (one.suspectRank && one.suspectRank[row] >= 0 ? `no. ${one.suspectRank[row] + 1}` : "–"))],
    ["Among the fragile", of((one) => (one.fragileRank && one.fragileRank[row] >= 0 ? `no. ${one.fragileRank[row] + 1}` : "–"))],
    ...data.views[0].shift.flatMap(({ shift, predicted }, s): [string, string[]][] =>
      predicted
        ? [
            [
              `Under ${within(shift.type)} ${shift.intensity ?? ""}`,
              of((one) => {
                const under = one.shift[s];
                if (!under?.predicted) return "–";
                const sure = under.confidence ? `, ${percent(under.confidence[row], 0)}` : "";
                return `${isRight(under.predicted, row) ? "" : "✕ "}${data.classes[under.predicted[row]]}${sure}`;
              }),
            ],
          ]
        : [],
    ),
  ];
  return all.filter(([, cells]) => cells.some((cell) => cell !== "–"));
}
