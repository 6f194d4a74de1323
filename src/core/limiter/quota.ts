/**
 * The quota of a run: who may call when. Joins the limiter (`gcra.ts`), what throttled answers teach
 * (`feedback.ts`) and the circuit (`circuit.ts`) into one plain, serialisable state.
 *
 * Invariants:
 * - Rate: any window W holds at most `rate × W + rate × (grace + clock error) + 1` uses of granted instants, with
 *   `rate` the highest configured within the window.
 * - A changed rate never rewrites an issued instant. The next one lies one interval of the new rate behind the last
 *   issued one, and none is issued further ahead than `DEPTH_MS` (not "one interval", which at 1/min would be a
 *   minute): so a raise acts within the depth, and needs no assumption about when holders hear of it. A cut begins
 *   a new epoch, and holders forfeit what they have.
 * - `version` grows whenever the state must be stored before the answer leaves. What was stored is enough to go
 *   on after a restart without issuing any instant twice: nothing was given out beyond `issuedThroughMs`.
 */

import {
  DEPTH_MS,
  FREE_MS,
  GRACE_MS,
  ISSUED_STEP_MS,
  PERMITS_PER_ASK,
  POLL_MS,
  TOKEN_TOLD_MAX_MS,
} from "../limits.ts";
import type { Grant, Report, SettledCall, Spacing, Told } from "../protocol.ts";
import { graceMs, type QuotaSettings } from "./burst.ts";
import { book, type Calendar, hasPlaces } from "./calendar.ts";
import {
  admission,
  afterRestart,
  type Circuit,
  CLOSED,
  observeCalls,
  passTime,
  pauseAll,
  type ReportMoment,
  sendProbe,
} from "./circuit.ts";
import {
  type Configured,
  type Feedback,
  type Learnt,
  learn,
  measureAnew,
  reconfigure,
  startFeedback,
} from "./feedback.ts";
import { emissionIntervalMs, emptyTat, reserve, retime, type Tat } from "./gcra.ts";
import { spacingAt } from "./spacing.ts";
import {
  configureTokens,
  createTokenQuota,
  hearTokens,
  issueTokens,
  leapTokens,
  observeTokens,
  restoreTokens,
  settleTokens,
  type TokenQuota,
} from "./tokenQuota.ts";

export interface Quota {
  /** Grows with every change that must be stored before the answer leaves. */
  readonly version: number;
  /** Instants of older epochs are forfeit. */
  readonly epoch: number;
  /** The epoch that the last opening of the circuit began; absent: it never opened. A lower rate begins epochs too. */
  readonly openedIn?: number;
  readonly settings: QuotaSettings;
  readonly tat: Tat;
  /** Nothing was issued at or after this: where a restart begins. Stored in steps of `ISSUED_STEP_MS`. */
  readonly issuedThroughMs: number;
  /** How far `issuedThroughMs` lay ahead when it was set: so long, by any clock, an instant given out may be used. */
  readonly issuedAheadMs: number;
  /** Turns promised to askers who were deferred; only advice, so that they do not all come back at once. */
  readonly queuedToMs: number;
  readonly feedback: Feedback;
  readonly circuit: Circuit;
  /** The token dimension; null or absent: tokens are not limited. */
  readonly tokens?: TokenQuota | null;
  /** The target said that it takes no request before this; only permits with a cost heed it. */
  readonly closedUntilMs?: number;
}

export interface Ask {
  readonly nowMs: number;
  /** Permits wanted now; 0 asks for none. */
  readonly want: number;
  /** The invocation: a probe is remembered as its. */
  readonly holder: string;
  /** Share of the depth that this asker may hold, 0 … 1; absent: all of it. */
  readonly share?: number;
  /** The first instant lies at least this far ahead (a long way to the asker); absent: 0. */
  readonly leadMs?: number;
  /** No instant lies further ahead than this: the run's hours end. Absent: they do not. */
  readonly endsInMs?: number;
  /** The asker comes back after this anyway; absent: `POLL_MS`. */
  readonly pollMs?: number;
  /** The longest a call may take: how long a silent probe is waited for; absent: a lease's term. */
  readonly callTimeoutMs?: number;
  /** The free places before the TAT; absent: there are none. */
  readonly calendar?: Calendar;
  /** It understands instants that are not evenly spaced, and may be given such places; absent: it does not. */
  readonly takesPlaces?: boolean;
  /** Its instants lie at least this far apart; absent: one behind the other. */
  readonly spacingMs?: number;
}

