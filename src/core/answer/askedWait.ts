/**
 * How long an answer asks to be left alone, wherever it says so: Retry-After, its relatives in milliseconds, or the
 * reset of a quota that is used up, in the header families that are in use.
 *
 * A reset is trusted only where the number that remains is 0 or is not given: with requests left it says when a window
 * ends, and not that anybody has to wait for it. What is not understood is named, never guessed.
 */
import { readWait } from "./waitText.ts";

/** Gives a header's text by its lower-case name; null where the answer has no such header. */
export type Field = (name: string) => string | null;

export type AskedWait =
  | {
      readonly kind: "asked";
      /** From the moment of the answer, 0 or more. */
      readonly ms: number;
      /** The header that says so. */
      readonly by: string;
      /** The answer says that one has to wait: Retry-After, or a reset beside a remaining 0. */
      readonly plainly: boolean;
    }
  /** A header speaks of waiting in a form that is not understood. */
  | { readonly kind: "unclear"; readonly by: string; readonly text: string }
  | { readonly kind: "silent" };

/** What the headers of a throttled or refused answer say. `nowMs`: wall time, for an answer without a Date. */
export function askedWait(field: Field, nowMs: number): AskedWait {
  const against = { dateHeader: field("date"), nowMs };
  let unclear: AskedWait | null = null;
  for (const [by, unitMs] of RETRY_FIELDS) {
    const text = field(by);
    if (text === null) continue;
    const ms = readWait(text, against, unitMs);
    if (ms !== null) return { kind: "asked", ms, by, plainly: true };
    unclear ??= { kind: "unclear", by, text };
  }
  const resets = [...QUOTAS.map((quota) => resetOf(quota, field, nowMs)), draftReset(field)];
  const said = resets.filter((reset) => reset !== null);
  const spent = said.filter((reset) => reset.kind === "asked" && reset.plainly);
  const longest = longestOf(spent.length > 0 ? spent : said);
  return longest ?? unclear ?? said.find((reset) => reset.kind === "unclear") ?? { kind: "silent" };
}

/**
 * Until requests are taken again, as far as any answer says that none is left; null while some are. Tokens have a
 * ledger of their own (`rateLimitFields.ts`).
 */
export function requestsReset(field: Field, nowMs: number): number | null {
  const quotas = QUOTAS.filter(({ remaining }) => !remaining.includes("tokens"));
  const resets = [...quotas.map((quota) => resetOf(quota, field, nowMs)), draftReset(field)];
  const spent = resets.filter((reset) => reset?.kind === "asked" && reset.plainly);
  const longest = longestOf(spent.filter((reset) => reset !== null));
  return longest?.kind === "asked" ? longest.ms : null;
}

/** " (retry-after: "soon" is not understood)" for a message; "" where nothing was unclear. */
export function unclearNote(asked: AskedWait): string {
  return asked.kind === "unclear"
    ? ` (${asked.by}: "${asked.text.slice(0, UNCLEAR_CHARS)}" is not understood)`
    : "";
}

const UNCLEAR_CHARS = 60;

/** The finer one first: Retry-After is the same wait, rounded to seconds. */
const RETRY_FIELDS: readonly (readonly [name: string, unitMs: number])[] = [
  ["retry-after-ms", 1],
  ["x-ms-retry-after-ms", 1],
  ["retry-after", 1000],
  ["x-retry-after", 1000],
];

interface QuotaFields {
  readonly remaining: string;
  /** The first one that is there counts. */
  readonly resets: readonly (readonly [name: string, unitMs: number])[];
}

const QUOTAS: readonly QuotaFields[] = [
  ...["x-ratelimit-", "x-rate-limit-", "ratelimit-", "x-ratelimit-requests-"].map((family) => ({
    remaining: `${family}remaining`,
    // A duration needs nobody's clock.
    resets: [[`${family}reset-after`, 1000] as const, [`${family}reset`, 1000] as const],
  })),
  ...["requests", "tokens", "input-tokens", "output-tokens"].flatMap((kind) => [
    { remaining: `x-ratelimit-remaining-${kind}`, resets: [[`x-ratelimit-reset-${kind}`, 1000] as const] },
    {
      remaining: `anthropic-ratelimit-${kind}-remaining`,
      resets: [[`anthropic-ratelimit-${kind}-reset`, 1000] as const],
    },
  ]),
];

function resetOf(quota: QuotaFields, field: Field, nowMs: number): AskedWait | null {
  const remaining = leadingNumber(field(quota.remaining));
  if (remaining !== null && remaining > 0) return null;
  for (const [by, unitMs] of quota.resets) {
    const text = field(by);
    if (text === null) continue;
    // Parameters after the number ("30;w=60") describe the window.
    const value = text.replace(/;.*$/, "");
    const ms = readWait(value, { dateHeader: field("date"), nowMs }, unitMs);
    if (ms === null) return { kind: "unclear", by, text };
    // A reset that has passed says nothing about the wait.
    if (ms > 0) return { kind: "asked", ms, by, plainly: remaining !== null };
  }
  return null;
}

/**
 * The field of the IETF draft: `"default";r=0;t=30` for each policy, or `limit=10, remaining=0, reset=30`. Of the
 * policies those that have nothing left count, and of them the one that lasts longest.
 */
function draftReset(field: Field): AskedWait | null {
  const text = field("ratelimit");
  if (text === null) return null;
  const policies = /\breset\s*=/i.test(text) ? [text] : text.split(/,(?=(?:[^"]*"[^"]*")*[^"]*$)/);
  const waits = policies.map(policyReset).filter((reset) => reset !== null);
  const spent = waits.filter((reset) => reset.plainly);
  return longestOf(spent.length > 0 ? spent : waits);
}

function policyReset(policy: string): Extract<AskedWait, { kind: "asked" }> | null {
  const remaining = parameter(policy, "r", "remaining");
  const reset = parameter(policy, "t", "reset");
  if (reset === null || reset === 0 || (remaining !== null && remaining > 0)) return null;
  return { kind: "asked", ms: reset * 1000, by: "ratelimit", plainly: remaining !== null };
}

function parameter(text: string, short: string, long: string): number | null {
  return leadingNumber(
    new RegExp(`(?:^|[;,\\s])(?:${short}|${long})\\s*=\\s*(\\d+)`, "i").exec(text)?.[1] ?? null,
  );
}

function longestOf(resets: readonly AskedWait[]): AskedWait | null {
  const asked = resets.filter((reset) => reset.kind === "asked");
  return asked.reduce<(typeof asked)[number] | null>(
    (longest, reset) => (longest === null || reset.ms > longest.ms ? reset : longest),
    null,
  );
}

/** "0", "-1", "76;w=21600"; null for anything else. */
function leadingNumber(text: string | null): number | null {
  const number = /^\s*(-?\d{1,15}(?:\.\d+)?)\s*(?:;.*)?$/.exec(text ?? "")?.[1];
  return number === undefined ? null : Number(number);
}
