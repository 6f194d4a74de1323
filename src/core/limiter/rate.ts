/**
 * Rates as people write them: "1000/s", "60/min", "5/h".
 *
 * Invariant: whatever `formatRate` prints, `parseRate` reads back as the same number of requests per second.
 * Deliberately absent: other periods, exponents and signs; a rate is read by people and scripts alike.
 */
import { MAX_RATE_PER_SECOND, MIN_RATE_PER_SECOND } from "../limits.ts";

export type ParsedRate =
  | { readonly kind: "ok"; readonly perSecond: number }
  /** The sentence says what was wrong and what is accepted. */
  | { readonly kind: "invalid"; readonly message: string };

const SECONDS = { s: 1, min: 60, h: 3600 } as const;
type Unit = keyof typeof SECONDS;

const RATE = /^(\d{1,12}(?:\.\d{1,12})?|\.\d{1,12})\s*\/\s*(s|min|h)$/;

/** Requests per second, within `MIN_RATE_PER_SECOND` … `MAX_RATE_PER_SECOND`; or a sentence for the user. */
export function parseRate(text: string): ParsedRate {
  const match = RATE.exec(text.trim());
  const amount = Number(match?.[1] ?? 0);
  if (match === null || amount <= 0) return invalid(text, "is not a rate", ACCEPTED);
  const perSecond = amount / SECONDS[match[2] as Unit];
  // One call a day written as a decimal of hours cannot be exact: the slowest rate is compared generously.
  if (perSecond < MIN_RATE_PER_SECOND * (1 - 1e-6))
    return invalid(text, "is too slow", "one call a day or more");
  if (perSecond > MAX_RATE_PER_SECOND)
    return invalid(text, "is too fast", `${MAX_RATE_PER_SECOND}/s or less`);
  return { kind: "ok", perSecond };
}

/** The shortest form that `parseRate` reads back as the same rate: "1000/s", "90/min". */
export function formatRate(perSecond: number): string {
  const exact = UNITS.find((unit) => isShort(perSecond * SECONDS[unit], unit, perSecond));
  const unit = exact ?? naturalUnit(perSecond);
  return `${plain(perSecond * SECONDS[unit])}/${unit}`;
}

/** For sentences: at most three significant digits after rounding, thousands separated: "1,000/s", "12.5/min". */
export function describeRate(perSecond: number): string {
  const unit = naturalUnit(perSecond);
  const amount = perSecond * SECONDS[unit];
  const digits = amount >= 100 ? 0 : amount >= 10 ? 1 : 2;
  return `${amount.toLocaleString("en-US", { maximumFractionDigits: digits })}/${unit}`;
}

const ACCEPTED = 'a positive number with /s, /min or /h, as in "1000/s", "60/min" or "5/h"';
const UNITS = ["s", "min", "h"] as const satisfies readonly Unit[];

function invalid(text: string, complaint: string, accepted: string): ParsedRate {
  const shown = JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);
  return { kind: "invalid", message: `${shown} ${complaint}; accepted: ${accepted}` };
}

function naturalUnit(perSecond: number): Unit {
  if (perSecond >= 1) return "s";
  return perSecond * SECONDS.min >= 1 ? "min" : "h";
}

function isShort(amount: number, unit: Unit, perSecond: number): boolean {
  const text = plain(amount);
  return text.length <= 9 && amount >= 1 && Number(text) / SECONDS[unit] === perSecond;
}

/** A decimal without exponent and without needless zeros. */
function plain(amount: number): string {
  return amount.toFixed(12).replace(/\.?0+$/, "");
}
