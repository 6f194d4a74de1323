/**
 * The outside system: a limit of its own, latency, missing items, errors, outages. It knows nothing of the quota that
 * the run was told, and counts what reaches it: the checkers judge by that.
 */
import { tokensOf, type Usage } from "../core/usage.ts";
import type { BatchOutcome, TaskOutcome } from "../tasks/task.ts";
import { type Failed, type FaultKind, failure, isBad } from "./badItems.ts";
import type { TargetOptions } from "./options.ts";
import { chanceOf, type Random } from "./random.ts";

/** How a call ends, and what comes of it for the caller. */
export interface Fate<T> {
  readonly outcome: T;
  readonly latencyMs: number;
  /** The caller does not survive it. */
  readonly kills: boolean;
}

const MISSING_SALT = 0x51ed27;
const INPUT_SALT = 0x3c6ef3;
const OUTPUT_SALT = 0x7a1b5d;
/** Tokens of a call: prompts vary tenfold. */
const LEAST_INPUT = 100;
export const MOST_INPUT = 1000;
/** What a call asks for; its answer may be any length up to that. */
export const MOST_OUTPUT = 400;

/** Input tokens of the call for an item. */
export function inputOf(item: number): number {
  return Math.round(LEAST_INPUT + chanceOf(item, INPUT_SALT) * (MOST_INPUT - LEAST_INPUT));
}

/** A refused connection and a 429 come back fast. */
const REFUSAL_MS = 5;

export class Target {
  calls = 0;
  throttled = 0;
  /** Tokens of the calls that it answered. */
  tokens = 0;
  readonly #options: TargetOptions;
  readonly #items: number;
  readonly #random: Random;
  readonly #countsTokens: boolean;
  readonly #areApart: boolean;
  #tokens: number;
  #filledMs = 0;
  #window = { at: -1, calls: 0 };

  /** `areApart`: a host of its own that is down fails its own items (docs/scrape.md). */
  constructor(
    options: TargetOptions,
    items: number,
    random: Random,
    of: { readonly countsTokens: boolean; readonly areApart: boolean },
  ) {
    this.#countsTokens = of.countsTokens;
    this.#areApart = of.areApart;
    this.#options = options;
    this.#items = items;
    this.#random = random;
    this.#tokens = options.limit?.burst ?? 0;
  }

  /** A call for one item arrives; time never goes back from one to the next. */
  call(item: number, nowMs: number): Fate<TaskOutcome> {
    const refused = this.#refusal(nowMs);
    if (refused !== null) return refused;
    if (this.#options.poison.includes(item)) return { outcome: OK, latencyMs: REFUSAL_MS, kills: true };
    if (this.#isBad(item)) return this.#fail(this.#options.bad!.fault);
    return { outcome: this.#answer(item), latencyMs: this.#latencyMs(), kills: false };
  }

  /** A call for several items: it is refused as a whole for one that is not understood, else each has its own answer. */
  callForAll(items: readonly number[], nowMs: number): Fate<BatchOutcome> {
    const whole = (fate: Fate<Failed>): Fate<BatchOutcome> => {
      return { ...fate, outcome: { kind: "whole", outcome: fate.outcome } };
    };
    const refused = this.#refusal(nowMs);
    if (refused !== null) return whole(refused);
    const kills = items.some((item) => this.#options.poison.includes(item));
    const fault = this.#options.bad?.fault;
    if (fault === "400" && items.some((item) => this.#isBad(item))) return whole(this.#fail(fault));
    const outcomes = items.map((item) => {
      return fault !== undefined && this.#isBad(item) ? failure(fault).outcome : this.#answer(item);
    });
    return { outcome: { kind: "each", outcomes }, latencyMs: this.#latencyMs(), kills };
  }

  /** Tokens of a call for an item that was answered; undefined where none are counted. */
  usageOf(item: number): Usage | undefined {
    if (!this.#countsTokens) return undefined;
    return { inputTokens: inputOf(item), outputTokens: Math.ceil(chanceOf(item, OUTPUT_SALT) * MOST_OUTPUT) };
  }

  /** Whether it can have answered an item with success. */
  mayServe(item: number): boolean {
    return !this.#isMissing(item) && !this.#isBad(item);
  }

  /** Whether an item's failure may be the target's doing; else whoever failed it was wrong. */
  mayFail(item: number): boolean {
    if (this.#areApart && this.#options.outages.length > 0) return true;
    const { errors, poison, limit, window, outages } = this.#options;
    if (errors > 0 || limit !== null || window !== undefined || poison.length > 0) return true;
    // What took connections and answered nobody for long is not told from bad items.
    if (outages.some(({ fault }) => (fault ?? "refused") !== "refused")) return true;
    return !this.mayServe(item);
  }

  /** What becomes of a call whatever it is for; null: it is looked at. */
  #refusal(nowMs: number): Fate<Failed> | null {
    this.calls += 1;
    const outage = this.#options.outages.find(({ fromMs, toMs }) => nowMs >= fromMs && nowMs < toMs);
    if (outage !== undefined) return this.#fail(outage.fault ?? "refused");
    const waitMs = this.#admitInWindow(nowMs) ?? this.#admit(nowMs);
    return waitMs === null ? null : this.#refuse(waitMs);
  }

  #answer(item: number): TaskOutcome {
    if (this.#random.chance(this.#options.errors)) return ERROR;
    if (this.#isMissing(item)) return MISSING;
    const usage = this.usageOf(item);
    if (usage === undefined) return OK;
    this.tokens += tokensOf(usage);
    return { ...OK, usage };
  }

  #isMissing(item: number): boolean {
    const { missing } = this.#options;
    return missing > 0 && chanceOf(item, MISSING_SALT) < missing;
  }

  #isBad(item: number): boolean {
    const { bad } = this.#options;
    return bad !== undefined && isBad(bad, item, this.#items);
  }

  #fail(fault: FaultKind): Fate<Failed> {
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

  #refuse(waitMs: number): Fate<Failed> {
    this.throttled += 1;
    const retryAfterMs = this.#options.saysRetryAfter ? Math.ceil(waitMs / 1000) * 1000 : null;
    const outcome: Failed = {
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

const OK = { kind: "ok", status: 200, value: null } as const satisfies TaskOutcome;
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
