/** A named target as users see it (REST contract): who holds what, who waits, the limit in force and why. */
import { describeRate } from "../limiter/rate.ts";
import { counted, number, seconds } from "../sentence.ts";
import { type Holder, holdingOf, isActive } from "./holdings.ts";
import { reserveHeld } from "./reserve.ts";
import { limitsInForce, pauseLeftMs, type TargetState } from "./target.ts";
import type { Dimension, Limits } from "./targetProtocol.ts";
import { limitsOf, type TargetSettings } from "./targetSettings.ts";

export interface HolderView {
  readonly run: string;
  readonly weight: number;
  /** What it may use at most; null where the target does not limit it. */
  readonly share: Limits;
  /** What it can use now; null: all that it can get. */
  readonly wants: Limits;
  /** It waits for a part of its share that others still hold. */
  readonly waiting: boolean;
}

export interface TargetView extends TargetSettings {
  readonly name: string;
  readonly createdAt: string;
  /** Always one sentence. */
  readonly why: string;
  /** For all together; below the configured ones after throttled answers. */
  readonly limits: Limits;
  readonly pausedUntil: string | null;
  /** What programs that are not Weir may use of the rate now; null where requests are not limited. */
  readonly reservedPerSecond: number | null;
  readonly holders: readonly HolderView[];
  /** Runs that name it and have not ended, as far as it knows. */
  readonly runs: readonly string[];
}

interface TargetReader {
  readonly name: string;
  readonly createdAtMs: number;
  readonly nowMs: number;
  readonly wallMs: number;
}

export function viewTarget(target: TargetState, reader: TargetReader): TargetView {
  const { nowMs, wallMs } = reader;
  const limits = limitsInForce(target);
  const pauseMs = pauseLeftMs(target, nowMs);
  const holders = [...target.holders.values()];
  return {
    name: reader.name,
    ...target.settings,
    createdAt: new Date(reader.createdAtMs).toISOString(),
    why: whyTarget(target, nowMs),
    limits: {
      ...limits,
      perSecond: rounded(limits.perSecond),
      tokensPerSecond: rounded(limits.tokensPerSecond),
    },
    pausedUntil: pauseMs === 0 ? null : new Date(wallMs + pauseMs).toISOString(),
    reservedPerSecond: limits.perSecond === null ? null : rounded(reserveHeld(target.reserve, nowMs)),
    holders: holders.map((holder) => viewHolder(holder, limits, nowMs)),
    runs: [...target.users],
  };
}

function viewHolder(holder: Holder, limits: Limits, nowMs: number): HolderView {
  const share = (dimension: Dimension): number | null =>
    limits[dimension] === null ? null : rounded(finite(holdingOf(holder, dimension, nowMs)));
  const { perSecond, tokensPerSecond, lanes } = holder.wants;
  return {
    run: holder.run,
    weight: holder.weight,
    share: {
      perSecond: share("perSecond"),
      tokensPerSecond: share("tokensPerSecond"),
      lanes: share("lanes"),
    },
    wants: {
      perSecond: rounded(perSecond.want ?? perSecond.most),
      tokensPerSecond: rounded(tokensPerSecond.want ?? tokensPerSecond.most),
      lanes: lanes.want ?? lanes.most,
    },
    waiting: holder.waitsSinceMs !== null,
  };
}

/** One sentence: the limit in force and why it is that, and among whom it is shared. */
function whyTarget(target: TargetState, nowMs: number): string {
  const active = [...target.holders.values()].filter((holder) => isActive(holder, nowMs));
  const waiting = active.filter(({ waitsSinceMs }) => waitsSinceMs !== null).length;
  const among =
    active.length === 0 ? "no run calls it now" : `${counted(active.length, "run")} ${sharing(active)}`;
  const waits =
    waiting === 0
      ? ""
      : `, ${waiting === 1 ? "one waits" : `${number(waiting)} wait`} for what others still hold`;
  return `${whyLimit(target, nowMs)}; ${among}${waits}`;
}

function sharing(active: readonly Holder[]): string {
  return active.length === 1 ? "has it" : "share it";
}

function whyLimit(target: TargetState, nowMs: number): string {
  const pauseMs = pauseLeftMs(target, nowMs);
  if (pauseMs > 0) return `all pause for ${seconds(pauseMs)} more: the outside system asked for it`;
  const { perSecond, tokensPerSecond, lanes } = limitsInForce(target);
  const configured = limitsOf(target.settings);
  if (perSecond !== null && perSecond < (configured.perSecond ?? Number.POSITIVE_INFINITY)) {
    const of = configured.perSecond === null ? "" : ` of ${describeRate(configured.perSecond)}`;
    const ago = target.throttledMs === null ? "" : `, last 429 ${seconds(nowMs - target.throttledMs)} ago`;
    return `throttled by the outside system: ${describeRate(perSecond)}${of} in force and growing${ago}`;
  }
  const limits = [
    ...(perSecond === null ? [] : [describeRate(perSecond)]),
    ...(tokensPerSecond === null ? [] : [`${number(tokensPerSecond * 60)} tokens/min`]),
    ...(lanes === null ? [] : [`${counted(lanes, "call")} at once`]),
  ];
  return `${limits.join(", ")} ${limits.length === 1 ? "is" : "are"} in force as configured`;
}

function finite(amount: number): number | null {
  return Number.isFinite(amount) ? amount : null;
}

function rounded(amount: number | null): number | null {
  return amount === null ? null : Math.round(amount * 1000) / 1000;
}
