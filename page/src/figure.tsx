// A picture with its title, its words, its numbers as a table, and the inputs behind what was chosen.

import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { Chosen } from "./chosen";
import { noun } from "./format";
import { Long } from "./long";

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
  /** What is said below the picture as long as nothing is pointed at. */
  hint?: string;
  children: ComponentChildren;
}

export function Figure({ id, title, words, table, controls, wide, hint, children }: Props) {
  const asTable = useSignal(false);
  const readout = useSignal<string | null>(null);
  const reads = useSignal(false);
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    reads.value = !!box.current?.querySelector("[data-mark]");
  });
  const point = (event: Event) => {
    const mark = (event.target as Element).closest("[data-mark]");
    if (mark) readout.value = mark.getAttribute("aria-label");
  };
  return (
    <section class={wide ? "figure wide" : "figure"} id={id} aria-labelledby={`${id}-title`}>
      <header>
        <h2 id={`${id}-title`}>{title}</h2>
        <div class="controls">
          {controls}
          {table.rows.length > 0 && <button
            type="button"
            class="quiet"
            aria-pressed={asTable.value}
            aria-label={`${title}: as a table`}
            onClick={() => (asTable.value = !asTable.value)}
          >
            Table
          </button>}
        </div>
      </header>
      <p class="words">{words}</p>
      {asTable.value ? (
        <Numbers {...table} title={title} />
      ) : (
        <div ref={box} onPointerOver={point} onFocusIn={point}>
          {children}
        </div>
      )}
      <p class="readout" aria-hidden="true" hidden={!reads.value || asTable.value}>
        {readout.value ?? hint ?? `Point at a mark to read it, choose it to see its ${noun}s.`}
      </p>
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
                <Long text={name} />
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(([first, ...rest], i) => (
            <tr key={i}>
              <th scope="row">
                <Long text={first} />
              </th>
              {rest.map((cell, k) => (
                <td key={k}>
                  <Long text={cell} />
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