/** A quota of which nothing is used. */
export function createQuota(settings: QuotaSettings, nowMs: number): Quota {
  return {
    version: 1,
    epoch: 1,
    settings,
    tat: emptyTat(nowMs),
    issuedThroughMs: nowMs,
    issuedAheadMs: 0,
    queuedToMs: nowMs,
    feedback: startFeedback(configuredOf(settings), nowMs),
    circuit: CLOSED,
    ...(settings.tokens === undefined ? {} : { tokens: createTokenQuota(settings.tokens, nowMs) }),
  };
}

/**
 * The quota after a restart of the Run: empty, and behind everything that may have been issued. Where the clock stands
 * now says nothing about how long the Run was away (another machine's may be ahead): what was given out is waited for.
 */
export function restoreQuota(stored: Quota, nowMs: number): Quota {
  const outUntilMs = nowMs + Math.min(stored.issuedAheadMs, DEPTH_MS + ISSUED_STEP_MS);
  const isAhead = stored.issuedThroughMs > nowMs;
  const fromMs = Math.max(outUntilMs, stored.issuedThroughMs);
  return {
    ...stored,
    tat: { ...emptyTat(fromMs), gapMs: isAhead ? stored.tat.gapMs : 0 },
    queuedToMs: nowMs,
    feedback: measureAnew(stored.feedback, nowMs),
    circuit: afterRestart(stored.circuit),
    ...(stored.tokens ? { tokens: restoreTokens(stored.tokens, nowMs) } : {}),
  };
}

/** The restored quota when all who held instants are gone for certain: only what they just used is waited for. */
export function withoutHolders(quota: Quota, nowMs: number): Quota {
  const rate = effectiveRate(quota);
  const intervalMs = rate === null ? 0 : emissionIntervalMs(rate);
  const usedUntilMs = nowMs + Math.min(intervalMs, quota.issuedAheadMs, DEPTH_MS + ISSUED_STEP_MS);
  const fromMs = Math.max(usedUntilMs, quota.issuedThroughMs);
  return fromMs < quota.tat.tatMs ? { ...quota, tat: emptyTat(fromMs) } : quota;
}

/**
 * The quota after the clock leapt from `fromMs` to `nowMs`, further than time can have gone: instants that were given
 * out may still be unused for as long as they lay ahead of `fromMs`, whatever the clock shows now.
 */
export function afterLeap(quota: Quota, fromMs: number, nowMs: number): Quota {
  const leapt = quota.tokens ? { ...quota, tokens: leapTokens(quota.tokens, fromMs, nowMs) } : quota;
  return requestsAfterLeap(leapt, fromMs, nowMs);
}

function requestsAfterLeap(quota: Quota, fromMs: number, nowMs: number): Quota {
  const aheadMs = quota.tat.tatMs - fromMs;
  if (aheadMs <= 0 || nowMs + aheadMs <= quota.tat.tatMs) return quota;
  const tat = { ...quota.tat, ...emptyTat(nowMs + aheadMs) };
  return stored({ ...quota, tat, issuedThroughMs: tat.tatMs, issuedAheadMs: aheadMs, queuedToMs: nowMs });
}

/** The rate in force, requests per second; null: nothing limits it. */
export function effectiveRate(quota: Quota): number | null {
  return quota.feedback.ratePerSecond;
}

/**
 * The rate in force where it is the configured one and was for `forMs`, without a throttled answer or a restart; else
 * null.
 */
export function trustedRate({ settings, feedback }: Quota, nowMs: number, forMs: number): number | null {
  const isConfigured = feedback.ratePerSecond === settings.ratePerSecond;
  return isConfigured && nowMs - feedback.grownMs >= forMs ? feedback.ratePerSecond : null;
}

