/**
 * A named target as a state machine: one limit of an outside system, shared by runs and by programs that are not Weir.
 *
 * Runs hold *shares* of its rates and lanes, each under a lease, and go on issuing permits themselves: nothing is added
 * on the way of a call. Shares are weighted max-min fair (`fairShares.ts`) among the runs that want any; what one cannot
 * use goes to the others. One controller (`quota.ts`) learns the limit in force from the throttled answers of all.
 * The model is Doorman's (YouTube, 2016: leases of capacity with local pacing), with shares that follow within seconds
 * and are handed on by acknowledgement.
 *
 * Invariants:
 * - What is given out never exceeds the limit in force when it is given: a share is handed on only when it has come
 *   back (the run said that it uses less, and its instants are over) or run out (`holdings.ts`).
 * - So in any window W all holders together send at most `rate × W + rate × 0.075 s + number of holders` requests, with
 *   `rate` the highest limit in force of the window: each limiter issues at most its share, and one permit beside it.
 * - A restart forgets nothing that may be in use: what is stored is never less than what was given (`storedTarget.ts`).
 */
import { CLOSED } from "../limiter/circuit.ts";
import { configureQuota, createQuota, effectiveRate, observe, type Quota } from "../limiter/quota.ts";
import { tokenRate } from "../limiter/tokenQuota.ts";
import {
  LANES_TURN_MS,
  SHARE_LANES_TTL_MS,
  SHARE_MARGIN_MS,
  SHARE_TOLERANCE,
  SHARE_TTL_MS,
  TARGET_ASK_MS,
  TARGET_ASK_MS_PER_RUN,
  TARGET_WAIT_ASK_MS,
} from "../limits.ts";
import type { Report } from "../protocol.ts";
import { fairLanes, fairShares } from "./fairShares.ts";
import { type Holder, heldByAll, holdingOf, isActive, isOver, NONE, newHolder } from "./holdings.ts";
import {
  createReserve,
  isReserveInUse,
  type Reserve,
  reserveHeld,
  reserveWanted,
  setReserve,
} from "./reserve.ts";
import {
  DIMENSIONS,
  type Dimension,
  type Limits,
  type SharedReport,
  type TargetAnswer,
  type TargetAsk,
} from "./targetProtocol.ts";
import { limitsOf, quotaOf, type TargetSettings } from "./targetSettings.ts";

export interface TargetState {
  settings: TargetSettings;
  /** Grows with every change that must be stored before an answer leaves. */
  version: number;
  /** Learns the limit in force; issues nothing itself. */
  quota: Quota;
  /** No call before this, target clock. */
  pausedUntilMs: number;
  /** The last throttled answer that counted; null: none. */
  throttledMs: number | null;
  readonly holders: Map<string, Holder>;
  /** Runs that name it and had not ended when it last heard of them. */
  readonly users: Set<string>;
  reserve: Reserve;
}

export function createTarget(settings: TargetSettings, nowMs: number): TargetState {
  return {
    settings,
    version: 1,
    quota: createQuota(quotaOf(settings), nowMs),
    pausedUntilMs: 0,
    throttledMs: null,
    holders: new Map(),
    users: new Set(),
    reserve: createReserve(nowMs),
  };
}

/** Other limits, at once: runs that hold more give it back with their next ask. */
export function configureTarget(target: TargetState, settings: TargetSettings, nowMs: number): void {
  target.settings = settings;
  target.quota = configureQuota(target.quota, quotaOf(settings), nowMs);
  target.version += 1;
  balanceReserve(target, nowMs);
}

/** A run says that it will use the target: it cannot be removed before the run has ended. */
export function attachRun(target: TargetState, run: string): void {
  if (target.users.has(run)) return;
  target.users.add(run);
  target.version += 1;
}

/** The run has ended, or is not there any more. */
export function detachRun(target: TargetState, run: string): void {
  if (target.users.delete(run)) target.version += 1;
}

/** The limits for all together now: less than configured after throttled answers. */
export function limitsInForce({ settings, quota }: TargetState): Limits {
  const { lanes } = limitsOf(settings);
  const tokensPerSecond = quota.tokens == null ? null : tokenRate(quota.tokens);
  return { perSecond: effectiveRate(quota), tokensPerSecond, lanes };
}

/** Answers a run: takes in what it reports, and gives it its share. */
export function askShare(target: TargetState, ask: TargetAsk, nowMs: number): TargetAnswer {
  passTargetTime(target, nowMs);
  endOtherGenerations(target, ask.generation, nowMs);
  const holder = target.holders.get(ask.run) ?? newHolder(ask);
  if (ask.seq <= holder.seq) return { kind: "stale" };
  hearRun(holder, ask, nowMs);
  learnFrom(target, ask, nowMs);
  if (ask.ended) detachRun(target, ask.run);
  else attachRun(target, ask.run);
  if (ask.leaves) {
    holder.wants = NOTHING_WANTED;
    holder.untilMs = nowMs;
  }
  target.holders.set(ask.run, holder);
  // What its last instants use ends by itself.
  if (ask.leaves && ask.holds.lanes === 0) return { kind: "left" };
  return give(target, holder, nowMs);
}

