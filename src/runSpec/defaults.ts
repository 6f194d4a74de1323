/** Filling in what a spec leaves out. Null and undefined both mean: not given. */
import {
  type BudgetSpec,
  type QuotaSpec,
  RAMP_DEFAULTS,
  type RampSpec,
  type RetrySpec,
  SMOKE_DEFAULTS,
  type SmokeSpec,
  type SourceSpec,
  SPEC_DEFAULTS,
  type Spec,
  type TaskSpec,
  WINDOW_DEFAULTS,
  type WindowSpec,
} from "../core/spec.ts";
import type { SpecInput } from "./specSchema.ts";

/** The spec with every default in its place. */
export function fillDefaults(outside: SpecInput, source: SourceSpec, task: TaskSpec): Spec {
  return {
    name: outside.name ?? null,
    source,
    task,
    chunkSize: outside.chunkSize ?? SPEC_DEFAULTS.chunkSize,
    maxParallelism: outside.maxParallelism ?? SPEC_DEFAULTS.maxParallelism,
    quota: outside.quota ? fill<QuotaSpec>(NO_QUOTA, outside.quota) : null,
    ...(outside.share?.weight != null && { share: { weight: outside.share.weight } }),
    budget: fillBudget(outside.budget),
    window: outside.window ? fill<WindowSpec>(WINDOW_DEFAULTS, outside.window) : null,
    ramp: outside.ramp ? fill<RampSpec>(RAMP_DEFAULTS, outside.ramp) : null,
    deadline: outside.deadline ?? null,
    pacing: fill(SPEC_DEFAULTS.pacing, outside.pacing),
    retry: fillRetry(outside.retry),
    tolerate: fill(SPEC_DEFAULTS.tolerate, outside.tolerate),
    checkpoint: fill(SPEC_DEFAULTS.checkpoint, outside.checkpoint),
    smoke: outside.smoke ? fill<SmokeSpec>(SMOKE_DEFAULTS, outside.smoke) : null,
    reduce: outside.reduce ?? null,
    onComplete: outside.onComplete ?? null,
    allowPrivate: outside.allowPrivate ?? SPEC_DEFAULTS.allowPrivate,
  };
}

const NO_QUOTA: QuotaSpec = {
  requests: null,
  burst: null,
  perHost: null,
  tokens: null,
  tokenBurst: null,
};
const NO_BUDGET: BudgetSpec = { tokens: null, calls: null, dollars: null };

/** A budget that bounds nothing is none. */
function fillBudget(outside: SpecInput["budget"]): BudgetSpec | null {
  const filled = fill<BudgetSpec>(NO_BUDGET, outside);
  return Object.values(filled).every((bound) => bound === null) ? null : filled;
}

/** A base delay above the default ceiling raises the ceiling, unless the spec names one. */
function fillRetry(outside: SpecInput["retry"]): RetrySpec {
  const filled = fill<RetrySpec>(SPEC_DEFAULTS.retry, outside);
  if (outside?.maxDelayMs != null) return filled;
  return { ...filled, maxDelayMs: Math.max(filled.maxDelayMs, filled.baseDelayMs) };
}

/** The defaults with what was given in their place; null and undefined give nothing. */
export function fill<T extends object>(
  defaults: T,
  given: { readonly [Key in keyof T]?: unknown } | null | undefined,
): T {
  return { ...defaults, ...withoutNothing(given ?? {}) };
}

function withoutNothing(given: object): object {
  return Object.fromEntries(
    Object.entries(given).filter(([, value]) => value !== null && value !== undefined),
  );
}
