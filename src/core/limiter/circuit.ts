/**
 * The circuit: when nobody is answered, or the target has asked everybody to pause, single calls probe until it answers.
 *
 * What a failed call says of the *target* is kept apart from what it says of its *item*:
 * - A *silence* begins with a call that ended down (network, timeout, 5xx) and ends with the next call that is answered.
 * - An item that failed while others were answered is a *suspect*. Its further failures say nothing about the target,
 *   unless it got no connection at all: that is never the item's doing.
 * - A silence of ten different items opens the circuit. Then single probes go, in turn from items that were tried before
 *   and from items that never were, so that no order of a list defeats them. Where fewer items are left, five seconds of
 *   silence open it *ajar*: calls go on as their items' own waits let them, for they are few.
 * - Tries that failed in the silence are given back while the circuit is open.
 * - While nobody gets a connection it stays open. Where connections are made and calls fail all the same, it closes
 *   after `CONNECTED_PATIENCE_MS` without an answer (it is *lifted*): from then on every failure is its item's own.
 *   Only a run with `REOPENS_ABOVE_ITEMS` items left opens it again in the same silence, when
 *   `REOPENS_AFTER` further items failed in their first try, and after that `REOPENS_AGAIN_AFTER`; each time it then
 *   stays open for twice as long.
 * - Bad items that stand in rows open it again and again. So what the openings cost is added up: beyond `HELD_MOST_MS`
 *   (`HELD_LONG_MOST_MS` where it opened again in the same silence) it stays closed. A twentieth of the time is forgotten.
 *
 * So a run ends: while connections are made at most `HELD_MOST_MS` and a twentieth of its time are added to the tries of
 * its items, in a long list of which a whole stretch fails `HELD_LONG_MOST_MS`, and nothing but the target's being out of
 * reach holds it longer (docs/design/leases.md).
 *
 * Opened by a shared pause (*throttled*), only an answered probe closes it, because answers to calls from before the
 * pause prove nothing. Invariant: while open at most one probe is out, unless its holder is certainly gone.
 */
import {
  CIRCUIT_OPENS_AFTER,
  CIRCUIT_OPENS_AFTER_MAX,
  CONNECTED_PATIENCE_MAX_MS,
  CONNECTED_PATIENCE_MS,
  FALSE_ALARM_MS,
  HELD_FORGOTTEN,
  HELD_LONG_MOST_MS,
  HELD_MOST_MS,
  HELD_ROOM_MS,
  LEAD_MS,
  LEASE_MARGIN_MS,
  LEASE_TTL_MS,
  PROBE_CONNECTED_MAX_MS,
  PROBE_CONNECTED_MS,
  PROBE_FIRST_MS,
  PROBE_MAX_MS,
  REOPENS_ABOVE_ITEMS,
  REOPENS_AFTER,
  REOPENS_AGAIN_AFTER,
  SHARED_PAUSE_MAX_MS,
  SILENCE_FAILURES,
  SILENCE_MS,
  UNREACHED_SILENCE_MS,
} from "../limits.ts";
import type { Report, Trouble } from "../protocol.ts";

export interface Circuit {
  /** Null: the last call that ended was answered, or none has ended. */
  readonly silence: Silence | null;
  /** Null: closed. */
  readonly open: Opening | null;
  /** Different items of a silence that open it: doubled by every opening that turned out to be a false alarm. */
  readonly opensAfter: number;
  /** What openings have cost; absent: nothing. */
  readonly held?: Held;
}

/** For how long the circuit was open although connections were made, as of an instant; forgotten as time passes. */
interface Held {
  readonly ms: number;
  readonly asOfMs: number;
}

/** Calls that ended down since the last one that was answered. */
export interface Silence {
  readonly sinceMs: number;
  /** Calls, those of suspects left out unless they got no connection. */
  readonly failures: number;
  /** Different items of these calls, as many as matter; once lifted, only items in their first try. */
  readonly items: readonly number[];
  /** How many of the latest of these calls got no connection, one after the other. */
  readonly unreached: number;
  /** Since when calls got a connection and failed all the same; null: the latest call got none. */
  readonly connectedSinceMs: number | null;
  /** How often the circuit was closed without an answer. */
  readonly lifts: number;
}