/** Answers a request for permits. A grant that is deferred changes nothing that was or will be issued. */
export function grant(quota: Quota, ask: Ask): { readonly quota: Quota; readonly grant: Grant } {
  const pollMs = ask.pollMs ?? POLL_MS;
  const rate = effectiveRate(quota);
  // Nothing wanted, nothing refused: it may ask at any time.
  if (ask.want === 0 && (rate !== null || quota.circuit.open !== null)) return deferred(quota, 0);
  if ((ask.leadMs ?? 0) > depthOf(ask)) return deferred(quota, pollMs);
  const admitted = admission(quota.circuit, ask.nowMs);
  if (admitted.kind === "wait") return deferred(quota, Math.min(admitted.untilMs - ask.nowMs, pollMs));
  if (admitted.kind === "probe") return probe(quota, ask, admitted.prefers);
  if (rate === null) return { quota, grant: { kind: "free", forMs: Math.min(FREE_MS, depthOf(ask)) } };
  return paced(quota, ask, rate, pollMs);
}

/** Takes in what an invocation saw: the rate, the circuit and the epoch follow. */
export function observe(quota: Quota, report: Report, from: ReportMoment): Quota {
  const { nowMs } = from;
  const learnt = learnBoth(quota, report, nowMs);
  const observed = observeCalls(quota.circuit, report, from);
  const circuit = learnt.pauseMs === null ? observed : pauseAll(observed, nowMs, learnt.pauseMs);
  const opens = quota.circuit.open === null && circuit.open !== null;
  const closes = quota.circuit.open !== null && circuit.open === null;
  const feedback = closes ? measureAnew(learnt.feedback, nowMs) : learnt.feedback;
  const changed = withRate({ ...learnt.quota, circuit }, feedback, nowMs);
  if (opens) return nextEpoch({ ...changed, openedIn: quota.epoch + 1 });
  if (learnt.lowered) return nextEpoch(changed);
  return closes ? stored(changed) : changed;
}

/** The quota as time passes: a circuit that nobody's answer closed may be lifted. Call before anything is granted. */
export function waitOut(quota: Quota, nowMs: number): Quota {
  const circuit = passTime(quota.circuit, nowMs);
  if (circuit === quota.circuit) return quota;
  return stored({ ...quota, circuit, feedback: measureAnew(quota.feedback, nowMs) });
}

/** In a run that limits only tokens, a throttled answer says something about tokens and nothing about requests. */
function learnBoth(quota: Quota, report: Report, nowMs: number): Learnt & { readonly quota: Quota } {
  const at = { nowMs, epoch: quota.epoch, configured: configuredOf(quota.settings) };
  const learnt = learn(quota.feedback, report, at);
  if (!quota.tokens) return { ...learnt, quota };
  const tokens = observeTokens(quota.tokens, report, at);
  const isLimited = at.configured.perSecond !== null || at.configured.isAuto === true;
  const feedback = isLimited
    ? learnt.feedback
    : { ...learnt.feedback, ratePerSecond: null, ceilingPerSecond: null };
  return { ...learnt, feedback, quota: { ...quota, tokens } };
}

/** One permit with a cost was issued: its dimensions' new TATs, null where a dimension is not there. */
export function issueCosted(
  quota: Quota,
  permit: {
    readonly cost: number;
    readonly tats: { readonly requests: Tat | null; readonly tokens: Tat | null };
    readonly nowMs: number;
  },
): Quota {
  const { cost, tats, nowMs } = permit;
  const requested = tats.requests === null ? quota : issued({ ...quota, tat: tats.requests }, nowMs);
  if (!quota.tokens || tats.tokens === null) return requested;
  return stored({ ...requested, tokens: issueTokens(quota.tokens, cost, tats.tokens) });
}

/** Calls that ended, and what the target said of its own ledger: the token dimension follows. */
export function settleCosted(
  quota: Quota,
  seen: { readonly settled: readonly SettledCall[]; readonly told: Told | null },
  nowMs: number,
): Quota {
  const { settled, told } = seen;
  if (settled.length === 0 && told === null) return quota;
  let tokens = quota.tokens ?? null;
  for (const call of settled) tokens = tokens === null ? null : settleTokens(tokens, call);
  if (tokens !== null && told !== null) tokens = hearTokens(tokens, told, nowMs);
  const closedUntilMs = Math.max(
    quota.closedUntilMs ?? 0,
    nowMs + Math.min(told?.requestsInMs ?? 0, TOKEN_TOLD_MAX_MS),
  );
  return { ...quota, tokens, closedUntilMs };
}

