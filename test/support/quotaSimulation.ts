/**
 * A run's quota against a target with a limit of its own: a small deterministic model of lanes and time.
 *
 * The quota is the real one. The rest is as simple as it can be: invocations ask when lanes wait, hold send
 * instants, forfeit those of an older epoch, and report with every request; the target is `StrictLimit`. One seed
 * decides every latency. Time is moved by the event loop only.
 */

import { effectiveRate, grant, observe, type Quota } from "../../src/core/limiter/quota.ts";
import type { Grant, Trouble } from "../../src/core/protocol.ts";
import { report } from "./coreRun.ts";
import { type LimitOptions, StrictLimit } from "./strictLimit.ts";

export interface SimulationOptions {
  readonly quota: Quota;
  readonly seed: number;
  readonly invocations: number;
  readonly lanesPerInvocation: number;
  /** The target's true limit from each instant on. */
  readonly limits: readonly { readonly fromMs: number; readonly limit: LimitOptions }[];
  /** What the target says when it refuses: whole seconds as most do, or nothing. */
  readonly saysRetryAfter: boolean;
  /** The target refuses every connection within these. */
  readonly outages?: readonly { readonly fromMs: number; readonly toMs: number }[];
  readonly untilMs: number;
}

export interface SimulatedCall {
  readonly atMs: number;
  readonly answer: "accepted" | "throttled" | "down";
}

export interface SimulationReport {
  readonly calls: readonly SimulatedCall[];
  readonly requests: number;
  /** The effective rate every 100 ms. */
  readonly rates: readonly { readonly atMs: number; readonly perSecond: number | null }[];
}

interface Permit {
  readonly atMs: number;
  readonly epoch: number;
  readonly probe: boolean;
}

interface Invocation {
  readonly name: string;
  waiting: number;
  held: Permit[];
  epoch: number;
  isAsking: boolean;
  /** No earlier, unless something is to report at once. */
  askAtMs: number;
  inFlight: number;
  seen: { calls: number; answered: number; probeAnswered: boolean; troubles: Trouble[]; sinceAnswer: number };
}

/** One way between invocation and Run, and how long lanes wait for others to join their request. */
const ONE_WAY_MS = 3;
const GATHER_MS = 10;

export function simulateQuota(options: SimulationOptions): SimulationReport {
  return new Simulation(options).run();
}

class Simulation {
  readonly #options: SimulationOptions;
  readonly #random: () => number;
  readonly #events = new Map<number, (() => void)[]>();
  readonly #calls: SimulatedCall[] = [];
  readonly #rates: { atMs: number; perSecond: number | null }[] = [];
  #limit: StrictLimit;
  #quota: Quota;
  #nowMs = 0;
  #requests = 0;
  #nextItem = 0;
  readonly #throttled = new Set<number>();
  /** Throttled items that wait for their next try. */
  #deferred: { item: number; dueMs: number }[] = [];

  constructor(options: SimulationOptions) {
    this.#options = options;
    this.#random = mulberry32(options.seed);
    this.#quota = options.quota;
    this.#limit = new StrictLimit(options.limits[0]!.limit);
  }

