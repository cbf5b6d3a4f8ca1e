// The page from top to bottom.

import { useSignal } from "@preact/signals";
import { useLayoutEffect } from "preact/hooks";
import { Acting } from "./acting";
import { Calibrations } from "./calibrations";
import { ChangesSince } from "./changes";
import { Classes } from "./classes";
import { Compare } from "./compare";
import { Comparison, overRuns, Remarks } from "./comparison";
import { count, heading, noun } from "./format";
import { Groupings } from "./groupings";
import { Inputs } from "./inputs";
import { Levels } from "./levels";
import { Opened } from "./opened";
import { Mistakes } from "./mistakes";
import { Overview } from "./overview";
import { Positive } from "./positive";
import { Reliability } from "./reliability";
import { RobustAccuracy } from "./robust";
import { OtherData, UnderShift } from "./shift";
import { Worst } from "./worst";
import { data, modelIndex, showModel, view } from "./state";

/** A command in a note, such as `arcal calibrate`. */
const COMMAND = /(`arcal [^`]+`)/;

const typeset = (part: string) =>
  COMMAND.test(part) ? <code key={part}>{part.slice(1, -1)}</code> : part;

const THEMES = ["auto", "light", "dark"] as const;
type Theme = (typeof THEMES)[number];

function remembered(): Theme {
  try {
    return THEMES.find((theme) => theme === localStorage.getItem("arcal-theme")) ?? "auto";
  } catch {
    return "auto"; // a page opened from a file may have no storage
  }
}

function ThemeSwitch() {
  const theme = useSignal(remembered());
  useLayoutEffect(() => {
    document.documentElement.dataset.theme = theme.value;
    try {
      localStorage.setItem("arcal-theme", theme.value);
    } catch {
      return; // see above
    }
  }, [theme.value]);
  return (
    <label class="theme">
      <span class="unseen">Colours</span>
      <select value={theme.value} onChange={(event) => (theme.value = event.currentTarget.value as Theme)}>
        <option value="auto">Auto</option>
        <option value="light">Light</option>
        <option value="dark">Dark</option>
      </select>
    </label>
  );
}

function Bar() {
  return (
    <header class="bar-top">
      <div class="inside">
        <a class="brand" href="#page" onClick={(event) => { event.preventDefault(); scrollTo({ top: 0 }); }}>
          arcal <span>{data.payload.comparison ? "report" : "audit"}</span>
        </a>
        {data.views.length > 1 && (
          <label class="which">
            <span class="unseen">Model</span>
            <select
              value={String(modelIndex.value)}
              onChange={(event) => showModel(Number(event.currentTarget.value))}
            >
              {data.views.map(({ model }, i) => (
                <option value={String(i)} key={i}>
                  {model.name}
                </option>
              ))}
            </select>
          </label>
        )}
        <nav aria-label="Parts of the page">
          <Jumps />
        </nav>
        <ThemeSwitch />
      </div>
    </header>
  );
}

function Jumps() {
  const { comparison } = data.payload;
  return (
    <>
      {comparison && (
        <>
          <JumpTo id="comparison">{overRuns(comparison) ? "Over all runs" : "All figures"}</JumpTo>
          <JumpTo id="one-run">{noun === "input" ? "Input by input" : "Answer by answer"}</JumpTo>
        </>
      )}
      <JumpTo id="inputs">{`The ${noun}s`}</JumpTo>
    </>
  );
}

function JumpTo({ id, children }: { id: string; children: string }) {
  return (
    <a
      href={`#${id}`}
      onClick={(event) => {
        event.preventDefault();
        document.getElementById(id)!.scrollIntoView({ block: "start" });
      }}
    >
      {children}
    </a>
  );
}

export function App() {
  const { payload } = data;
  const { model } = view.value;
  const { done, comparison } = payload;
  return (
    <>
      <Bar />
      <main>
        <div class="top">
          <p class="eyebrow">{payload.title}</p>
          <h1>
            {data.views.length > 1 && !comparison ? model.sentence || payload.sentence : payload.sentence}
          </h1>
          <Remarks />
          {comparison && (
            <nav class="jumps" aria-label="Parts of the page, again">
              <Jumps />
            </nav>
          )}
          {done.inputs < done.of && (
            <p class="first-page">
              A first page, from {count(done.inputs)} of {count(done.of)} {noun}s. The intervals will be
              narrower when the audit is done.
            </p>
          )}
          {payload.listed && (
            <p class="first-page">
              The figures cover all {count(payload.data.n)} {noun}s; {count(data.N)} of them are
              listed, and only these are counted where the page says so. {payload.listed}
            </p>
          )}
          {payload.notes.length > 0 && (
            <ul class="notes">
              {payload.notes.map((note) => (
                <li key={note}>{note.split(COMMAND).map(typeset)}</li>
              ))}
            </ul>
          )}
        </div>
        <Comparison />
        {comparison && (
          <div class="part" id="one-run">
            <h2 class="part-title">
              {overRuns(comparison)
                ? `One run of each, ${noun} by ${noun}`
                : noun === "input" ? "Input by input" : "Answer by answer"}
            </h2>
            <p class="one-sentence">{model.sentence}</p>
          </div>
        )}
        <Overview />
        <div class="figures-grid">
          <ChangesSince />
          <Reliability />
          <Positive />
          <Levels />
          <Acting />
          <Worst />
          <Classes />
          <Groupings />
          <UnderShift />
          <Mistakes />
          <Calibrations />
          <RobustAccuracy />
          <OtherData />
          <Compare />
        </div>
        <Inputs />
        <footer>
          <FactList title="The data" facts={{ Name: payload.data.name, [heading()]: count(payload.data.n), ...payload.data.facts }} />
          {data.views.map(({ model }, i) => (
            <FactList key={i} title={model.name} facts={model.facts} />
          ))}
          <p>
            Made by arcal {payload.arcal}. Everything is in this file; it loads nothing from the internet.
          </p>
        </footer>
      </main>
      <Opened />
    </>
  );
}

function FactList({ title, facts }: { title: string; facts: Record<string, string> }) {
  const listed = Object.entries(facts);
  if (!listed.length) return null;
  return (
    <section>
      <h2>{title}</h2>
      <dl>
        {listed.map(([name, words]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{words}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