export interface Opening {
  readonly reason: "down" | "throttled";
  readonly sinceMs: number;
  /** No call before this; then a probe. Run clock. */
  readonly nextProbeMs: number;
  /** Wait after the next failed probe is twice this, at most `PROBE_MAX_MS`. */
  readonly delayMs: number;
  readonly probe: ProbeOut | null;
  /** Probes given out so far. */
  readonly probes: number;
  /** Calls go on; only what their failures cost is another matter. */
  readonly isAjar?: true;
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
  /** `prefers`: which items it is to be taken from, where there is a choice. */
  | { readonly kind: "probe"; readonly prefers: "tried" | "untried" }
  /** Nothing may leave before. */
  | { readonly kind: "wait"; readonly untilMs: number };

/** What a report is taken in with. */
export interface ReportMoment {
  readonly nowMs: number;
  /** The invocation. */
  readonly holder: string;
  /** Items of the run without a row; absent: few. */
  readonly itemsLeft?: number;
}

export const CLOSED: Circuit = { silence: null, open: null, opensAfter: CIRCUIT_OPENS_AFTER };

/** What may leave now. Asking changes nothing: `sendProbe` records that a probe was given out. */
export function admission(circuit: Circuit, nowMs: number): Admission {
  const { open } = circuit;
  if (open === null || open.isAjar === true) return { kind: "closed" };
  const untilMs = open.probe?.givenUpMs ?? open.nextProbeMs;
  if (nowMs < untilMs) return { kind: "wait", untilMs };
  return { kind: "probe", prefers: open.probes % 2 === 0 ? "tried" : "untried" };
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
  return { ...circuit, open: { ...circuit.open, probe: out, probes: circuit.open.probes + 1 } };
}

/** The shared pause: open until `nowMs + pauseMs` (at most `SHARED_PAUSE_MAX_MS`), never shorter than it was. */
export function pauseAll(circuit: Circuit, nowMs: number, pauseMs: number): Circuit {
  const untilMs = nowMs + Math.min(pauseMs, SHARED_PAUSE_MAX_MS);
  if (circuit.open === null || circuit.open.isAjar === true)
    return { ...circuit, open: opening("throttled", nowMs, untilMs) };
  const nextProbeMs = Math.max(circuit.open.nextProbeMs, untilMs);
  return { ...circuit, open: { ...circuit.open, nextProbeMs } };
}

/** The circuit after an invocation's report: who was answered, who was not, and what became of its probe. */
export function observeCalls(circuit: Circuit, report: Report, from: ReportMoment): Circuit {
  const { nowMs } = from;
  const probed = settleProbe(circuit, report, from);
  const isAnswered = endsSilence(circuit, report, nowMs);
  const silence = silenceAfter(isAnswered ? null : circuit.silence, report, nowMs);
  const open = probed?.reason === "down" && isAnswered ? null : probed;
  const opensAfter = threshold(circuit, open, nowMs);
  if (silence !== null && (open === null || open.isAjar === true)) {
    const how = opens(silence, opensAfter, { ...from, heldMs: heldMs(circuit, nowMs) });
    if (how !== null && (how === "shut" || open === null)) {
      const ajar = how === "ajar" ? ({ isAjar: true } as const) : {};
      const opened = { ...opening("down", nowMs, nowMs + PROBE_FIRST_MS), ...ajar };
      const begun = how === "shut" ? { ...silence, items: [] } : silence;
      return { silence: begun, open: opened, opensAfter, ...heldAfter(circuit, nowMs) };
    }
  }
  const isSame = silence === circuit.silence && open === circuit.open && opensAfter === circuit.opensAfter;
  if (isSame) return circuit;
  const isTurn = (open === null) !== (circuit.open === null);
  return { ...circuit, silence, open, opensAfter, ...(isTurn && heldAfter(circuit, nowMs)) };
}

/** The circuit as time passes: lifted when calls got connections for long enough and nobody was answered. */
export function passTime(circuit: Circuit, nowMs: number): Circuit {
  const { open, silence } = circuit;
  const fromMs = silence?.connectedSinceMs ?? null;
  if (open?.reason !== "down" || silence === null || fromMs === null) return circuit;
  const patienceMs = Math.min(CONNECTED_PATIENCE_MS * 2 ** silence.lifts, CONNECTED_PATIENCE_MAX_MS);
  const isOver = nowMs >= Math.max(fromMs, silence.lifts === 0 ? fromMs : open.sinceMs) + patienceMs;
  if (!isOver && heldMs(circuit, nowMs) < mostHeldMs(silence)) return circuit;
  const lifted = { ...silence, items: [], failures: 0, unreached: 0, lifts: silence.lifts + 1 };
  return { ...circuit, silence: lifted, open: null, ...heldAfter(circuit, nowMs) };
}

/** The circuit of a Run that restarts: its holders are asked anew, a probe that was out counts for nothing. */
export function afterRestart(stored: Circuit): Circuit {
  // One that an older version stored has neither silence nor threshold.
  const { silence = null, opensAfter = CIRCUIT_OPENS_AFTER, held } = stored as Partial<Circuit>;
  const open = stored.open === null ? null : { ...stored.open, probe: null, probes: stored.open.probes ?? 0 };
  return { silence, open, opensAfter, ...(held !== undefined && { held }) };
}

/** What openings have cost by now. One in which nobody gets a connection costs nothing, and none is forgotten. */
function heldMs({ held, open, silence }: Circuit, nowMs: number): number {
  const { ms, asOfMs } = held ?? { ms: 0, asOfMs: nowMs };
  if (open?.reason !== "down") return Math.max(0, ms - HELD_FORGOTTEN * Math.max(0, nowMs - asOfMs));
  const fromMs = silence?.connectedSinceMs ?? Number.POSITIVE_INFINITY;
  const sinceMs = held === undefined ? open.sinceMs : Math.max(asOfMs, open.sinceMs);
  return ms + Math.max(0, nowMs - Math.max(sinceMs, fromMs));
}

/** The circuit opens or closes now. */
function heldAfter(circuit: Circuit, nowMs: number): Pick<Circuit, "held"> {
  const ms = heldMs(circuit, nowMs);
  return ms === 0 && circuit.held === undefined ? {} : { held: { ms, asOfMs: nowMs } };
}

/** After so much the circuit is lifted, and stays closed. */
function mostHeldMs({ lifts }: Silence): number {
  return lifts === 0 ? HELD_MOST_MS : HELD_LONG_MOST_MS;
}

function opening(reason: Opening["reason"], sinceMs: number, nextProbeMs: number): Opening {
  return { reason, sinceMs, nextProbeMs, delayMs: PROBE_FIRST_MS, probe: null, probes: 0 };
}

/**
 * A call was answered after the silence began. One that was answered before, and is reported only now, ends nothing.
 * Throttled and refused calls were answered too.
 */
function endsSilence({ silence, open }: Circuit, report: Report, nowMs: number): boolean {
  if (report.probeAnswered || report.troubles.some(({ kind }) => kind !== "down")) return true;
  if (report.answered === 0) return false;
  const sinceMs = silence?.sinceMs ?? open?.sinceMs ?? Number.NEGATIVE_INFINITY;
  return nowMs - (report.answeredAgoMs ?? 0) >= sinceMs;
}

function settleProbe({ open, silence }: Circuit, report: Report, from: ReportMoment): Opening | null {
  if (open === null || report.probeAnswered) return null;
  const trouble = report.troubles.find((t) => t.probe);
  if (trouble !== undefined && isAlive(open, trouble)) return null;
  if (trouble !== undefined) return failed(open, trouble, { nowMs: from.nowMs, lifts: silence?.lifts ?? 0 });
  return isForfeit(open.probe, report, from) ? { ...open, probe: null } : open;
}

/** A refused probe was answered; a throttled one too, where the question was whether the target is up. */
function isAlive(open: Opening, trouble: Trouble): boolean {
  return trouble.kind === "refused" || (trouble.kind === "throttled" && open.reason === "down");
}

function failed(
  open: Opening,
  trouble: Trouble,
  { nowMs, lifts }: { readonly nowMs: number; readonly lifts: number },
): Opening {
  const isConnected = trouble.kind === "down" && trouble.unreached !== true;
  const connectedMostMs = lifts === 0 ? PROBE_CONNECTED_MS : PROBE_CONNECTED_MAX_MS;
  const delayMs = Math.min(open.delayMs * 2, isConnected ? connectedMostMs : PROBE_MAX_MS);
  const askedMs = Math.min(trouble.retryAfterMs ?? 0, SHARED_PAUSE_MAX_MS);
  const isDown = trouble.kind === "down" && (trouble.suspect !== true || trouble.unreached === true);
  const reason = isDown ? "down" : trouble.kind === "throttled" ? "throttled" : open.reason;
  return { ...open, reason, delayMs, nextProbeMs: nowMs + Math.max(delayMs, askedMs), probe: null };
}

/** The holder could not use its probe any more and has nothing under way: it came too late. */
function isForfeit(probe: ProbeOut | null, report: Report, from: ReportMoment): boolean {
  if (probe === null || probe.holder !== from.holder || report.inFlight > 0) return false;
  // The report was made up to a round trip before now.
  return from.nowMs > probe.usableUntilMs + LEAD_MS;
}

/** What of the report came after the last answered call, as a silence or as more of one. */
function silenceAfter(before: Silence | null, report: Report, nowMs: number): Silence | null {
  let silence = before;
  for (const trouble of sinceLastAnswer(report)) {
    if (trouble.suspect !== true || trouble.unreached === true) silence = longer(silence, trouble, nowMs);
    // A suspect that got a connection: so others get one too.
    else if (silence !== null) silence = { ...silence, connectedSinceMs: silence.connectedSinceMs ?? nowMs };
  }
  return silence;
}

function sinceLastAnswer({ troubles, troublesSinceAnswer, answered }: Report): readonly Trouble[] {
  const since = answered > 0 ? Math.min(troublesSinceAnswer, troubles.length) : troubles.length;
  const tail = troubles.slice(troubles.length - since);
  return tail.slice(tail.findLastIndex(({ kind }) => kind !== "down") + 1);
}

function longer(before: Silence | null, trouble: Trouble, nowMs: number): Silence {
  const silence = before ?? newSilence(nowMs);
  const counts = silence.lifts === 0 || trouble.first === true;
  const most = Math.max(CIRCUIT_OPENS_AFTER_MAX, REOPENS_AFTER);
  const isNew = counts && silence.items.length < most && !silence.items.includes(trouble.index);
  const isUnreached = trouble.unreached === true;
  return {
    ...silence,
    failures: silence.failures + 1,
    items: isNew ? [...silence.items, trouble.index] : silence.items,
    unreached: isUnreached ? silence.unreached + 1 : 0,
    connectedSinceMs: isUnreached ? null : (silence.connectedSinceMs ?? nowMs),
  };
}

function newSilence(sinceMs: number): Silence {
  return { sinceMs, failures: 0, items: [], unreached: 0, connectedSinceMs: null, lifts: 0 };
}

/** Whether a silence shuts calls in behind probes, or leaves them ajar; null: neither. */
function opens(
  silence: Silence,
  opensAfter: number,
  from: ReportMoment & { readonly heldMs: number },
): "shut" | "ajar" | null {
  const { nowMs, itemsLeft = 0 } = from;
  const { connectedSinceMs, failures, items, lifts, unreached } = silence;
  const forMs = nowMs - silence.sinceMs;
  if (unreached >= SILENCE_FAILURES && forMs >= UNREACHED_SILENCE_MS) return "shut";
  if (connectedSinceMs !== null && from.heldMs > mostHeldMs(silence) - HELD_ROOM_MS) return null;
  if (lifts > 0) {
    const most = lifts === 1 ? REOPENS_AFTER : REOPENS_AGAIN_AFTER;
    return itemsLeft > REOPENS_ABOVE_ITEMS && items.length >= most ? "shut" : null;
  }
  if (items.length >= opensAfter) return "shut";
  return failures >= SILENCE_FAILURES && forMs >= SILENCE_MS ? "ajar" : null;
}

/** Where the first try of every item fails and the next one works, each opening is a false alarm. */
function threshold(circuit: Circuit, open: Opening | null, nowMs: number): number {
  if (circuit.open?.isAjar === true || circuit.open?.reason !== "down" || open !== null)
    return circuit.opensAfter;
  if (nowMs - circuit.open.sinceMs >= FALSE_ALARM_MS) return CIRCUIT_OPENS_AFTER;
  return Math.min(circuit.opensAfter * 2, CIRCUIT_OPENS_AFTER_MAX);
}
