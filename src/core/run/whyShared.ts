/** What a run's named target has to do with its pace, in a sentence. */
import { describeRate } from "../limiter/rate.ts";
import { seconds } from "../sentence.ts";
import { configuredPerSecond, type Run } from "./run.ts";
import type { TargetShare } from "./targetShare.ts";
import { moment } from "./waiting.ts";

interface Reading {
  readonly nowMs: number;
  readonly wallMs: number;
}

/** It has no share, or all pause: nothing leaves. Null: it has one. */
export function whyShareless({ target }: Run, { nowMs, wallMs }: Reading): string | null {
  if (target === null) return null;
  if (nowMs < target.pausedUntilMs) {
    const until = moment(wallMs, wallMs + target.pausedUntilMs - nowMs);
    return `target ${target.name}: all its runs pause until ${until}, as the outside system asked one of them to`;
  }
  if (target.share === null || target.withoutSinceMs !== null) {
    const since = nowMs - (target.withoutSinceMs ?? nowMs);
    const others = target.runs > 1 ? "waiting for what other runs still hold" : "waiting for its share";
    return `target ${target.name}: ${others}${since < 2000 ? "" : `, for ${seconds(since)}`}`;
  }
  const silentMs = nowMs - target.sentMs;
  if (silentMs < target.ttlMs) return null;
  return `target ${target.name}: it does not answer, and the share of ${seconds(silentMs)} ago has run out`;
}

/** The share is what limits the run; null: its own limit is, or it has no target. */
export function whyShared({ state, target }: Run): string | null {
  const perSecond = target?.share?.perSecond ?? null;
  if (target === null || perSecond === null) return null;
  const own = configuredPerSecond(state.spec);
  if (own !== null && own <= perSecond) return null;
  const among = target.runs > 1 ? `shared by ${target.runs} runs` : "no other run wants it now";
  return `target ${target.name}: ${describeRate(perSecond)} of ${ofWhat(target)} ${target.runs > 1 ? "are this run's share" : "is the limit"}, ${among}`;
}

function ofWhat({ of, configuredPerSecond: configured }: TargetShare): string {
  const inForce = of?.perSecond ?? null;
  if (inForce === null) return "it";
  if (configured !== null && inForce < configured)
    return `${describeRate(inForce)} in force (throttled; ${describeRate(configured)} configured)`;
  return describeRate(inForce);
}

/** Why the run pauses when nothing has its target's name any more. */
export function whyGone(name: string): string {
  return `the target ${name} was removed; weir target set ${name} makes it again, then resume the run`;
}
