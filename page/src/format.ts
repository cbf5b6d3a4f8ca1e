// Numbers in words, the same everywhere.

import type { Estimate, Verdict } from "./payload";

type Maybe = number | null | undefined;

const known = (value: Maybe): value is number => value != null && Number.isFinite(value);
const minus = (text: string) => text.replaceAll("-", "−");

/** With so many digits; a tie goes to the even digit, as in the sentences that come with the page. */
export function fixed(value: number, digits: number): string {
  const exact = value.toFixed(20);
  const end = exact.indexOf(".") + 1 + digits;
  const shorter = digits ? exact.slice(0, end) : exact.slice(0, end - 1);
  const tie = /^50*$/.test(exact.slice(end));
  return tie && "02468".includes(shorter.at(-1)!) ? shorter : value.toFixed(digits);
}

export const count = (n: number) => n.toLocaleString("en-US");

/** What is audited is called so: an input, or an answer. */
export let noun: "input" | "answer" = "input";
export const callThem = (word: typeof noun) => void (noun = word);
/** One of them at the start of a sentence, and the heading of a column of numbers of them. */
export const called = () => (noun === "input" ? "Input" : "Answer");
export const heading = () => `${called()}s`;
export const inputs = (n: number) => `${count(n)} ${noun}${n === 1 ? "" : "s"}`;

/** 0.7123 as 71.2 %; near 0 and 1 with the digits that tell it from them. */
export function percent(value: Maybe, digits = 1): string {
  if (!known(value)) return "–";
  const rounded = fixed(100 * value, digits);
  if (value < 1 && Number(rounded) === 100) return digits ? `${trimmed(value)}\u00a0%` : ">\u00a099\u00a0%";
  if (value > 0 && Number(rounded) === 0) return digits ? "<\u00a00.1\u00a0%" : "<\u00a01\u00a0%";
  return `${minus(rounded)}\u00a0%`;
}

function trimmed(value: number): string {
  return value > 0.999999 ? ">\u00a099.99" : (Math.floor(value * 1e4) / 1e2).toFixed(2);
}

/** 0.0412 as 4.1 points, without the word. */
export const points = (value: Maybe) => (known(value) ? minus(fixed(100 * value, 1)) : "–");

/** The same with its sign. */
export const signed = (value: Maybe) =>
  known(value) ? `${100 * value >= 0.05 ? "+" : ""}${points(value).replace("−0.0", "0.0")}` : "–";

/** In whole points, for a small place. */
export function whole(value: Maybe): string {
  if (!known(value)) return "–";
  const rounded = Math.round(100 * value);
  return rounded === 0 ? "0" : `${rounded > 0 ? "+" : "−"}${Math.abs(rounded)}`;
}

/** About three digits. */
export function plain(value: Maybe): string {
  if (value === Infinity) return "none";
  if (!known(value)) return "–";
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size >= 1000) return minus(count(Math.round(value)));
  if (size < 1e-5) return minus(value.toExponential(0)).replace(/e(.+)/, (_, power) => `\u00a0×\u00a010${raised(power)}`);
  if (size < 0.01) return minus(value.toPrecision(2));
  return minus(value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3));
}

const raised = (power: string) => [...power].map((c) => (c === "−" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(c)])).join("");

export type Show = (value: Maybe) => string;

/** The end of an interval in points, with a digit more where one would round it to 0. */
export function endInPoints(value: Maybe): string {
  if (!known(value) || value === 0 || Math.abs(100 * value) >= 0.05) return points(value);
  return minus(fixed(100 * value, 2)).replace(/^−?0\.00$/, "0.0");
}

/** The ends of an interval, as "65.8 to 76.1". */
export function ends(of: Pick<Estimate, "low" | "high">, show: Show = endInPoints): string {
  if (!known(of.low) || !known(of.high)) return "";
  return `${show(of.low).replace("\u00a0%", "")} to ${show(of.high).replace("\u00a0%", "")}`;
}

/** A figure with its interval, as "71.2 % (65.8 to 76.1)". */
export function withInterval(of: Estimate, show: Show): string {
  const interval = ends(of, show);
  return interval ? `${show(of.value)} (${interval})` : show(of.value);
}

/** Confidence minus accuracy in words, with its interval: no gap beyond chance if that holds 0. */
export function gapWords(gap: Pick<Estimate, "value" | "low" | "high">): string {
  const { value, low, high } = gap;
  if (!known(value)) return "gap unknown";
  const bounded = known(low) && known(high);
  if (bounded && low <= 0 && high >= 0)
    return `no gap beyond chance (${signed(value)} points, ${ends(gap)})`;
  if (!bounded && Math.abs(value) < 0.0005) return "no gap";
  const said = `${value > 0 ? "over" : "under"}-confident by ${points(Math.abs(value))} points`;
  if (!bounded) return said;
  return `${said} (${ends(value > 0 ? gap : { low: -high, high: -low })})`;
}

/** A gap whose interval leaves 0 out may still be chance where many groups are looked at. */
export function verdictWords(gap: Pick<Estimate, "value" | "low" | "high">, verdict: Verdict, groups = "groups"): string {
  if (verdict === "too few") return `too few ${noun}s to say more`;
  const alone = known(gap.low) && known(gap.high) && (gap.low > 0 || gap.high < 0);
  const chance = verdict === "not shown" && alone;
  return gapWords(gap) + (chance ? `, which may be chance, given the number of ${groups}` : "");
}

/** The mark that goes with a colour, for whoever does not see it. */
export const sideOf = (gap: Maybe) =>
  !known(gap) || Math.abs(gap) < 0.0005 ? "none" : gap > 0 ? "over" : "under";

/** The name of a corruption within a sentence, and at its start. */
export const within = (name: string) =>
  name.replaceAll("_", " ").replace("jpeg", "JPEG").replace("gaussian", "Gaussian");
export const words = (name: string) => within(name).replace(/^./, (c) => c.toUpperCase());
