/**
 * The outside system: a limit of its own, latency, missing items, errors, outages. It knows nothing of the quota that
 * the run was told, and counts what reaches it: the checkers judge by that.
 */
import type { TaskOutcome } from "../tasks/task.ts";
import { type FaultKind, failure, isBad } from "./badItems.ts";
import type { TargetOptions } from "./options.ts";
import { chanceOf, type Random } from "./random.ts";

/** What becomes of a call. */
export interface Fate {
  readonly outcome: TaskOutcome;
  readonly latencyMs: number;
  /** The caller does not survive it. */
  readonly kills: boolean;
}

const MISSING_SALT = 0x51ed27;
/** A refused connection and a 429 come back fast. */
const REFUSAL_MS = 5;

export class Target {
  calls = 0;
  throttled = 0;
  readonly #options: TargetOptions;
  readonly #items: number;
  readonly #random: Random;
  #tokens: number;
  #filledMs = 0;
  #window = { at: -1, calls: 0 };

  constructor(options: TargetOptions, items: number, random: Random) {
    this.#options = options;
    this.#items = items;
    this.#random = random;
    this.#tokens = options.limit?.burst ?? 0;
  }

  /** A call arrives; time never goes back from one to the next. */
  call(item: number, nowMs: number): Fate {
    this.calls += 1;
    const { outages, poison, missing, errors } = this.#options;
    const outage = outages.find(({ fromMs, toMs }) => nowMs >= fromMs && nowMs < toMs);
    if (outage !== undefined) return this.#fail(outage.fault ?? "refused");
    const waitMs = this.#admitInWindow(nowMs) ?? this.#admit(nowMs);
    if (waitMs !== null) return this.#refuse(waitMs);
    if (poison.includes(item)) return { outcome: OK, latencyMs: REFUSAL_MS, kills: true };
    const { bad } = this.#options;
    if (bad !== undefined && isBad(bad, item, this.#items)) return this.#fail(bad.fault);
    const latencyMs = this.#latencyMs();
    if (this.#random.chance(errors)) return { outcome: ERROR, latencyMs, kills: false };
    const isMissing = missing > 0 && chanceOf(item, MISSING_SALT) < missing;
    return { outcome: isMissing ? MISSING : OK, latencyMs, kills: false };
  }

  /** Whether an item's failure may be the target's doing; else whoever failed it was wrong. */
  mayFail(item: number): boolean {
    const { bad, missing, errors, poison, limit, outages } = this.#options;
    if (errors > 0 || limit !== null || poison.length > 0) return true;
    // What took connections and answered nobody for long is not told from bad items.
    if (outages.some(({ fault }) => (fault ?? "refused") !== "refused")) return true;
    const isMissing = missing > 0 && chanceOf(item, MISSING_SALT) < missing;
    return isMissing || (bad !== undefined && isBad(bad, item, this.#items));
  }

  #fail(fault: FaultKind): Fate {
    const { outcome, latencyMs } = failure(fault);
    return { outcome, latencyMs: latencyMs ?? this.#latencyMs(), kills: false };
  }

  #admitInWindow(nowMs: number): number | null {
    const { window } = this.#options;
    if (window === undefined) return null;
    const at = Math.floor(nowMs / window.everyMs);
    if (at !== this.#window.at) this.#window = { at, calls: 0 };
    if (this.#window.calls >= window.calls) return (at + 1) * window.everyMs - nowMs;
    this.#window.calls += 1;
    return null;
  }

  /** Null: accepted; else milliseconds until one call would be. */
  #admit(nowMs: number): number | null {
    const { limit } = this.#options;
    if (limit === null) return null;
    const perMs = limit.perSecond / 1000;
    this.#tokens = Math.min(limit.burst, this.#tokens + (nowMs - this.#filledMs) * perMs);
    this.#filledMs = nowMs;
    if (this.#tokens < 1 - 1e-9) return (1 - this.#tokens) / perMs;
    this.#tokens -= 1;
    return null;
  }

  #refuse(waitMs: number): Fate {
    this.throttled += 1;
    const retryAfterMs = this.#options.saysRetryAfter ? Math.ceil(waitMs / 1000) * 1000 : null;
    const outcome: TaskOutcome = {
      kind: "throttled",
      status: 429,
      message: "429 Too Many Requests",
      retryAfterMs,
    };
    return { outcome, latencyMs: REFUSAL_MS, kills: false };
  }

  #latencyMs(): number {
    const { latencyMs, latencySpread, mostLatencyMs } = this.#options;
    return Math.min(mostLatencyMs, this.#random.skewed(latencyMs, latencySpread));
  }
}

const OK: TaskOutcome = { kind: "ok", status: 200, value: null };
const ERROR: TaskOutcome = {
  kind: "transient",
  errorKind: "http",
  status: 500,
  message: "500 Internal Server Error",
  retryAfterMs: null,
};
const MISSING: TaskOutcome = {
  kind: "permanent",
  errorKind: "http",
  status: 404,
  message: "404 Not Found",
  called: true,
};
