/**
 * How long an error object of a model endpoint asks to wait: gateways put the headers of the provider behind them into
 * it, Google a `retryDelay`, others a number or half a sentence.
 */

import { jsonAt } from "../jsonPointer.ts";
import type { Json } from "../spec.ts";
import { askedWait } from "./askedWait.ts";
import { readWait } from "./waitText.ts";

/** Milliseconds from the moment of the answer; null where it says nothing. `nowMs`: wall time. */
export function errorWaitMs(error: Json, nowMs: number): number | null {
  const against = { dateHeader: null, nowMs };
  const headers = jsonAt(error, ["metadata", "headers"]);
  const asked = askedWait((name) => memberOf(headers, name), nowMs);
  if (asked.kind === "asked") return asked.ms;
  for (const at of [error, jsonAt(error, ["metadata"])]) {
    for (const [names, unitMs] of NUMBERS) {
      const said = names.map((name) => textOf(at, name)).find((text) => text !== null);
      const ms = said == null ? null : readWait(said, against, unitMs);
      if (ms !== null) return ms;
    }
  }
  const delay = delayIn(jsonAt(error, ["details"]));
  if (delay !== null) return readWait(delay, against);
  const sentence = /\b(?:again|retry|wait)\s+(?:in|after|for)\s+(\d[\d.]*\s*[a-z]+(?:\d[\d.]*[a-z]+)*)/i;
  const inWords = sentence.exec(textOf(error, "message") ?? "")?.[1];
  return inWords === undefined ? null : readWait(inWords, against);
}

const NUMBERS: readonly (readonly [names: readonly string[], unitMs: number])[] = [
  [["retry_after_ms", "retryAfterMs"], 1],
  [["retry_after", "retryAfter", "retry_after_seconds", "retry-after"], 1000],
];

/** Google's RetryInfo among the details. */
function delayIn(details: Json | undefined): string | null {
  if (!Array.isArray(details)) return null;
  const delays = (details as readonly Json[]).map((detail) => textOf(detail, "retryDelay"));
  return delays.find((delay) => delay !== null) ?? null;
}

/** A member by its name in whatever case, as headers are named. */
function memberOf(object: Json | undefined, name: string): string | null {
  if (typeof object !== "object" || object === null) return null;
  const key = Object.keys(object).find((known) => known.toLowerCase() === name);
  return key === undefined ? null : textOf(object, key);
}

function textOf(object: Json | undefined, key: string): string | null {
  const value = object === undefined ? undefined : jsonAt(object, [key]);
  return typeof value === "string" || typeof value === "number" ? String(value) : null;
}
