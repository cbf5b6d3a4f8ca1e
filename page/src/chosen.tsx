// The inputs behind what was chosen in a picture, right below it: a summary and the first of them.

import { useComputed } from "@preact/signals";
import { describe } from "./describe";
import { clear, filter, isFiltered, opened, ordered, origin, selected, sort, sortTitle } from "./state";
import { Summary } from "./summary";
import { Thumbnail } from "./thumbnail";

const FIRST = 12;

export function Chosen({ from }: { from: string }) {
  const here = useComputed(() => origin.value === from && isFiltered.value);
  return (
    <div aria-live="polite" class="chosen-place">
      {here.value && <ChosenInputs />}
    </div>
  );
}

function ChosenInputs() {
  const rows = ordered.value;
  return (
    <div class="chosen">
      <p>
        <b>{describe(filter.value)}</b>
        <Summary rows={selected.value} />
      </p>
      <div class="strip">
        {Array.from(rows.slice(0, FIRST), (row) => (
          <Thumbnail key={row} row={row} onOpen={() => (opened.value = row)} />
        ))}
      </div>
      <p class="steps">
        <a
          href="#inputs"
          onClick={(event) => {
            event.preventDefault();
            document.getElementById("inputs")!.scrollIntoView({ block: "start" });
          }}
        >
          {rows.length > FIRST ? `All ${rows.length.toLocaleString("en-US")} in the list` : "In the list"}
        </a>
        <span>
          by {sortTitle(sort.value.key)}
        </span>
        <button type="button" class="quiet" onClick={clear}>
          Clear
        </button>
      </p>
    </div>
  );
}
