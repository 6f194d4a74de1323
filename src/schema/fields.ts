/**
 * The kinds of fields a spec has, as zod schemas that carry one sentence about what is accepted: whatever is wrong
 * with the field, that sentence is what the user reads, with the field's path in front.
 */
import { z } from "zod";
import { parseRate } from "../core/limiter/rate.ts";
import { MAX_BUDGET, MAX_HEADER_CHARS, MAX_HEADERS } from "../core/limits.ts";
import { holdsCredential } from "../core/template/urlTemplate.ts";

/** A whole number from `least` to `most`, both included. */
export function wholeNumber(least: number, most: number) {
  const error = `must be a whole number from ${grouped(least)} to ${grouped(most)}`;
  return z.int({ error }).min(least, { error }).max(most, { error });
}

/** Any whole number, also a negative one. */
export function integer() {
  const error = "must be a whole number";
  return z.int({ error });
}

/** A name as a database or a store has it; a control character in one could only come from a mistake. */
export function plainName(most: number) {
  const error = `must be text of 1 to ${grouped(most)} characters without control characters`;
  return z
    .string({ error })
    .min(1, { error })
    .max(most, { error })
    .regex(/^\P{Cc}+$/u, { error });
}

/** An amount above 0, up to `MAX_BUDGET`. */
export function positive() {
  const error = "must be a number above 0";
  return z.number({ error }).gt(0, { error }).max(MAX_BUDGET, { error });
}

/** A share, 0 to 1. */
export function share() {
  const error = "must be a number from 0 to 1";
  return z.number({ error }).min(0, { error }).max(1, { error });
}

/** One of a few words. */
export function oneOf<const Words extends readonly [string, ...string[]]>(words: Words) {
  return z.enum(words, { error: `must be one of ${words.join(", ")}` });
}

/** Text of one line, at most `most` characters. */
export function line(most: number) {
  const error = `must be text of at most ${grouped(most)} characters without control characters`;
  return z
    .string({ error })
    .max(most, { error })
    .regex(/^\P{Cc}*$/u, { error });
}

/** Headers of a request by name; their values are templates. */
export function headers() {
  const error = `must be an object of at most ${MAX_HEADERS} names and texts`;
  return z
    .record(z.string(), z.string().max(MAX_HEADER_CHARS))
    .refine((fields) => Object.keys(fields).length <= MAX_HEADERS, { error });
}

/** A rate such as "1000/s". */
export function rate() {
  return z
    .string({ error: 'must be a rate such as "1000/s", "60/min" or "5/h"' })
    .superRefine((text, context) => {
      const parsed = parseRate(text);
      if (parsed.kind === "invalid") context.addIssue({ code: "custom", message: parsed.message });
    });
}

/** An absolute http(s) URL without credentials in it. */
export function webAddress() {
  const error =
    'must be an absolute http:// or https:// URL without credentials, as in "https://example.com/done"';
  return z
    .string({ error })
    .max(2000, { error })
    .refine(
      (text) => {
        const url = URL.parse(text);
        if (url === null || !/^https?:$/.test(url.protocol)) return false;
        // Nothing is put in here: `{{secret:NAME}}` would be sent as it stands.
        return url.username === "" && url.password === "" && !holdsCredential(text) && !text.includes("{{");
      },
      { error },
    );
}

/** 100000 as "100,000", the same in every locale. */
function grouped(n: number): string {
  return String(n).replace(/\B(?=(\d{3})+$)/g, ",");
}
