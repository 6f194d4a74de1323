/**
 * What the ramp (`limiter/ramp.ts`) means for a run: its share as a cap on rate, tokens and lanes, and what people see.
 */
import type { QuotaSettings } from "../limiter/burst.ts";
import { lanesUnder, nextStepMs, type Ramp, rampedMs, rampSettings } from "../limiter/ramp.ts";
import { describeRate } from "../limiter/rate.ts";
import { counted, number, seconds } from "../sentence.ts";
import type { Spec } from "../spec.ts";
import type { RampView } from "./runView.ts";

/** Of a run: its limits, and how far it is with them. */
interface Ramped {
  readonly state: {
    readonly spec: Pick<Spec, "maxParallelism" | "ramp">;
    readonly ramp?: Ramp | null;
  };
}

/** The share of all limits that is in force; 1: all of them. */
export function shareOfLimits({ state }: Ramped): number {
  return state.ramp?.share ?? 1;
}

/** Lanes that may be live: the spec's limit, or the ramp's share of it. */
export function lanesUnderRamp(run: Ramped): number {
  return lanesUnder(run.state.spec.maxParallelism, shareOfLimits(run));
}

/** The limits with the ramp's share of them in force. */
export function underRamp(settings: QuotaSettings, run: Ramped): QuotaSettings {
  const share = shareOfLimits(run);
  if (share >= 1) return settings;
  const { ratePerSecond, tokens } = settings;
  return {
    ...settings,
    ratePerSecond: ratePerSecond === null ? null : ratePerSecond * share,
    ...(tokens != null && { tokens: { ...tokens, perSecond: tokens.perSecond * share } }),
  };
}

/** How long work takes from now on that would take `ms` at the present share. */
export function afterRampMs({ state }: Ramped, ms: number): number {
  const { ramp, spec } = state;
  if (ramp == null || spec.ramp == null || ramp.isDone) return ms;
  return rampedMs(rampSettings(spec.ramp), ramp.share, ms * ramp.share);
}

/** "ramping: 600/s of 1,000/s, next step in 12 s if clean"; null where the ramp is over, or there is none. */
export function whyRamping(run: Ramped, configuredPerSecond: number | null, nowMs: number): string | null {
  const { ramp, spec } = run.state;
  if (ramp == null || ramp.isDone) return null;
  const lanes = counted(spec.maxParallelism, "lane");
  const at =
    configuredPerSecond === null
      ? `${number(lanesUnderRamp(run))} of ${lanes}`
      : `${describeRate(configuredPerSecond * ramp.share)} of ${describeRate(configuredPerSecond)}`;
  const last = ramp.steps.at(-1);
  const back = last?.because == null ? "" : `; it went back a step: ${last.because}`;
  return `ramping: ${at}, ${nextOf(ramp, nowMs)}${back}`;
}

function nextOf(ramp: Ramp, nowMs: number): string {
  const nextMs = nextStepMs(ramp);
  if (nextMs !== null) return `next step in ${seconds(nextMs - nowMs)} if clean`;
  return ramp.share >= 1 ? "the last interval is watched" : "the first step begins with the first answer";
}

/** `configuredPerSecond`: the spec's rate; `wallMs` is the time of day at `nowMs`. */
export function rampView(
  run: Ramped,
  configuredPerSecond: number | null,
  { nowMs, wallMs }: { readonly nowMs: number; readonly wallMs: number },
): RampView | null {
  const { ramp } = run.state;
  if (ramp == null) return null;
  const at = (ms: number): string => new Date(wallMs + ms - nowMs).toISOString();
  const nextMs = nextStepMs(ramp);
  return {
    share: ramp.share,
    ratePerSecond: configuredPerSecond === null ? null : configuredPerSecond * ramp.share,
    lanes: lanesUnderRamp(run),
    isDone: ramp.isDone,
    nextStepAt: nextMs === null ? null : at(nextMs),
    steps: ramp.steps.map(({ atMs, share, because }) => ({ at: at(atMs), share, because })),
  };
}