/** Leases that are over end, and the reserve follows what programs ask. Call before anything is given. */
export function passTargetTime(target: TargetState, nowMs: number): void {
  for (const [run, holder] of target.holders) if (isOver(holder, nowMs)) target.holders.delete(run);
  balanceReserve(target, nowMs);
}

/** Nothing may leave for so long. */
export function pauseLeftMs({ pausedUntilMs }: TargetState, nowMs: number): number {
  return Math.max(0, pausedUntilMs - nowMs);
}

/** Takes in throttled answers, whoever saw them. `holder` tells the items of one from those of another. */
export function observeShared(
  target: TargetState,
  report: Report,
  from: { readonly holder: string; readonly nowMs: number },
): void {
  const before = target.quota;
  const observed = observe(before, report, { ...from, itemsLeft: Number.POSITIVE_INFINITY });
  const { open } = observed.circuit;
  // A pause is everyone's; who probes after it is each run's own matter.
  if (open !== null && open.reason === "throttled") pauseUntil(target, open.nextProbeMs);
  target.quota = { ...observed, circuit: CLOSED };
  if (observed.version !== before.version) target.version += 1;
  if (report.troubles.some(({ epoch }) => epoch === before.epoch)) target.throttledMs = from.nowMs;
}

export function pauseUntil(target: TargetState, untilMs: number): void {
  if (untilMs <= target.pausedUntilMs) return;
  target.pausedUntilMs = untilMs;
  target.version += 1;
}

/** What the runs may have together in a dimension: the limit in force without what the reserve is to have. */
function limitForRuns(target: TargetState, dimension: Dimension, nowMs: number): number | null {
  const limit = limitsInForce(target)[dimension];
  if (limit === null) return null;
  if (dimension === "perSecond") {
    const most = limit * target.settings.reserve;
    return Math.max(0, limit - reserveWanted(target.reserve, most, nowMs));
  }
  const kept = isReserveInUse(target.reserve, nowMs) ? limit * target.settings.reserve : 0;
  return dimension === "lanes" ? Math.floor(limit - kept) : limit - kept;
}

const NOTHING = { want: 0, most: null } as const;
const NOTHING_WANTED = { perSecond: NOTHING, tokensPerSecond: NOTHING, lanes: NOTHING } as const;

function hearRun(holder: Holder, ask: TargetAsk, nowMs: number): void {
  // No ask adds to what is recorded: what a late one still reports has run out here, and may be another run's.
  const recorded = (dimension: Dimension, reported: number | null): number | null => {
    const most = Math.min(reported ?? Number.POSITIVE_INFINITY, holdingOf(holder, dimension, nowMs));
    return Number.isFinite(most) ? most : null;
  };
  const { holds, tail } = ask;
  const held: Limits = {
    perSecond: recorded("perSecond", holds.perSecond),
    tokensPerSecond: recorded("tokensPerSecond", holds.tokensPerSecond),
    // Lanes outlive what is recorded of them, and their run counts them.
    lanes: holds.lanes,
  };
  holder.tail = {
    perSecond: recorded("perSecond", tail.perSecond) ?? 0,
    tokensPerSecond: recorded("tokensPerSecond", tail.tokensPerSecond) ?? 0,
    lanes: 0,
    // None: what is stored need not follow.
    untilMs: tail.forMs === 0 ? 0 : nowMs + tail.forMs,
  };
  holder.seq = ask.seq;
  holder.generation = ask.generation;
  holder.weight = ask.weight;
  holder.wants = ask.wants;
  holder.lingerMs = ask.lingerMs;
  holder.held = held;
  // Whatever was sent before this ask either arrived, and is in `holds`, or never counts.
  holder.given = held;
  holder.untilMs = nowMs + SHARE_TTL_MS + SHARE_MARGIN_MS;
  holder.lanesUntilMs = nowMs + SHARE_LANES_TTL_MS + ask.lingerMs;
}

function give(target: TargetState, holder: Holder, nowMs: number): TargetAnswer {
  const active = [...target.holders.values()].filter((one) => isActive(one, nowMs));
  const fair = fairOf(target, active, holder, nowMs);
  const share = { ...NONE } as { -readonly [D in Dimension]: number | null };
  let isShort = false;
  for (const dimension of DIMENSIONS) {
    const wanted = fair[dimension];
    if (wanted === null) {
      share[dimension] = null;
      continue;
    }
    const given = available(target, holder, dimension, nowMs, wanted);
    share[dimension] = given;
    isShort ||= given < wanted * (1 - 2 * SHARE_TOLERANCE);
  }
  holder.given = share;
  holder.waitsSinceMs = isShort ? (holder.waitsSinceMs ?? nowMs) : null;
  const { quota, settings } = target;
  const usualMs = Math.max(TARGET_ASK_MS, target.holders.size * TARGET_ASK_MS_PER_RUN);
  return {
    kind: "share",
    share,
    ttlMs: SHARE_TTL_MS,
    askAgainInMs: isShort ? Math.max(TARGET_WAIT_ASK_MS, usualMs - TARGET_ASK_MS) : usualMs,
    pauseMs: pauseLeftMs(target, nowMs),
    epoch: quota.epoch,
    of: limitsInForce(target),
    configuredPerSecond: quota.settings.ratePerSecond,
    burst: settings.burst,
    runs: active.length,
  };
}