/** Whoever holds instants forfeits them with its next answer. */
export function forfeitIssued(quota: Quota): Quota {
  return nextEpoch(quota);
}

/** Changes what is configured, at once: see the invariants above. The same settings again change nothing. */
export function configureQuota(quota: Quota, settings: QuotaSettings, nowMs: number): Quota {
  const { tokens: given } = settings;
  if (given === undefined && !quota.tokens) return configureRequests(quota, settings, nowMs);
  const before = quota.tokens ?? null;
  const tokens =
    given === undefined
      ? null
      : before === null
        ? createTokenQuota(given, nowMs)
        : configureTokens(before, given, nowMs);
  return configureRequests({ ...quota, tokens }, settings, nowMs);
}

function configureRequests(quota: Quota, settings: QuotaSettings, nowMs: number): Quota {
  const from = quota.settings.ratePerSecond;
  const to = settings.ratePerSecond;
  if (from === to && quota.settings.isAuto === settings.isAuto) return stored({ ...quota, settings });
  const configured = { from: configuredOf(quota.settings), to: configuredOf(settings) };
  const changed = withRate({ ...quota, settings }, reconfigure(quota.feedback, configured, nowMs), nowMs);
  const isCut = (effectiveRate(changed) ?? Infinity) < (effectiveRate(quota) ?? Infinity);
  return isCut ? nextEpoch(changed) : stored(changed);
}

/** How far ahead instants may lie. */
function depthOf({ endsInMs = DEPTH_MS }: Ask): number {
  return Math.min(DEPTH_MS, endsInMs);
}

function configuredOf({ ratePerSecond, isAuto = false }: QuotaSettings): Configured {
  return { perSecond: ratePerSecond, isAuto };
}

/** How far apart an invocation keeps its calls; absent: as the permits lie. */
function spacingOf({ feedback }: Quota, intervalMs: number): { readonly spacing?: Spacing } {
  const spacing = spacingAt(feedback.evenness, intervalMs);
  return spacing === null ? {} : { spacing };
}

function deferred(quota: Quota, askAgainInMs: number): { readonly quota: Quota; readonly grant: Grant } {
  return { quota, grant: { kind: "deferred", askAgainInMs } };
}

function paced(quota: Quota, ask: Ask, rate: number, pollMs: number) {
  const { nowMs } = ask;
  const intervalMs = emissionIntervalMs(rate);
  const shareOfDepth = Math.max(1, Math.floor(((ask.share ?? 1) * depthOf(ask)) / intervalMs));
  const count = Math.min(ask.want, PERMITS_PER_ASK, shareOfDepth);
  const apart = bookApart(quota, ask, { count, intervalMs });
  if (apart !== null) return apart;
  const reserved = reserve([{ ...quota.tat, intervalMs, cost: 1, burst: quota.settings.burst }], {
    nowMs,
    leadMs: ask.leadMs ?? 0,
    count,
    depthMs: depthOf(ask),
    notBeforeMs: null,
  });
  if (reserved.kind !== "granted") {
    const opensInMs = reserved.kind === "deferred" ? reserved.askAgainInMs : pollMs;
    return queued(quota, { nowMs, opensInMs, lengthMs: (count - 1) * intervalMs, intervalMs, pollMs });
  }
  const { kind, firstInMs, everyMs } = reserved;
  const permits = { kind, firstInMs, everyMs, count: reserved.count, probe: false };
  return {
    quota: issued({ ...quota, tat: reserved.tats[0]! }, nowMs),
    grant: { ...permits, ...spacingOf(quota, intervalMs), graceMs: graceMs(quota.settings) } satisfies Grant,
  };
}

