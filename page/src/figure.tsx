// A picture with its title, its words, its numbers as a table, and the inputs behind what was chosen.

import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { Chosen } from "./chosen";

export interface TableOf {
  head: string[];
  rows: (string | number)[][];
}

interface Props {
  id: string;
  title: string;
  /** How the picture is read, in a sentence or two. */
  words: ComponentChildren;
  table: TableOf;
  controls?: ComponentChildren;
  wide?: boolean;
  children: ComponentChildren;
}

export function Figure({ id, title, words, table, controls, wide, children }: Props) {
  const asTable = useSignal(false);
  return (
    <section class={wide ? "figure wide" : "figure"} id={id} aria-labelledby={`${id}-title`}>
      <header>
        <h2 id={`${id}-title`}>{title}</h2>
        <div class="controls">
          {controls}
          <button
            type="button"
            class="quiet"
            aria-pressed={asTable.value}
            aria-label={`${title}: as a table`}
            onClick={() => (asTable.value = !asTable.value)}
          >
            Table
          </button>
        </div>
      </header>
      <p class="words">{words}</p>
      {asTable.value ? <Numbers {...table} title={title} /> : children}
      <Chosen from={id} />
    </section>
  );
}

export function Numbers({ head, rows, title }: TableOf & { title: string }) {
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={`${title}, table`}>
      <table>
        <caption class="unseen">{title}</caption>
        <thead>
          <tr>
            {head.map((name) => (
              <th scope="col" key={name}>
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(([first, ...rest], i) => (
            <tr key={i}>
              <th scope="row">{first}</th>
              {rest.map((cell, k) => (
                <td key={k}>{cell}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
