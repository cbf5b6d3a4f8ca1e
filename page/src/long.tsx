// A text that may be long: it wraps, and of a very long one the rest is shown when it is chosen.

const WRAPPED = 40;
const SHORTENED = 100;

export function Long({ text }: { text: string | number }) {
  const { length } = String(text);
  if (length <= WRAPPED) return <>{text}</>;
  if (length <= SHORTENED) return <span class="long">{text}</span>;
  return (
    <details class="long">
      <summary>{text}</summary>
    </details>
  );
}
