/**
 * The part of an answer that says who may call when: plain permits, those for single hosts, those with a cost.
 *
 * The limiter itself is `quota.ts`. Here stands what it is asked for: how many permits are of use to this invocation, how
 * far apart, and how far ahead, given what the whole run has under way.
 */
import { budgetSentence, isCosted, outlayOf } from "../limiter/budget.ts";
import { grantCosted, heldByAll } from "../limiter/costed.ts";
import { emissionIntervalMs } from "../limiter/gcra.ts";
import { grantHosts } from "../limiter/hostQuota.ts";
import { grant, trustedRate } from "../limiter/quota.ts";
import { COSTED_GRACE_MS, GRACE_MS, LEAD_MS, POLL_MS, ROUNDS_MOST } from "../limits.ts";
import type { CostedAnswer, Grant, HostGrant, Rounds, SyncRequest } from "../protocol.ts";
import type { Spec } from "../spec.ts";
import { priceOf } from "../usage.ts";
import { openForMs } from "./hours.ts";
import { chunksUnleased, lanesOfUse } from "./leasing.ts";
import { hostPerSecond, pause, type Run } from "./run.ts";
import { isShortOf, noteUse, shareWaitMs } from "./targetShare.ts";

/** Permits for calls that are all alike; none where each has a cost of its own. */
export function permits(run: Run, request: SyncRequest, pollMs: number, nowMs: number): Grant {
  if (isCosted(run.state.spec)) return { kind: "deferred", askAgainInMs: pollMs };
  const waitMs = shareWaitMs(run, nowMs);
  if (waitMs !== null) return { kind: "deferred", askAgainInMs: Math.min(waitMs, pollMs) };
  const asked = grant(run.state.quota, {
    nowMs,
    want: evenWant(run, request),
    // Behind what it holds: instants are used in order.
    leadMs: Math.max(leadOf(request), Math.min(request.rounds?.heldForMs ?? 0, LEAD_MS)),
    endsInMs: openForMs(run, nowMs),
    holder: request.invocation,
    pollMs,
    callTimeoutMs: callTimeoutMs(run.state.spec),
    calendar: run.calendar,
    takesPlaces: request.rounds !== undefined,
    ...roundsFor(run, request, nowMs),
  });
  const before = run.state.quota;
  run.state.quota = asked.quota;
  const isShort = isShortOf(asked.grant, { leadMs: leadOf(request), want: request.want });
  noteUse(run, before, { calls: countOf(asked.grant), tokens: 0, isShort });
  return asked.grant;
}

/** Permits that lie apart are given out for so long ahead: by then their holder has heard of a cut anyway. */
const ROUNDS_MS = POLL_MS;
/** A rate that was throttled within this is not trusted: the reports that say so would come later and in larger pieces. */
const ROUNDS_AFTER_MS = 5000;
/**
 * Their distance, as a share of what would give every lane the same: a little closer, so that lanes wait for permits
 * and no place in the line is left over.
 */
const ROUNDS_CLOSER = 0.8;

/**
 * Permits for further rounds, spaced as the lanes of this invocation come round among all lanes of use: with few lanes
 * in each invocation every request would otherwise bring one permit a lane. Only where the lanes are certainly ready
 * for them, and while the target takes the rate: one that has just been lowered may be lowered again, and what was given
 * out far ahead would be refused. Null: those that it wants now are all.
 */
function roundsFor(
  run: Run,
  { rounds, invocation, want }: SyncRequest,
  nowMs: number,
): { readonly want: number; readonly spacingMs: number } | null {
  const rate = trustedRate(run.state.quota, nowMs, ROUNDS_AFTER_MS);
  if (rounds === undefined || want === 0 || rate === null) return null;
  const { live } = run.semaphore;
  const own = [...live.values()].filter((lease) => lease.invocation === invocation).length;
  const lanes = Math.min(live.size, lanesOfUse(run, Number.POSITIVE_INFINITY));
  const spacingMs = (ROUNDS_CLOSER * lanes * emissionIntervalMs(rate)) / own;
  const most = Math.min(usableApart(rounds, spacingMs) - rounds.held, Math.floor(ROUNDS_MS / spacingMs));
  return own > 0 && most > want ? { want: most, spacingMs } : null;
}

/** In each round every lane with an item left takes one permit; it is ready if the round takes as long as a turn. */
function usableApart({ left, turnMs }: Rounds, spacingMs: number): number {
  let permits = 0;
  for (let round = 1; round <= ROUNDS_MOST; round++) {
    const lanes = left.filter((items) => items >= round).length;
    if (lanes * spacingMs < turnMs) break;
    permits += lanes;
  }
  return permits;
}

