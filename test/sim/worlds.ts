/** Worlds that show one thing each: small, without faults, until something is changed. */
import { SPEC_DEFAULTS, type Spec } from "../../src/core/spec.ts";
import { type FaultOptions, NO_FAULTS, type SimOptions, type TargetOptions } from "../../src/sim/options.ts";

interface Change extends Partial<Omit<SimOptions, "spec" | "target" | "faults">> {
  readonly spec?: Partial<Spec>;
  readonly target?: Partial<TargetOptions>;
  readonly faults?: Partial<FaultOptions>;
}

/** 1,500 items at 50 calls a second, from twelve lanes, against a target that takes everything. */
export function smallWorld({ spec, target, faults, ...rest }: Change): SimOptions {
  const items = rest.items ?? 1500;
  return {
    ...{ seed: 1, place: "embedded", invocations: 4, bug: null, isForPeople: false },
    ...{ safetyMs: 60_000, livenessMs: 3 * 3_600_000 },
    ...rest,
    items,
    spec: {
      ...SPEC_DEFAULTS,
      name: null,
      source: { kind: "range", from: 0, to: items },
      task: { kind: "http", url: "https://target.example/{{item}}" },
      chunkSize: 50,
      maxParallelism: 12,
      quota: { requests: "50/s", burst: null },
      checkpoint: { ...SPEC_DEFAULTS.checkpoint, items: 20 },
      tolerate: { ...SPEC_DEFAULTS.tolerate, failureRate: 1 },
      ...spec,
    },
    target: {
      ...{ limit: null, latencyMs: 100, latencySpread: 0.5, mostLatencyMs: 30_000 },
      ...{ missing: 0, errors: 0, saysRetryAfter: true, outages: [], poison: [] },
      ...target,
    },
    faults: { ...NO_FAULTS, ...faults },
  };
}
