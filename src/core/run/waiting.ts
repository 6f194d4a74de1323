/**
 * What a run waits for that only time brings: a wait that the target asked for, the next probe, the next try of the
 * items that are left. It says until when, and why; the time left is never shorter.
 *
 * The latest wait that an answer asked for is kept with the run, because the items that wait for it are in the lanes
 * and in the ledger. It is for people: no decision about permits reads it.
 */

import { effectiveRate } from "../limiter/quota.ts";
import type { Report } from "../protocol.ts";
import { offsetMs } from "../window/zone.ts";
import { opensAtMs } from "./hours.ts";
import type { Run } from "./run.ts";

/** The latest wait that an answer asked for. */
export interface Asked {
  /** The header; null: it was said otherwise. */
  readonly by: string | null;
  /** Run clock. */
  readonly untilMs: number;
}

/** The latest wait after a report; null: none that is not over. */
export function latestAsked(before: Asked | null, report: Report, nowMs: number): Asked | null {
  let latest = before !== null && before.untilMs > nowMs ? before : null;
  for (const { kind, retryAfterMs, askedBy } of report.troubles) {
    if (kind !== "throttled" || retryAfterMs === null || retryAfterMs <= 0) continue;
    const untilMs = nowMs + retryAfterMs;
    if (latest === null || untilMs >= latest.untilMs) latest = { by: askedBy ?? null, untilMs };
  }
  return latest;
}

/** The wait when no item waits beyond `toMs` any more. */
export function shorten(asked: Asked | null, toMs: number): Asked | null {
  return asked === null ? null : { ...asked, untilMs: Math.min(asked.untilMs, toMs) };
}

export interface Remaining {
  /** Items without a row. */
  readonly left: number;
  /** Items a second at present. */
  readonly perSecond: number;
  readonly itemsPerCall: number;
}

/** Milliseconds until the run is done, as far as can be told: never less than it waits; null when nothing moves. */
export function remainingMs(
  run: Run,
  { left, perSecond, itemsPerCall }: Remaining,
  nowMs: number,
): number | null {
  if (left <= 0) return 0;
  const askedMs = (run.state.asked?.untilMs ?? nowMs) - nowMs;
  const heldMs = heldUntilMs(run, nowMs) - nowMs;
  const waitMs = Math.max(0, askedMs, heldMs);
  // What everybody waits for comes before the rest, which then goes at the rate that is allowed.
  const paceAfter = heldMs > 0 ? effectiveRate(run.state.quota) : null;
  if (paceAfter !== null) return Math.max(waitMs, heldMs + (left / (paceAfter * itemsPerCall)) * 1000);
  if (perSecond > 0) return Math.max(waitMs, (left / perSecond) * 1000);
  return waitMs > 0 ? waitMs : null;
}

/** Nothing leaves before this instant of the run clock; now or earlier when something may. */
function heldUntilMs(run: Run, nowMs: number): number {
  const { open } = run.state.quota.circuit;
  if (open !== null && open.isAjar !== true) return open.nextProbeMs;
  if (run.semaphore.live.size > 0 || run.ledger.nextAvailable(nowMs, true) !== undefined) return nowMs;
  return run.ledger.nextAvailableAtMs() ?? nowMs;
}

interface Reading {
  readonly nowMs: number;
  readonly wallMs: number;
}

/** The shared pause: until when, and who asks for it. */
export function whyThrottled(run: Run, { nowMs, wallMs }: Reading): string {
  const { asked, quota } = run.state;
  const nextMs = Math.max(nowMs, quota.circuit.open?.nextProbeMs ?? nowMs);
  const at = (ms: number): string => moment(wallMs, wallMs + ms - nowMs);
  if (asked == null || asked.untilMs <= nextMs) {
    const by = asked == null || asked.untilMs <= nowMs ? "" : ` (${headerOf(asked)})`;
    return `throttled by the target until ${at(nextMs)}${by}`;
  }
  return `throttled by the target, which asks for a wait until ${at(asked.untilMs)} (${headerOf(asked)}); next call at ${at(nextMs)}`;
}

/** Outside the run's hours: until when, by the zone's clock and by UTC. */
export function whyShut(run: Run, { nowMs, wallMs }: Reading): string {
  const { window } = run.state.spec;
  const opensMs = opensAtMs(run, nowMs);
  if (window == null || opensMs === null || opensMs === Number.POSITIVE_INFINITY) return "outside its window";
  const atMs = wallMs + opensMs - nowMs;
  const local = moment(wallMs + offsetMs(window.timeZone, wallMs), atMs + offsetMs(window.timeZone, atMs));
  const shown =
    window.timeZone === "UTC"
      ? moment(wallMs, atMs)
      : `${local.replace(/:\d\dZ$/, "")} ${window.timeZone} (${moment(wallMs, atMs)})`;
  return `outside its window: no call leaves until ${shown}`;
}

/** Everything that is left waits for its next try, the first of it until `dueMs` (run clock). */
export function whyWaiting(run: Run, dueMs: number, { nowMs, wallMs }: Reading): string {
  const { asked, items, counts, trouble } = run.state;
  const until = `waiting until ${moment(wallMs, wallMs + dueMs - nowMs)}`;
  if (trouble !== null) return `${until}: ${trouble}`;
  const left = items - counts.done;
  const who = left === 1 ? "the last item is" : `the ${left.toLocaleString("en-US")} items that are left are`;
  if (asked == null || asked.untilMs <= nowMs) return `${until}: ${who} tried again then`;
  return `${until}: the target asks for it (${headerOf(asked)}), and ${who} asked for again then`;
}

function headerOf({ by }: Asked): string {
  return by ?? "retry.throttledMinDelayMs, or the answer's text";
}

/** Time of day, UTC, to the second; with its date where that is not today's. */
export function moment(wallMs: number, atMs: number): string {
  const [today, at] = [new Date(wallMs).toISOString(), new Date(atMs).toISOString()];
  const time = `${at.slice(11, 19)}Z`;
  return at.slice(0, 10) === today.slice(0, 10) ? time : `${at.slice(0, 10)} ${time}`;
}