  run(): SimulationReport {
    for (const { fromMs, limit } of this.#options.limits) {
      this.#at(fromMs, () => {
        this.#limit = new StrictLimit(limit);
      });
    }
    for (let i = 0; i < this.#options.invocations; i++) this.#start(`i${i}`);
    for (; this.#nowMs < this.#options.untilMs; this.#nowMs++) {
      if (this.#nowMs % 100 === 0)
        this.#rates.push({ atMs: this.#nowMs, perSecond: effectiveRate(this.#quota) });
      for (let due = this.#due(); due !== undefined; due = this.#due()) for (const event of due) event();
    }
    return { calls: this.#calls, requests: this.#requests, rates: this.#rates };
  }

  /** Whole milliseconds: an event never comes early. */
  #at(ms: number, event: () => void): void {
    const slot = Math.max(this.#nowMs, Math.ceil(ms));
    this.#events.set(slot, [...(this.#events.get(slot) ?? []), event]);
  }

  #due(): (() => void)[] | undefined {
    const due = this.#events.get(this.#nowMs);
    this.#events.delete(this.#nowMs);
    return due;
  }

  #start(name: string): void {
    const seen = { calls: 0, answered: 0, probeAnswered: false, troubles: [], sinceAnswer: 0 };
    const invocation: Invocation = {
      name,
      waiting: this.#options.lanesPerInvocation,
      held: [],
      epoch: 0,
      isAsking: false,
      askAtMs: 0,
      inFlight: 0,
      seen,
    };
    this.#poll(invocation);
    this.#gather(invocation);
  }

  #poll(invocation: Invocation): void {
    this.#ask(invocation);
    this.#at(this.#nowMs + 1000, () => this.#poll(invocation));
  }

  #gather(invocation: Invocation): void {
    this.#at(Math.max(invocation.askAtMs, this.#nowMs + GATHER_MS), () => {
      if (invocation.waiting > invocation.held.length && this.#nowMs >= invocation.askAtMs)
        this.#ask(invocation);
    });
  }

  #ask(invocation: Invocation): void {
    if (invocation.isAsking) return;
    invocation.isAsking = true;
    const { calls, answered, probeAnswered, troubles, sinceAnswer } = invocation.seen;
    const told = report({
      calls,
      answered,
      probeAnswered,
      troubles,
      troublesSinceAnswer: sinceAnswer,
      throttled: troubles.filter((t) => t.kind === "throttled").length,
      inFlight: invocation.inFlight,
    });
    invocation.seen = { calls: 0, answered: 0, probeAnswered: false, troubles: [], sinceAnswer: 0 };
    const want = Math.max(0, invocation.waiting - invocation.held.length);
    this.#at(this.#nowMs + ONE_WAY_MS, () => {
      this.#requests++;
      const nowMs = this.#nowMs;
      this.#quota = observe(this.#quota, told, { nowMs, holder: invocation.name });
      const given = grant(this.#quota, { nowMs, want, holder: invocation.name });
      this.#quota = given.quota;
      this.#at(nowMs + ONE_WAY_MS, () => this.#take(invocation, given.grant, given.quota.epoch, nowMs));
    });
  }

  #take(invocation: Invocation, given: Grant, epoch: number, answeredMs: number): void {
    invocation.isAsking = false;
    invocation.epoch = epoch;
    invocation.held = invocation.held.filter((permit) => permit.epoch === epoch);
    invocation.askAtMs = given.kind === "deferred" ? this.#nowMs + given.askAgainInMs : this.#nowMs;
    if (given.kind === "granted") {
      for (let i = 0; i < given.count; i++) {
        const atMs = answeredMs + given.firstInMs + i * given.everyMs;
        invocation.held.push({ atMs, epoch, probe: given.probe });
        // An instant is used within its grace or not at all.
        this.#at(Math.max(atMs, this.#nowMs), () => this.#use(invocation, atMs + given.graceMs));
      }
    }
    if (given.kind === "free") while (invocation.waiting > 0) this.#call(invocation, this.#freely(epoch));
    this.#gather(invocation);
  }

  #freely(epoch: number): Permit {
    return { atMs: this.#nowMs, epoch, probe: false };
  }

  #use(invocation: Invocation, deadlineMs: number): void {
    const at = invocation.held.findIndex((permit) => permit.atMs <= this.#nowMs);
    if (at < 0) return;
    const [permit] = invocation.held.splice(at, 1);
    if (invocation.waiting > 0 && this.#nowMs <= deadlineMs) this.#call(invocation, permit!);
  }

  #call(invocation: Invocation, permit: Permit): void {
    invocation.waiting--;
    invocation.inFlight++;
    invocation.seen.calls++;
    const atMs = this.#nowMs;
    const index = this.#takeItem();
    const isDown = this.#options.outages?.some(({ fromMs, toMs }) => atMs >= fromMs && atMs < toMs) ?? false;
    const refusedMs = isDown ? null : this.#limit.admit(atMs);
    const answer = isDown ? "down" : refusedMs === null ? "accepted" : "throttled";
    this.#calls.push({ atMs, answer });
    const waitMs = refusedMs === null ? 0 : Math.ceil(refusedMs / 1000) * 1000;
    const retryAfterMs = answer === "throttled" && this.#options.saysRetryAfter ? waitMs : null;
    const latencyMs = answer === "accepted" ? 25 + 50 * this.#random() : 5 + 5 * this.#random();
    this.#at(atMs + latencyMs, () => {
      const again = this.#throttled.has(index) ? { again: true as const } : {};
      if (answer === "throttled") this.#throttled.add(index);
      if (answer !== "accepted")
        this.#deferred.push({ item: index, dueMs: this.#nowMs + Math.max(1000, waitMs) });
      this.#end(invocation, answer, {
        index,
        epoch: permit.epoch,
        retryAfterMs,
        probe: permit.probe,
        ...again,
      });
    });
  }

  #end(invocation: Invocation, answer: SimulatedCall["answer"], call: Omit<Trouble, "kind">): void {
    invocation.waiting++;
    invocation.inFlight--;
    const { seen } = invocation;
    if (answer === "accepted") {
      seen.answered++;
      seen.sinceAnswer = 0;
      seen.probeAnswered ||= call.probe;
    } else {
      seen.troubles.push({ kind: answer, ...call });
      seen.sinceAnswer++;
    }
    if (call.probe) this.#ask(invocation);
    this.#gather(invocation);
  }

  #takeItem(): number {
    const due = this.#deferred.findIndex(({ dueMs }) => dueMs <= this.#nowMs);
    return due < 0 ? this.#nextItem++ : this.#deferred.splice(due, 1)[0]!.item;
  }
}

/** A small seeded generator of numbers in 0 … 1. */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