/** Permits in a line with places in it, or such as leave some; null: there are none, and nobody asked for such. */
function bookApart(quota: Quota, ask: Ask, of: { readonly count: number; readonly intervalMs: number }) {
  const { calendar, spacingMs, nowMs, takesPlaces = false } = ask;
  const { count, intervalMs } = of;
  if (calendar === undefined) return null;
  if (spacingMs === undefined && !hasPlaces(calendar, quota.tat, intervalMs)) return null;
  const booked = book(calendar, quota.tat, {
    nowMs,
    leadMs: ask.leadMs ?? 0,
    count,
    spacingMs: spacingMs ?? intervalMs,
    depthMs: depthOf(ask),
    intervalMs,
    takesPlaces,
  });
  if (booked === null) return null;
  const { inMs } = booked;
  const permits = { kind: "granted" as const, firstInMs: inMs[0]!, everyMs: intervalMs, count: inMs.length };
  return {
    quota: issued({ ...quota, tat: booked.tat }, nowMs),
    grant: {
      ...permits,
      ...(takesPlaces && { inMs }),
      ...spacingOf(quota, intervalMs),
      graceMs: graceMs(quota.settings),
      probe: false,
    } satisfies Grant,
  };
}

/** The asker's own turn: when all it wants will fit, behind those who were told before it. */
function queued(
  quota: Quota,
  turn: {
    readonly nowMs: number;
    readonly opensInMs: number;
    readonly lengthMs: number;
    readonly intervalMs: number;
    readonly pollMs: number;
  },
) {
  const fitsMs = Math.max(quota.queuedToMs, turn.nowMs + turn.opensInMs) + turn.lengthMs;
  const latestMs = turn.nowMs + turn.pollMs;
  const waiting = { ...quota, queuedToMs: Math.min(fitsMs + turn.intervalMs, latestMs) };
  return deferred(waiting, Math.min(fitsMs, latestMs) - turn.nowMs);
}

/** One single call, through the limiter where there is one. */
function probe(
  quota: Quota,
  ask: Ask,
  prefers: "tried" | "untried",
): { readonly quota: Quota; readonly grant: Grant } {
  const rate = effectiveRate(quota);
  const free = { firstInMs: ask.leadMs ?? 0, everyMs: 0, graceMs: GRACE_MS };
  const one =
    rate === null
      ? { quota, grant: { kind: "granted" as const, ...free, count: 1 } }
      : single(quota, ask, rate);
  if (one.grant.kind !== "granted") return { quota: one.quota, grant: one.grant };
  const usableUntilMs = ask.nowMs + one.grant.firstInMs + one.grant.graceMs;
  const out = { nowMs: ask.nowMs, holder: ask.holder, usableUntilMs, callTimeoutMs: ask.callTimeoutMs ?? 0 };
  return {
    quota: { ...one.quota, circuit: sendProbe(quota.circuit, out) },
    grant: { ...one.grant, count: 1, probe: true, prefers },
  };
}

function single(quota: Quota, ask: Ask, rate: number) {
  return paced(quota, { ...ask, want: 1 }, rate, ask.pollMs ?? POLL_MS);
}

/** Puts a rate in force: the gap behind the last issued instant is rescaled, the instants stay. */
function withRate(quota: Quota, feedback: Feedback, nowMs: number): Quota {
  const from = quota.feedback.ratePerSecond;
  const to = feedback.ratePerSecond;
  if (from === to) return { ...quota, feedback };
  const tat = retimed(quota.tat, from, to, nowMs);
  const issuedThroughMs = tat.tatMs;
  const issuedAheadMs = Math.max(0, issuedThroughMs - nowMs);
  return stored({ ...quota, feedback, tat, issuedThroughMs, issuedAheadMs, queuedToMs: nowMs });
}

function retimed(tat: Tat, from: number | null, to: number | null, nowMs: number): Tat {
  // Free calls had no instants; a limiter that begins or ends starts empty from what was issued.
  if (from === null || to === null) return emptyTat(Math.max(nowMs, tat.tatMs - tat.gapMs));
  return retime(tat, { fromMs: emissionIntervalMs(from), toMs: emissionIntervalMs(to) });
}

/** Moves the stored high-water mark ahead when the TAT passes it. */
function issued(quota: Quota, nowMs: number): Quota {
  if (quota.tat.tatMs <= quota.issuedThroughMs) return quota;
  const issuedThroughMs = quota.tat.tatMs + ISSUED_STEP_MS;
  return stored({ ...quota, issuedThroughMs, issuedAheadMs: issuedThroughMs - nowMs });
}

function nextEpoch(quota: Quota): Quota {
  return stored({ ...quota, epoch: quota.epoch + 1 });
}

function stored(quota: Quota): Quota {
  return { ...quota, version: quota.version + 1 };
}
