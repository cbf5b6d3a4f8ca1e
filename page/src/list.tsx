// The list of selected inputs; only those on the screen are drawn.

import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { useWidth } from "./marks";
import { data, filter, opened, ordered, second } from "./state";
import { Thumbnail } from "./thumbnail";
import { noun } from "./format";

const GAP = 8;
const PICTURE = { width: 100, height: 172 };
const LINE = 62;
const LINE_ON_A_PHONE = 86;

export function List() {
  const rows = ordered.value;
  const pictures = !!data.payload.images;
  const { ref, width } = useWidth<HTMLDivElement>(900);
  const scrolled = useSignal(0);
  const height = useSignal(600);
  const focused = useSignal(0);
  const wantsFocus = useRef(false);

  const columns = pictures ? Math.max(2, Math.floor((width - 12 + GAP) / (PICTURE.width + GAP))) : 1;
  const twice = second.value !== null || filter.value.shift !== null;
  const step = pictures ? PICTURE.height + GAP + (twice ? 32 : 0) : width < 560 ? LINE_ON_A_PHONE + (twice ? 18 : 0) : LINE;
  const lines = Math.ceil(rows.length / columns);
  const firstLine = Math.max(0, Math.floor(scrolled.value / step) - 2);
  const lastLine = Math.min(lines, Math.ceil((scrolled.value + height.value) / step) + 2);

  useEffect(() => {
    ref.current!.scrollTop = 0;
    scrolled.value = 0;
    focused.value = 0;
  }, [rows]);
  useEffect(() => {
    height.value = ref.current!.clientHeight;
  });
  useEffect(() => {
    if (!wantsFocus.current) return;
    wantsFocus.current = false;
    ref.current!.querySelector<HTMLElement>(`[data-place="${focused.value}"] button`)?.focus();
  });

  const move = (event: KeyboardEvent) => {
    const steps: Record<string, number> = {
      ArrowRight: 1,
      ArrowLeft: -1,
      ArrowDown: columns,
      ArrowUp: -columns,
      PageDown: columns * 4,
      PageUp: -columns * 4,
      Home: -focused.value,
      End: rows.length - 1 - focused.value,
    };
    const by = steps[event.key];
    if (by === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    const next = Math.min(rows.length - 1, Math.max(0, focused.value + by));
    const top = Math.floor(next / columns) * step;
    const box = ref.current!;
    if (top < box.scrollTop) box.scrollTop = top;
    if (top + step > box.scrollTop + box.clientHeight) box.scrollTop = top + step - box.clientHeight;
    scrolled.value = box.scrollTop;
    wantsFocus.current = true;
    focused.value = next;
  };

  const shown: number[] = [];
  for (let k = firstLine * columns; k < Math.min(rows.length, lastLine * columns); k++) shown.push(k);
  const reachable = shown.includes(focused.value) ? focused.value : shown[0];
  return (
    <div
      class={pictures ? "list pictures" : "list"}
      ref={ref}
      role="list"
      aria-label={`${rows.length} ${noun}s`}
      onScroll={(event) => (scrolled.value = event.currentTarget.scrollTop)}
      onKeyDown={move}
      onFocusIn={(event) => {
        const place = (event.target as Element).closest("[data-place]")?.getAttribute("data-place");
        if (place !== null && place !== undefined) focused.value = Number(place);
      }}
      style={{ height: `min(${pictures ? "78vh, 900px" : "78vh, 620px"}, ${Math.max(1, lines) * step + 18}px)` }}
    >
      <div class="whole" style={{ height: `${lines * step}px` }} role="presentation">
        {shown.map((k) => (
          <div
            key={rows[k]}
            class="item"
            role="listitem"
            aria-posinset={k + 1}
            aria-setsize={rows.length}
            data-place={k}
            style={{
              top: `${Math.floor(k / columns) * step}px`,
              left: `${((k % columns) * 100) / columns}%`,
              width: `${100 / columns}%`,
              height: `${step}px`,
            }}
          >
            <Thumbnail
              row={rows[k]}
              onOpen={() => (opened.value = rows[k])}
              tabIndex={k === reachable ? 0 : -1}
            />
          </div>
        ))}
      </div>
      {!rows.length && <p class="nothing">No {noun} matches.</p>}
    </div>
  );
}
