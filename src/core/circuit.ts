/**
 * The circuit: when the target is down, or has asked everybody to pause, single calls probe until it answers.
 *
 * Closed, calls flow. It opens for one of two reasons: *down* (`CIRCUIT_OPENS_AFTER` calls in a row, of different
 * items, ended in network, timeout or 5xx) or *throttled* (the shared pause). Open, nothing is granted until
 * `nextProbeMs`; then one probe at a time, each failure doubling the wait. Down, any answered call closes it;
 * throttled, only an answered probe does, because answers to calls from before the pause prove nothing.
 *
 * Invariant: while open at most one probe is out, unless its holder is certainly gone.
 */
import {
  CIRCUIT_OPENS_AFTER,
  LEAD_MS,
  LEASE_MARGIN_MS,
  LEASE_TTL_MS,
  PROBE_FIRST_MS,
  PROBE_MAX_MS,
  SHARED_PAUSE_MAX_MS,
} from "./limits.ts";
import type { Report, Trouble } from "./protocol.ts";

export interface Circuit {
  /** Different items of the calls in a row that found the target down, at most `CIRCUIT_OPENS_AFTER`. */
  readonly downItems: readonly number[];
  /** Null: closed. */
  readonly open: Opening | null;
}

export interface Opening {
  readonly reason: "down" | "throttled";
  readonly sinceMs: number;
  /** No call before this; then a probe. Run clock. */
  readonly nextProbeMs: number;
  /** Wait after the next failed probe is twice this, at most `PROBE_MAX_MS`. */
  readonly delayMs: number;
  readonly probe: ProbeOut | null;
}

interface ProbeOut {
  /** The invocation that holds it. */
  readonly holder: string;
  readonly usableUntilMs: number;
  /** By then its holder has stopped or is dead: another probe may go. */
  readonly givenUpMs: number;
}

export type Admission =
  | { readonly kind: "closed" }
  | { readonly kind: "probe" }
  /** Nothing may leave before. */
  | { readonly kind: "wait"; readonly untilMs: number };

export const CLOSED: Circuit = { downItems: [], open: null };

/** What may leave now. Asking changes nothing: `sendProbe` records that a probe was given out. */
export function admission(circuit: Circuit, nowMs: number): Admission {
  const { open } = circuit;
  if (open === null) return { kind: "closed" };
  const untilMs = open.probe?.givenUpMs ?? open.nextProbeMs;
  return nowMs < untilMs ? { kind: "wait", untilMs } : { kind: "probe" };
}

/** The circuit with a probe out. `callTimeoutMs`: the longest that its call may take. */
export function sendProbe(
  circuit: Circuit,
  probe: {
    readonly nowMs: number;
    readonly holder: string;
    readonly usableUntilMs: number;
    readonly callTimeoutMs: number;
  },
): Circuit {
  if (circuit.open === null) return circuit;
  const givenUpMs = probe.nowMs + Math.max(LEASE_TTL_MS, probe.callTimeoutMs) + LEASE_MARGIN_MS;
  const out = { holder: probe.holder, usableUntilMs: probe.usableUntilMs, givenUpMs };
  return { ...circuit, open: { ...circuit.open, probe: out } };
}

/** The shared pause: open until `nowMs + pauseMs` (at most `SHARED_PAUSE_MAX_MS`), never shorter than it was. */
export function pauseAll(circuit: Circuit, nowMs: number, pauseMs: number): Circuit {
  const untilMs = nowMs + Math.min(pauseMs, SHARED_PAUSE_MAX_MS);
  if (circuit.open === null) return { ...circuit, open: opening("throttled", nowMs, untilMs) };
  const nextProbeMs = Math.max(circuit.open.nextProbeMs, untilMs);
  return { ...circuit, open: { ...circuit.open, nextProbeMs } };
}

/** The circuit after an invocation's report: the row of failures, and what became of its probe. */
export function observeCalls(
  circuit: Circuit,
  report: Report,
  from: { readonly nowMs: number; readonly holder: string },
): Circuit {
  const settled = settleProbe(circuit.open, report, from);
  const open = settled?.reason === "down" && report.answered > 0 ? null : settled;
  const hasClosed = circuit.open !== null && open === null;
  const downItems = rowOfFailures(hasClosed ? [] : circuit.downItems, report);
  if (open === null && downItems.length >= CIRCUIT_OPENS_AFTER) {
    return { downItems: [], open: opening("down", from.nowMs, from.nowMs + PROBE_FIRST_MS) };
  }
  if (open === circuit.open && isSame(downItems, circuit.downItems)) return circuit;
  return { downItems, open };
}

/** The circuit of a Run that restarts: its holders are asked anew, a probe that was out counts for nothing. */
export function afterRestart(circuit: Circuit): Circuit {
  return circuit.open === null ? circuit : { ...circuit, open: { ...circuit.open, probe: null } };
}

function opening(reason: Opening["reason"], sinceMs: number, nextProbeMs: number): Opening {
  return { reason, sinceMs, nextProbeMs, delayMs: PROBE_FIRST_MS, probe: null };
}

function settleProbe(
  open: Opening | null,
  report: Report,
  from: { readonly nowMs: number; readonly holder: string },
): Opening | null {
  if (open === null || report.probeAnswered) return null;
  const trouble = report.troubles.find((t) => t.probe);
  if (trouble !== undefined) return isAlive(open, trouble) ? null : failed(open, trouble, from.nowMs);
  return isForfeit(open.probe, report, from) ? { ...open, probe: null } : open;
}

/** A refused probe was answered; a throttled one too, where the question was whether the target is up. */
function isAlive(open: Opening, trouble: Trouble): boolean {
  return trouble.kind === "refused" || (trouble.kind === "throttled" && open.reason === "down");
}

function failed(open: Opening, trouble: Trouble, nowMs: number): Opening {
  const delayMs = Math.min(open.delayMs * 2, PROBE_MAX_MS);
  const askedMs = Math.min(trouble.retryAfterMs ?? 0, SHARED_PAUSE_MAX_MS);
  const reason = trouble.kind === "down" ? "down" : "throttled";
  return { ...open, reason, delayMs, nextProbeMs: nowMs + Math.max(delayMs, askedMs), probe: null };
}

/** The holder could not use its probe any more and has nothing under way: it came too late. */
function isForfeit(
  probe: ProbeOut | null,
  report: Report,
  from: { readonly nowMs: number; readonly holder: string },
): boolean {
  if (probe === null || probe.holder !== from.holder || report.inFlight > 0) return false;
  // The report was made up to a round trip before now.
  return from.nowMs > probe.usableUntilMs + LEAD_MS;
}

function rowOfFailures(before: readonly number[], report: Report): readonly number[] {
  const since = Math.min(report.troublesSinceAnswer, report.troubles.length);
  const troubles =
    report.answered > 0 ? report.troubles.slice(report.troubles.length - since) : report.troubles;
  let items = report.answered > 0 ? [] : [...before];
  for (const trouble of troubles) {
    if (trouble.kind !== "down") items = [];
    else if (items.length < CIRCUIT_OPENS_AFTER && !items.includes(trouble.index)) items.push(trouble.index);
  }
  return items;
}

function isSame(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((item, i) => item === b[i]);
}
