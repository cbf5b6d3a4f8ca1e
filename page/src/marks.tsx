// What the pictures share: their width in pixels, and marks that mouse, finger and keyboard reach.

import type { ScaleLinear } from "d3-scale";
import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";

/** The width of an element in pixels, followed as it changes. */
export function useWidth<E extends Element>(initial: number) {
  const ref = useRef<E>(null);
  const width = useSignal(initial);
  useEffect(() => {
    const element = ref.current!;
    const measure = () => {
      const now = Math.round(element.getBoundingClientRect().width);
      if (now > 0) width.value = now;
    };
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  return { ref, width: width.value };
}

/** A picture that is drawn to the width it has. */
export function Picture({ children }: { children: (width: number) => ComponentChildren }) {
  const { ref, width } = useWidth<HTMLDivElement>(480);
  return (
    <div class="picture" ref={ref}>
      {children(width)}
    </div>
  );
}

/** Lines across a picture at parts of the whole, with their per cents. */
export function PercentAxis({ y, from, to }: { y: ScaleLinear<number, number>; from: number; to: number }) {
  return (
    <g class="axis" aria-hidden="true">
      {y.ticks(5).map((t) => (
        <g key={t}>
          <line x1={from} x2={to} y1={y(t)} y2={y(t)} />
          <text x={from - 6} y={y(t)} dy=".35em" text-anchor="end">
            {Math.round(100 * t)}
          </text>
        </g>
      ))}
    </g>
  );
}

const markOf = (mark: Element) => Number(mark.getAttribute("data-mark"));

/**
 * Arrow keys move among the marks within; one of them at a time can be reached by Tab. Marks have
 * the number of their column; up and down go to the line (`data-line`) above or below, if there are
 * lines.
 */
export function moveAmongMarks(event: KeyboardEvent): void {
  if (event.altKey || event.ctrlKey || event.metaKey) return;
  const group = event.currentTarget as Element;
  const marks = [...group.querySelectorAll<HTMLElement | SVGElement>("[data-mark]")];
  const now = marks.indexOf(event.target as HTMLElement);
  if (now < 0) return;
  const lines = [...group.querySelectorAll("[data-line]")];
  const line = lines.indexOf(marks[now].closest("[data-line]")!);
  const beside = (step: number) => {
    const there = lines[line + step];
    if (!lines.length) return marks[now + step];
    const column = markOf(marks[now]);
    const those = there ? marks.filter((mark) => there.contains(mark)) : [];
    return those.sort((a, b) => Math.abs(markOf(a) - column) - Math.abs(markOf(b) - column))[0];
  };
  const next = {
    ArrowRight: () => marks[now + 1],
    ArrowLeft: () => marks[now - 1],
    ArrowDown: () => beside(1),
    ArrowUp: () => beside(-1),
    Home: () => marks[0],
    End: () => marks[marks.length - 1],
  }[event.key];
  if (!next) return;
  event.preventDefault();
  const target = next();
  if (!target) return;
  for (const mark of marks) mark.setAttribute("tabindex", mark === target ? "0" : "-1");
  target.focus();
}

export const isPress = (event: KeyboardEvent) => event.key === "Enter" || event.key === " ";

interface MarkProps {
  label: string;
  pressed: boolean;
  first: boolean;
  onChoose: (more: boolean) => void;
  children: ComponentChildren;
}

/** One mark of an SVG picture, as a button. */
export function Mark({ label, pressed, first, onChoose, children }: MarkProps) {
  return (
    <g
      class={pressed ? "mark pressed" : "mark"}
      data-mark="0"
      role="button"
      tabindex={first ? 0 : -1}
      aria-label={label}
      aria-pressed={pressed}
      onClick={(event) => onChoose(event.shiftKey)}
      onKeyDown={(event) => {
        if (!isPress(event)) return;
        event.preventDefault();
        onChoose(event.shiftKey);
      }}
    >
      {children}
    </g>
  );
}

/** Stripes that lean right for over-confident and left for under-confident. */
export function Patterns({ id }: { id: string }) {
  const stripe = (side: "over" | "under", angle: number) => (
    <pattern
      id={`${id}-${side}`}
      width="6"
      height="6"
      patternUnits="userSpaceOnUse"
      patternTransform={`rotate(${angle})`}
    >
      <rect class={`fill-${side}`} width="6" height="6" opacity="0.62" />
      <rect class={`fill-${side}`} width="3" height="6" />
    </pattern>
  );
  return (
    <defs>
      {stripe("over", 45)}
      {stripe("under", -45)}
    </defs>
  );
}
