/**
 * Hosts: in any window W at most `rate × W + rate × (grace + clock error) + 1` calls reach one host. The same check as
 * for the whole run (`rate.ts`), for each host a bucket of its own.
 */
import { CLOCK_ERROR_MS, GRACE_MS } from "../../core/limits.ts";
import { hostPerSecond } from "../../core/run/run.ts";
import type { Spec } from "../../core/spec.ts";
import type { SetClocks } from "./setClocks.ts";
import { Violation } from "./violation.ts";

export class HostCheck {
  readonly #perSecond: number | null;
  readonly #hosts: number;
  readonly #clocks: SetClocks;
  readonly #buckets = new Map<number, { level: number; atMs: number }>();

  /** Items are spread over so many hosts, one after the other; 0: calls are for no host of their own. */
  constructor(spec: Spec, hosts: number, clocks: SetClocks) {
    this.#clocks = clocks;
    this.#perSecond = hosts === 0 ? null : hostPerSecond(spec);
    this.#hosts = hosts;
  }

  /** A call for an item leaves. `passedMs`: time that passed by the Run's clock alone. */
  called(item: number, nowMs: number, passedMs: number): void {
    if (this.#perSecond === null) return;
    for (const bucket of passedMs > 0 ? this.#buckets.values() : []) bucket.atMs -= passedMs;
    const host = item % this.#hosts;
    const bucket = this.#buckets.get(host) ?? { level: 0, atMs: nowMs };
    const earnedCalls = ((nowMs - bucket.atMs) * this.#perSecond) / 1000;
    bucket.level = Math.max(0, bucket.level - earnedCalls) + 1;
    bucket.atMs = nowMs;
    this.#buckets.set(host, bucket);
    const earlyMs = this.#clocks.earlyMs(nowMs);
    const most = 1 + (this.#perSecond * (GRACE_MS + CLOCK_ERROR_MS + earlyMs)) / 1000;
    if (bucket.level > most + 1e-6)
      throw new Violation(
        "hosts",
        `the calls of host ${host} need a burst of ${bucket.level.toFixed(2)} at ${this.#perSecond}/s, allowed are ${most.toFixed(2)}`,
      );
  }
}
