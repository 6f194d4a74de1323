/**
 * Parallelism: at most `maxParallelism` calls are under way, as the target counts them.
 *
 * After the limit was lowered the former one counts until the calls that began under it are over.
 */
import { LEASE_MARGIN_MS, LEASE_TTL_MS } from "../../core/limits.ts";
import type { Spec } from "../../core/spec.ts";
import type { EventLoop } from "../eventLoop.ts";
import { Violation } from "./violation.ts";

/** By then every lane above a lowered limit has finished its call or lost its lease. */
const OVER_MS = 2 * (LEASE_TTL_MS + LEASE_MARGIN_MS);

export class ParallelismCheck {
  most = 0;
  #underWay = 0;
  readonly #loop: EventLoop;
  #limits: { readonly fromMs: number; readonly lanes: number }[];

  constructor(loop: EventLoop, spec: Spec) {
    this.#loop = loop;
    this.#limits = [{ fromMs: 0, lanes: spec.maxParallelism }];
  }

  configured(spec: Spec): void {
    if (spec.maxParallelism === this.#limits.at(-1)?.lanes) return;
    this.#limits.push({ fromMs: this.#loop.nowMs, lanes: spec.maxParallelism });
  }

  called(): void {
    this.#underWay += 1;
    if (this.#underWay <= this.most && this.#limits.length === 1) return;
    this.most = Math.max(this.most, this.#underWay);
    const { nowMs } = this.#loop;
    while (this.#limits.length > 1 && nowMs >= this.#limits[1]!.fromMs + OVER_MS) this.#limits.shift();
    const allowed = Math.max(...this.#limits.map((limit) => limit.lanes));
    if (this.#underWay > allowed)
      throw new Violation("parallelism", `${this.#underWay} calls are under way, allowed are ${allowed}`);
  }

  ended(): void {
    this.#underWay -= 1;
  }
}
