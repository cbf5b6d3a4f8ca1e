// Several subjects over all their runs: tables of means, and the pictures that were drawn of them.

import type {
  ComparisonPicture,
  ComparisonSection,
  ComparisonTable,
  MeanCell,
  SeveralSubjects,
  TablePart,
} from "./payload";
import { tint } from "./rows";
import { data } from "./state";

/** Whether any subject has several runs. */
export const overRuns = (all: SeveralSubjects) => all.methods.some(({ seeds }) => seeds.length > 1);

export function Comparison() {
  const all = data.payload.comparison;
  if (!all) return null;
  return (
    <section class="part" id="comparison" aria-labelledby="comparison-title">
      <h2 id="comparison-title" class="part-title">
        {overRuns(all) ? "Over all runs" : "All figures"}
      </h2>
      <p class="words">{all.about}</p>
      {all.sections.map((section) => (
        <Section key={section.id} section={section} />
      ))}
      <section class="compared" aria-labelledby="comparison-made">
        <h3 id="comparison-made">How this was made</h3>
        <dl class="made">
          {Object.entries(all.made).map(([name, words]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{words}</dd>
            </div>
          ))}
        </dl>
        <p class="words">
          Beside this page:{" "}
          {all.files.map(({ href, words }, i) => (
            <>
              {i > 0 && "; "}
              <a href={href}>{href}</a>, {words}
            </>
          ))}
          . The paper: Qin, Wang, Beutel and Chi, “Improving Calibration through the Relationship with
          Adversarial Robustness”, NeurIPS 2021.
        </p>
      </section>
    </section>
  );
}

/** What is to be taken from the tables, below the headline. */
export function Remarks() {
  const all = data.payload.comparison;
  if (!all) return null;
  return (
    <>
      <ul class="remarks">
        {all.remarks.map((remark) => (
          <li key={remark}>{remark}</li>
        ))}
      </ul>
      <details class="terms">
        <summary>What the words mean</summary>
        <dl>
          {all.terms.map(({ name, words }) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{words}</dd>
            </div>
          ))}
        </dl>
      </details>
    </>
  );
}

function Section({ section }: { section: ComparisonSection }) {
  const { id, title, pictures, tables, note } = section;
  return (
    <section class="compared" id={id} aria-labelledby={`${id}-title`}>
      <h3 id={`${id}-title`}>{title}</h3>
      {pictures.map((picture) => (
        <Drawn key={picture.name} picture={picture} />
      ))}
      {tables.map((table, i) => (
        <OneTable key={i} table={table} section={title} />
      ))}
      {note && <p class="words">{note}</p>}
    </section>
  );
}

function Drawn({ picture }: { picture: ComparisonPicture }) {
  const { alt, lead, caption, width, image } = picture;
  return (
    <figure class={`drawn ${width}`}>
      <div class="card" tabIndex={0} role="region" aria-label={alt}>
        <img src={image} alt={alt} decoding="async" />
      </div>
      {lead && (
        <figcaption>
          <b>{lead}</b>
          {caption}
        </figcaption>
      )}
    </figure>
  );
}

function OneTable({ table, section }: { table: ComparisonTable; section: string }) {
  const shown = table.parts.filter((part) => !part.folded);
  const folded = table.parts.filter((part) => part.folded);
  const name = table.folded ?? (table.title || section);
  const all = (
    <>
      {shown.length > 0 && <Parts table={table} parts={shown} name={name} />}
      {table.note && <p class="words">{table.note}</p>}
      {folded.length > 0 && (
        <details>
          <summary>{table.folded_parts}</summary>
          <Parts table={table} parts={folded} name={table.folded_parts!} />
        </details>
      )}
    </>
  );
  if (table.folded === null)
    return (
      <>
        {table.title && <h4>{table.title}</h4>}
        {all}
      </>
    );
  return (
    <details>
      <summary>{table.folded}</summary>
      {all}
    </details>
  );
}

function Parts({ table, parts, name }: { table: ComparisonTable; parts: TablePart[]; name: string }) {
  const { head, columns } = table;
  return (
    <div class="sideways" tabIndex={0} role="region" aria-label={`${name}, table`}>
      <table class={columns.some((column) => column.tinted) ? "means tinted" : "means"}>
        <caption class="unseen">{name}</caption>
        <thead>
          <tr>
            <th scope="col">{head}</th>
            {columns.map((column, i) => (
              <th scope="col" key={i}>
                {column.method !== null && <Dot method={column.method} />}
                {column.title}
                {column.words && <small>{column.words}</small>}
              </th>
            ))}
          </tr>
        </thead>
        {parts.map((part, p) => (
          <tbody key={p}>
            {part.title && (
              <tr>
                <th class="heading" scope="rowgroup" colSpan={columns.length + 1}>
                  {part.title}
                </th>
              </tr>
            )}
            {part.rows.map((row, r) => (
              <tr key={r}>
                <th scope="row">
                  {row.method !== null && <Dot method={row.method} />}
                  {row.name}
                  {row.words && <small>{row.words}</small>}
                </th>
                {row.cells.map((cell, c) => (
                  <Cell key={c} cell={cell} tinted={columns[c].tinted} />
                ))}
              </tr>
            ))}
          </tbody>
        ))}
      </table>
    </div>
  );
}

function Cell({ cell, tinted }: { cell: MeanCell; tinted: boolean }) {
  return (
    <td class={cell.best ? "best" : undefined} style={tinted ? tint(cell.mean) : undefined}>
      {cell.methods?.map((method) => <Dot key={method} method={method} />)}
      {cell.text}
      {cell.small && <small> {cell.small}</small>}
    </td>
  );
}

/** The colour that a subject has in every picture. */
function Dot({ method }: { method: number }) {
  const { colour } = data.payload.comparison!.methods[method];
  return <i class="dot-of" style={{ backgroundColor: colour }} aria-hidden="true" />;
}