/** Fewer permits at a time are not worth a request more. */
const EVEN_FROM = 8;
/** Having this share less than another is even: what is left evens it out. */
const EVEN_ENOUGH = 0.1;

/**
 * Permits for an invocation when no chunk is left to lease: fewer for who has less left than others. So all end at the
 * same time; who ended first could not help the others, whose lanes alone do not reach the rate.
 */
function evenWant(run: Run, { want, itemsLeft }: SyncRequest): number {
  if (itemsLeft === undefined || want < EVEN_FROM || chunksUnleased(run) !== 0) return want;
  let most = itemsLeft;
  for (const live of run.dispatch.invocations.values()) most = Math.max(most, live.itemsLeft);
  // A difference of two requests is not worth a third one.
  if (most - itemsLeft <= Math.max(2 * want, most * EVEN_ENOUGH)) return want;
  return Math.max(EVEN_FROM, Math.ceil(want * (itemsLeft / most) ** 2));
}

/** Permits for the hosts that it asks for. */
export function hostPermits(
  run: Run,
  request: SyncRequest,
  pollMs: number,
  nowMs: number,
): readonly HostGrant[] {
  const waitMs = shareWaitMs(run, nowMs);
  if (waitMs !== null) return (request.hosts ?? []).map(({ host }) => notNow(host, Math.min(waitMs, pollMs)));
  const asking = {
    nowMs,
    holder: request.invocation,
    perSecond: hostPerSecond(run.state.spec),
    leadMs: leadOf(request),
    endsInMs: openForMs(run, nowMs),
    pollMs,
    callTimeoutMs: callTimeoutMs(run.state.spec),
  };
  const given = grantHosts(run.hosts, run.state.quota, request.hosts ?? [], asking);
  const before = run.state.quota;
  run.state.quota = given.quota;
  const calls = given.grants.reduce((sum, { sendInMs }) => sum + sendInMs.length, 0);
  const isShort = given.grants.some((host) => host.waitInMs > 0);
  noteUse(run, before, { calls, tokens: 0, isShort });
  return given.grants;
}

/** Grants calls with a cost; pauses the run when the next one would pass its budget and none is under way. */
export function costedPermits(
  run: Run,
  request: SyncRequest,
  pollMs: number,
  nowMs: number,
): { readonly costed?: CostedAnswer } {
  const { costed, state } = run;
  if (request.costed === undefined || !isCosted(state.spec)) return {};
  const waitMs = shareWaitMs(run, nowMs);
  if (waitMs !== null) return { costed: { ...NO_CALL, askAgainInMs: Math.min(waitMs, pollMs) } };
  const budget = state.spec.budget ?? null;
  const price = priceOf(state.spec);
  const held = heldByAll(costed);
  const outlay = outlayOf(state.usage, held, price);
  const grants = grantCosted(costed, state.quota, {
    invocation: request.invocation,
    nowMs,
    leadMs: leadOf(request),
    endsInMs: openForMs(run, nowMs),
    pollMs,
    budget,
    outlay,
    price,
  });
  const before = state.quota;
  state.quota = grants.quota;
  const { granted } = grants.answer;
  const tokens = granted.reduce((sum, { cost }) => sum + cost, 0);
  const isShort = granted.length < request.costed.waiting.length && grants.passed === null;
  noteUse(run, before, { calls: granted.length, tokens, isShort });
  const isIdle = held.calls === 0 && held.tokens === 0 && grants.answer.granted.length === 0;
  if (grants.passed !== null && budget !== null && isIdle)
    pause(run, budgetSentence(grants.passed, budget, outlay, state.id));
  return { costed: grants.answer };
}

function countOf(grant: Grant): number {
  return grant.kind === "granted" ? grant.count : 0;
}

/** No permit for the host while the run has no share of its target. */
function notNow(host: string, waitInMs: number): HostGrant {
  const nothing = { sendInMs: [], graceMs: GRACE_MS, probe: false, turnInMs: null, turnEveryMs: 0 };
  return { host, ...nothing, dueInMs: waitInMs, waitInMs };
}

const NO_CALL = { granted: [], graceMs: COSTED_GRACE_MS, impossible: [] } as const;

function leadOf({ leadMs = 0 }: SyncRequest): number {
  return Math.min(leadMs, LEAD_MS);
}

/** How long a call may take by what its task's settings say; 0 where they say nothing. */
function callTimeoutMs({ task }: Spec): number {
  return typeof task.timeoutMs === "number" ? task.timeoutMs : 0;
}
