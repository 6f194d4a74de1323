/**
 * The quota of single hosts (`quota.perHost`, a site's `Crawl-delay`), on top of the run's own: a permit for a host is
 * an instant that both allow, so one instant and one grace stand for both.
 *
 * Invariants:
 * - Two instants for one host lie at least its spacing apart. Up to one call a second the calls themselves do, however
 *   late within their grace the first one leaves; a faster host gets at most `rate × W + rate × (grace + clock error) + 1`
 *   calls in any window W, the form of the run's own bound.
 * - Nothing of it is stored: after a restart every host counts as called at the last moment it can have been.
 * - Items that are put off get turns, one after another over the whole run, as far apart as the host allows. A turn is
 *   advice: who comes at its turn asks for a permit like anybody else.
 * - The hosts remembered are bounded. When all of them rest, another one waits: the bound costs speed, never the rate.
 */

import {
  DEPTH_MS,
  GRACE_MS,
  HOST_AHEAD_MS,
  HOST_PERMITS_PER_ASK,
  HOST_SPACING_SHARE,
  HOSTS_TRACKED,
  ISSUED_STEP_MS,
  SHARED_PAUSE_MAX_MS,
} from "../limits.ts";
import type { HostAsk, HostGrant } from "../protocol.ts";
import { emissionIntervalMs } from "./gcra.ts";
import { grant, type Quota } from "./quota.ts";

interface Called {
  /** The last instant given out for the host; -Infinity for none. */
  lastMs: number;
  /** The spacing it was given out with. */
  spacingMs: number;
  /** The host asked to be left alone until then. */
  heldUntilMs: number;
  /** Turns are given away up to here. */
  turnsToMs: number;
}

/** What a Run remembers of hosts: those that rest. Kept in memory only. */
export interface HostBook {
  readonly hosts: Map<string, Called>;
  /** Hosts that are not remembered may have been called until then; -Infinity: none was. */
  unknownUntilMs: number;
}

/** A book in which no host was ever called. */
export function createHostBook(): HostBook {
  return { hosts: new Map(), unknownUntilMs: Number.NEGATIVE_INFINITY };
}

/**
 * After a restart, or when the clock leapt: what was given out is not known any more, and may be used for as long as an
 * instant can lie ahead.
 */
export function forgetHosts(book: HostBook, nowMs: number): void {
  book.hosts.clear();
  book.unknownUntilMs = nowMs + DEPTH_MS + ISSUED_STEP_MS + GRACE_MS;
}

export interface HostAsking {
  readonly nowMs: number;
  /** The invocation. */
  readonly holder: string;
  /** Calls per second to one host; null: only what the askers say. */
  readonly perSecond: number | null;
  /** No permit lies closer than this: answers take that long to come. */
  readonly leadMs: number;
  /** No permit lies further ahead; absent: there is no end. */
  readonly endsInMs?: number;
  readonly pollMs: number;
  /** The longest a call may take: how long a silent probe is waited for. */
  readonly callTimeoutMs: number;
}

interface Turn {
  readonly ask: HostAsk;
  readonly spacingMs: number;
  dueMs: number;
  readonly sendInMs: number[];
}

/**
 * Gives instants to who asks for hosts, the host that is due first coming first. A host that is due later than
 * `HOST_AHEAD_MS` gets none now: an instant so far ahead would hold back the others.
 */
export function grantHosts(
  book: HostBook,
  quota: Quota,
  asks: readonly HostAsk[],
  asking: HostAsking,
): { readonly quota: Quota; readonly grants: readonly HostGrant[] } {
  const { nowMs, holder, pollMs, callTimeoutMs, endsInMs = Number.POSITIVE_INFINITY } = asking;
  const turns = asks.map((ask) => turnOf(book, ask, asking));
  const given = { graceMs: GRACE_MS, probe: false, waitInMs: 0 };
  let now = quota;
  for (let permits = 0; permits < HOST_PERMITS_PER_ASK; permits++) {
    const turn = nextTurn(turns, nowMs);
    if (turn === null) break;
    const leadMs = Math.max(asking.leadMs, turn.dueMs - nowMs);
    const asked = grant(now, { nowMs, want: 1, holder, leadMs, endsInMs, pollMs, callTimeoutMs });
    now = asked.quota;
    if (asked.grant.kind === "deferred") {
      given.waitInMs = asked.grant.askAgainInMs;
      break;
    }
    const sendInMs = asked.grant.kind === "free" ? leadMs : asked.grant.firstInMs;
    take(book, turn, nowMs + sendInMs);
    turn.sendInMs.push(sendInMs);
    if (asked.grant.kind === "free") continue;
    given.graceMs = asked.grant.graceMs;
    given.probe = asked.grant.probe;
    if (asked.grant.probe) break;
  }
  const grants = turns.map((turn) => ({
    host: turn.ask.host,
    sendInMs: turn.sendInMs,
    dueInMs: Math.max(0, turn.dueMs - nowMs),
    turnInMs: given.waitInMs > 0 ? null : putOff(book, turn, nowMs),
    turnEveryMs: turn.spacingMs,
    ...given,
  }));
  return { quota: now, grants };
}

