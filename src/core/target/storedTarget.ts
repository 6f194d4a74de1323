/**
 * A target as it is stored: never less than what was given out, so that a restart hands on nothing that may be in use.
 *
 * Leases are stored longer than they are, so that a renewal writes a row only now and then, and a holder is stored with
 * the largest of what it may hold. After a restart the runs' asks put that right within a second.
 */
import { emptyTat } from "../limiter/gcra.ts";
import { type Quota, restoreQuota } from "../limiter/quota.ts";
import { ISSUED_STEP_MS, SHARE_STORED_STEP_MS } from "../limits.ts";
import { type Holder, NONE } from "./holdings.ts";
import { createReserve } from "./reserve.ts";
import type { TargetState } from "./target.ts";
import { DIMENSIONS, type Limits } from "./targetProtocol.ts";
import type { TargetSettings } from "./targetSettings.ts";

/** Plain JSON. */
export interface StoredTarget {
  readonly settings: TargetSettings;
  readonly version: number;
  readonly quota: Quota;
  readonly pausedUntilMs: number;
  readonly throttledMs: number | null;
  readonly users: readonly string[];
  readonly holders: readonly StoredHolder[];
  readonly reserve: {
    readonly perSecond: number | null;
    readonly tail: { readonly perSecond: number; readonly untilMs: number };
    readonly throughMs: number;
  };
}

type StoredHolder = Omit<Holder, "given" | "seq">;

/** What is to be stored of the target now. */
export function toStored(target: TargetState): StoredTarget {
  const { settings, version, quota, pausedUntilMs, throttledMs, users, holders, reserve } = target;
  return {
    settings,
    version,
    quota,
    pausedUntilMs,
    throttledMs,
    users: [...users],
    holders: [...holders.values()].map(storedHolder),
    reserve: {
      perSecond: reserve.perSecond,
      tail: reserve.tail,
      throughMs: reserve.tat.tatMs + ISSUED_STEP_MS,
    },
  };
}

function storedHolder(holder: Holder): StoredHolder {
  const { given: _, seq, ...stored } = holder;
  // Of one that did not ask since a restart, what was stored before it is long enough.
  if (seq === UNHEARD) return stored;
  return {
    ...stored,
    held: mostOf(holder),
    tail: { ...holder.tail, untilMs: holder.tail.untilMs + ISSUED_STEP_MS },
    untilMs: holder.untilMs + SHARE_STORED_STEP_MS,
    lanesUntilMs: holder.lanesUntilMs + SHARE_STORED_STEP_MS,
  };
}

/** In the place of the last ask's number after a restart: any ask is newer. */
const UNHEARD = -1;

/** The target after a restart of its object. */
export function fromStored(stored: StoredTarget, nowMs: number): TargetState {
  const { users, holders, reserve, ...rest } = stored;
  return {
    ...rest,
    quota: restoreQuota(stored.quota, nowMs),
    users: new Set(users),
    holders: new Map(holders.map((holder) => [holder.run, { ...holder, given: NONE, seq: UNHEARD }])),
    reserve: {
      ...createReserve(nowMs),
      perSecond: reserve.perSecond,
      tail: reserve.tail,
      tat: emptyTat(Math.max(nowMs, reserve.throughMs)),
    },
  };
}

/** True where what is stored would allow to hand on something that is in use, or says other than what was decided. */
export function needsStoring(target: TargetState, stored: StoredTarget): boolean {
  if (target.version !== stored.version) return true;
  const { reserve } = target;
  if (isMore(reserve.perSecond, stored.reserve.perSecond)) return true;
  if (reserve.tat.tatMs > stored.reserve.throughMs || reserve.tail.untilMs > stored.reserve.tail.untilMs)
    return true;
  const known = new Map(stored.holders.map((holder) => [holder.run, holder]));
  return [...target.holders.values()].some((holder) => isBeyond(holder, known.get(holder.run)));
}

function isBeyond(holder: Holder, stored: StoredHolder | undefined): boolean {
  if (stored === undefined) return true;
  const most = mostOf(holder);
  if (DIMENSIONS.some((dimension) => isMore(most[dimension], stored.held[dimension]))) return true;
  const { tail, untilMs, lanesUntilMs } = holder;
  const isTailBeyond =
    tail.untilMs > stored.tail.untilMs ||
    tail.perSecond > stored.tail.perSecond ||
    tail.tokensPerSecond > stored.tail.tokensPerSecond;
  return isTailBeyond || untilMs > stored.untilMs || (most.lanes !== 0 && lanesUntilMs > stored.lanesUntilMs);
}

function mostOf({ held, given }: Holder): Limits {
  return {
    perSecond: more(held.perSecond, given.perSecond),
    tokensPerSecond: more(held.tokensPerSecond, given.tokensPerSecond),
    lanes: more(held.lanes, given.lanes),
  };
}

function more(a: number | null, b: number | null): number | null {
  return a === null || b === null ? null : Math.max(a, b);
}

function isMore(a: number | null, b: number | null): boolean {
  return (a ?? Number.POSITIVE_INFINITY) > (b ?? Number.POSITIVE_INFINITY);
}
