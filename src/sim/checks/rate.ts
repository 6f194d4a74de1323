/**
 * Rate: in any window W at most `rate × W + rate × (grace + clock error) + 1` calls leave.
 *
 * Checked as a bucket that is filled at the rate and must never need more than that burst: the same for all windows
 * at once. After a cut the former rate counts until the instants given out under it are over.
 *
 * What is allowed where clocks are set: `setClocks.ts`.
 */

import { parseRate } from "../../core/limiter/rate.ts";
import { CLOCK_ERROR_MS, DEPTH_MS, GRACE_MS } from "../../core/limits.ts";
import type { Spec } from "../../core/spec.ts";
import type { EventLoop } from "../eventLoop.ts";
import type { SetClocks } from "./setClocks.ts";
import { Violation } from "./violation.ts";

/** Instants given out before a change are used up by then. */
const OVER_MS = DEPTH_MS + GRACE_MS + CLOCK_ERROR_MS + 1000;

interface Limit {
  readonly fromMs: number;
  /** Null: none. */
  readonly perSecond: number | null;
}

export class RateCheck {
  /** The smallest bucket that would have rejected none of the calls so far. */
  neededBurst = 0;
  readonly #loop: EventLoop;
  readonly #clocks: SetClocks;
  #limits: Limit[];
  #level = 0;
  #lastMs = 0;
  #perSecond: number | null;
  #untilMs = Number.POSITIVE_INFINITY;

  constructor(loop: EventLoop, spec: Spec, clocks: SetClocks) {
    this.#loop = loop;
    this.#clocks = clocks;
    this.#perSecond = rateOf(spec);
    this.#limits = [{ fromMs: 0, perSecond: this.#perSecond }];
  }

  configured(spec: Spec): void {
    const perSecond = rateOf(spec);
    if (perSecond === this.#limits.at(-1)?.perSecond) return;
    this.#limits.push({ fromMs: this.#loop.nowMs, perSecond });
    this.#look();
  }

  /** A call leaves. `passedMs`: time that passed by the Run's clock alone. */
  called(passedMs: number): void {
    const { nowMs } = this.#loop;
    if (nowMs >= this.#untilMs) this.#look();
    const perSecond = this.#perSecond;
    const elapsedMs = nowMs - this.#lastMs + passedMs;
    this.#lastMs = nowMs;
    if (perSecond === null) {
      this.#level = 0;
      return;
    }
    this.#level = Math.max(0, this.#level - (elapsedMs * perSecond) / 1000) + 1;
    if (this.#level > this.neededBurst) this.neededBurst = this.#level;
    const earlyMs = this.#clocks.earlyMs(nowMs);
    const most = 1 + (perSecond * (GRACE_MS + CLOCK_ERROR_MS + earlyMs)) / 1000;
    if (this.#level > most + 1e-6) {
      throw new Violation(
        "rate",
        `the calls need a burst of ${this.#level.toFixed(2)} at ${perSecond}/s, allowed are ${most.toFixed(2)}`,
      );
    }
  }

  /** The highest rate that may still be in use, and until when that stays so. */
  #look(): void {
    const { nowMs } = this.#loop;
    while (this.#limits.length > 1 && nowMs >= this.#limits[1]!.fromMs + OVER_MS) this.#limits.shift();
    const highest = Math.max(...this.#limits.map((limit) => limit.perSecond ?? Number.POSITIVE_INFINITY));
    this.#perSecond = highest === Number.POSITIVE_INFINITY ? null : highest;
    this.#untilMs = (this.#limits[1]?.fromMs ?? Number.POSITIVE_INFINITY) + OVER_MS;
  }
}

function rateOf(spec: Spec): number | null {
  if (spec.quota?.requests == null) return null;
  const rate = parseRate(spec.quota.requests);
  return rate.kind === "ok" ? rate.perSecond : null;
}