/** Gives away turns behind those that others have; null where nobody has to be put off. */
function putOff(book: HostBook, { ask, spacingMs, dueMs, sendInMs }: Turn, nowMs: number): number | null {
  if (ask.turns === 0 || sendInMs.length >= ask.want) return null;
  const called = book.hosts.get(ask.host);
  const firstMs = Math.max(dueMs, called?.turnsToMs ?? Number.NEGATIVE_INFINITY);
  if (called !== undefined) called.turnsToMs = firstMs + ask.turns * spacingMs;
  return firstMs - nowMs;
}

/** How many hosts were called within the last `ms`. */
export function hostsCalled(book: HostBook, nowMs: number, ms: number): number {
  let count = 0;
  for (const { lastMs } of book.hosts.values()) if (lastMs > nowMs - ms) count += 1;
  return count;
}

/**
 * From one instant of a host to its next. The grace, within which a call may be late, is added as far as it is at most
 * a 25th: to a host that is called once a second or less no two calls lie closer than its rate says.
 */
export function hostSpacingMs(perSecond: number | null, leastMs: number): number {
  const intervalMs = Math.max(perSecond === null ? 0 : emissionIntervalMs(perSecond), leastMs);
  return intervalMs + Math.min(GRACE_MS, intervalMs * HOST_SPACING_SHARE);
}

const NEVER: Called = { lastMs: -Infinity, spacingMs: 0, heldUntilMs: -Infinity, turnsToMs: -Infinity };

function turnOf(book: HostBook, ask: HostAsk, { nowMs, perSecond }: HostAsking): Turn {
  const spacingMs = hostSpacingMs(perSecond, ask.spacingMs);
  if (ask.holdMs > 0) hold(book, ask.host, nowMs + Math.min(ask.holdMs, SHARED_PAUSE_MAX_MS));
  const called = book.hosts.get(ask.host);
  let dueMs = called === undefined ? -Infinity : Math.max(called.lastMs + spacingMs, called.heldUntilMs);
  // Where calls are not spaced it does not matter when the last one was.
  if (spacingMs > 0) dueMs = Math.max(dueMs, book.unknownUntilMs + spacingMs);
  if (called === undefined) dueMs = Math.max(dueMs, roomFromMs(book, nowMs));
  return { ask, spacingMs, dueMs: Math.max(dueMs, nowMs), sendInMs: [] };
}

/** The turn that is due first and still wants a permit; null: none is due soon. */
function nextTurn(turns: readonly Turn[], nowMs: number): Turn | null {
  let first: Turn | null = null;
  for (const turn of turns) {
    if (turn.sendInMs.length >= turn.ask.want || turn.dueMs > nowMs + HOST_AHEAD_MS) continue;
    if (first === null || turn.dueMs < first.dueMs) first = turn;
  }
  return first;
}

function take(book: HostBook, turn: Turn, atMs: number): void {
  turn.dueMs = atMs + turn.spacingMs;
  if (turn.spacingMs === 0) return;
  const called = book.hosts.get(turn.ask.host) ?? NEVER;
  book.hosts.set(turn.ask.host, { ...called, lastMs: atMs, spacingMs: turn.spacingMs });
}

function hold(book: HostBook, host: string, untilMs: number): void {
  const called = book.hosts.get(host) ?? NEVER;
  book.hosts.set(host, { ...called, heldUntilMs: Math.max(called.heldUntilMs, untilMs) });
}

/** When the book has room for another host: now, unless all that it remembers rest. */
function roomFromMs(book: HostBook, nowMs: number): number {
  if (book.hosts.size < HOSTS_TRACKED) return nowMs;
  let firstMs = Number.POSITIVE_INFINITY;
  for (const [host, { lastMs, spacingMs, heldUntilMs }] of book.hosts) {
    const restsUntilMs = Math.max(lastMs + spacingMs, heldUntilMs);
    if (restsUntilMs <= nowMs) book.hosts.delete(host);
    else firstMs = Math.min(firstMs, restsUntilMs);
  }
  return book.hosts.size < HOSTS_TRACKED ? nowMs : firstMs + HOST_AHEAD_MS;
}