/** The holder's fair part of each limit; null where there is none. */
function fairOf(target: TargetState, active: readonly Holder[], holder: Holder, nowMs: number): Limits {
  const at = active.indexOf(holder);
  const part = (dimension: Dimension): number | null => {
    const limit = limitForRuns(target, dimension, nowMs);
    if (limit === null) return null;
    if (at < 0) return 0;
    const claims = active.map(({ weight, wants }) => ({ weight, ...wants[dimension] }));
    const shares =
      dimension === "lanes"
        ? fairLanes(limit, claims, Math.floor(nowMs / LANES_TURN_MS))
        : fairShares(limit, claims);
    return shares[at] ?? 0;
  };
  return { perSecond: part("perSecond"), tokensPerSecond: part("tokensPerSecond"), lanes: part("lanes") };
}

/** What of the fair part nobody else holds. A share that is nearly what it should be stays as it is. */
function available(
  target: TargetState,
  holder: Holder,
  dimension: Dimension,
  nowMs: number,
  fair: number,
): number {
  const others = heldByAll(target.holders.values(), dimension, nowMs, holder.run);
  const free = Math.max(0, freeOfReserve(target, dimension, nowMs) - others);
  if (dimension === "lanes") return Math.floor(Math.min(fair, free));
  const now = holder.held[dimension];
  const isNear = now !== null && now > 0 && Math.abs(fair - now) <= SHARE_TOLERANCE * now;
  return Math.min(isNear ? now : fair, free);
}

/** What runs may hold: programs' requests are counted, of tokens and lanes their whole part is left to them. */
function freeOfReserve(target: TargetState, dimension: Dimension, nowMs: number): number {
  if (dimension !== "perSecond") return limitForRuns(target, dimension, nowMs) ?? Number.POSITIVE_INFINITY;
  const limit = limitsInForce(target).perSecond;
  return limit === null ? Number.POSITIVE_INFINITY : limit - reserveHeld(target.reserve, nowMs);
}

function balanceReserve(target: TargetState, nowMs: number): void {
  const { reserve, settings } = target;
  const limit = limitsInForce(target).perSecond;
  if (limit === null) {
    setReserve(reserve, null, nowMs);
    return;
  }
  const wanted = reserveWanted(reserve, limit * settings.reserve, nowMs);
  const free = Math.max(0, limit - heldByAll(target.holders.values(), "perSecond", nowMs));
  const given = Math.min(wanted, free);
  const now = reserve.perSecond;
  const isNear = now !== null && now > 0 && now <= free && Math.abs(wanted - now) <= SHARE_TOLERANCE * now;
  if (!isNear) setReserve(reserve, given, nowMs);
}

/** Items of different runs have the same numbers: each run's are moved apart. */
function learnFrom(target: TargetState, ask: TargetAsk, nowMs: number): void {
  if (ask.pausedForMs > 0) pauseUntil(target, nowMs + ask.pausedForMs);
  const { calls, answered, throttled } = ask.report;
  if (calls + answered + throttled === 0) return;
  const isKnown = ask.epoch === target.quota.epoch;
  const apart = [...target.users].indexOf(ask.run) + 1;
  observeShared(target, reportOf(ask.report, { epoch: target.quota.epoch, isKnown, apart }), {
    holder: ask.run,
    nowMs,
  });
}

function reportOf(
  shared: SharedReport,
  under: { readonly epoch: number; readonly isKnown: boolean; readonly apart: number },
): Report {
  const { troubles, ...counts } = shared;
  return {
    ...counts,
    probeAnswered: false,
    callMs: 0,
    forfeited: 0,
    blocked: null,
    operations: {},
    troubles: troubles.map(({ index, isCurrent, retryAfterMs, probe }) => ({
      kind: "throttled",
      index: under.apart * ITEMS_APART + index,
      epoch: under.isKnown && isCurrent ? under.epoch : under.epoch - 1,
      retryAfterMs,
      probe,
    })),
  };
}

/** More items than this no run has. */
const ITEMS_APART = 2 ** 40;

/** Embedded, a process of an older generation is gone before the next one starts: its shares are free. */
function endOtherGenerations(target: TargetState, generation: string, nowMs: number): void {
  if (generation === "") return;
  for (const holder of target.holders.values()) {
    if (Number(holder.generation) >= Number(generation)) continue;
    holder.untilMs = Math.min(holder.untilMs, nowMs);
    holder.lanesUntilMs = Math.min(holder.lanesUntilMs, nowMs + holder.lingerMs);
  }
}
