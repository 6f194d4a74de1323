/** Real lanes and a real Run in virtual time against a target with a limit of its own: how much of it was used. */
import type { Spec } from "../../src/core/spec.ts";
import type { TaskOutcome } from "../../src/tasks/task.ts";
import { LaneWorld } from "./laneWorld.ts";
import { limitOf } from "./targetLimit.ts";
import type { TargetOptions } from "./targetOptions.ts";

export interface LimitScenario {
  readonly seed: number;
  /** Null: the run is told nothing. */
  readonly told: Spec["quota"];
  readonly limit: TargetOptions["limit"];
  /** Calls in flight above which the target answers 429. */
  readonly maxInFlight?: number;
  /** From then on the target has this limit. */
  readonly changes?: readonly { readonly atMs: number; readonly limit: TargetOptions["limit"] }[];
  /** False: a refusal says nothing of how long to wait; absent: whole seconds. */
  readonly saysRetryAfter?: boolean;
  readonly seconds: number;
  readonly lanes?: number;
  /** How late a timer is; absent: as a busy machine's. */
  readonly timerLateMs?: (random: () => number) => number;
  readonly transitMs?: (random: () => number) => number;
  readonly latencyMs?: readonly [number, number];
  readonly invocations?: number;
}

/** A timer of a machine that has other work too: within a millisecond, in one of fifty cases up to 15 late. */
export function busyTimer(random: () => number): number {
  return random() < 0.02 ? 15 * random() : random();
}

/** A way over the loopback: mostly some tenths of a millisecond. */
export function shortWay(random: () => number): number {
  return random() < 0.01 ? 0.2 + 5 * random() : 0.2 + 0.5 * random();
}

/** A timer of a machine that has little else to do. */
export function quietTimer(random: () => number): number {
  return random() < 0.003 ? 8 * random() : 0.5 * random();
}

export function quietWay(random: () => number): number {
  return random() < 0.001 ? 0.1 + 2 * random() : 0.1 + 0.2 * random();
}

export class LimitWorld {
  readonly world: LaneWorld;
  readonly #scenario: LimitScenario;

  constructor(scenario: LimitScenario) {
    this.#scenario = scenario;
    let limit = limitOf({ limit: scenario.limit ?? null });
    const { lanes = 100, told, maxInFlight = Number.POSITIVE_INFINITY } = scenario;
    this.world = new LaneWorld({
      items: 2_000_000,
      seed: scenario.seed,
      spec: { quota: told, maxParallelism: lanes, chunkSize: 1000 },
      invocations: scenario.invocations ?? 1,
      timerLateMs: scenario.timerLateMs ?? busyTimer,
      transitMs: scenario.transitMs ?? shortWay,
      ...(scenario.latencyMs !== undefined && { latencyMs: scenario.latencyMs }),
      admit: (atMs, inFlight) => {
        const refusedForMs = inFlight >= maxInFlight ? 1 : (limit?.admit(atMs) ?? null);
        return refusedForMs === null ? null : tooMany(refusedForMs, scenario.saysRetryAfter ?? true);
      },
    });
    for (const change of scenario.changes ?? []) {
      this.world.time.after(change.atMs, () => {
        limit = limitOf({ limit: change.limit ?? null });
      });
    }
  }

  /** Plays it to its end. */
  async play(): Promise<this> {
    this.world.keep(this.#scenario.invocations ?? 1);
    const endMs = this.#scenario.seconds * 1000;
    await this.world.time.runUntil(() => this.world.time.nowMs >= endMs, endMs + 10_000);
    return this;
  }

  /** Calls accepted and refused from one second to another. */
  between(fromS: number, toS: number): { readonly accepted: number; readonly refused: number } {
    const within = this.world.answers.filter(({ atMs }) => atMs >= fromS * 1000 && atMs < toS * 1000);
    const refused = within.filter(({ isRefused }) => isRefused).length;
    return { accepted: within.length - refused, refused };
  }

  /** Share of `perSecond` that was accepted, and share of the calls that was refused. */
  shares(perSecond: number, fromS: number, toS: number): { readonly used: number; readonly refused: number } {
    const { accepted, refused } = this.between(fromS, toS);
    return {
      used: accepted / (perSecond * (toS - fromS)),
      refused: refused / Math.max(1, accepted + refused),
    };
  }
}

function tooMany(forMs: number, says: boolean): TaskOutcome {
  const seconds = Math.max(1, Math.ceil(forMs / 1000));
  return { kind: "throttled", message: "429", retryAfterMs: says ? seconds * 1000 : null, status: 429 };
}
