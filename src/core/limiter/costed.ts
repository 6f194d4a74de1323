/**
 * Permits with a cost of their own: granted one by one, to the calls that have waited longest.
 *
 * All waiting calls of all invocations stand in one queue, in the order in which the Run first heard of them. A call is
 * granted when those ahead of it and itself fit into the depth; it then gets the next free instant. An expensive call
 * is granted when its turn comes, like any other: its cost lies behind it, as the distance to the next. So no call
 * starves, whatever it costs.
 *
 * In memory only: a restarted Run hears of every waiting call again with the next request. Nothing here stores what
 * was issued; that is the quota's.
 */

import { COSTED_GRACE_MS, COSTED_SILENT_POLLS, DEPTH_MS, POLL_MS } from "../limits.ts";
import type { CostedAnswer, CostedAsk } from "../protocol.ts";
import type { BudgetSpec } from "../spec.ts";
import type { Price } from "../usage.ts";
import { type BudgetKey, type Outlay, passedBy, withCall } from "./budget.ts";
import { graceMs } from "./burst.ts";
import { admission, sendProbe } from "./circuit.ts";
import { type Dimension, emissionIntervalMs, reserve, type Tat } from "./gcra.ts";
import { effectiveRate, issueCosted, type Quota } from "./quota.ts";
import {
  mostPerCall,
  reservationOf,
  type TokenCost,
  tokenDimension,
  tokensNotBeforeMs,
} from "./tokenQuota.ts";

export interface Costed {
  /** First come first. */
  queue: Waiting[];
  /** What each invocation holds, as it last said, and what it was granted since. */
  readonly held: Map<string, Held>;
}

interface Waiting extends TokenCost {
  readonly invocation: string;
  readonly call: number;
  seenMs: number;
}

export interface Held {
  readonly calls: number;
  readonly tokens: number;
}

export interface CostedRequest {
  readonly invocation: string;
  readonly nowMs: number;
  /** No permit for it lies closer than this. */
  readonly leadMs: number;
  /** … and none further ahead; absent: there is no end. */
  readonly endsInMs?: number;
  readonly pollMs: number;
  readonly budget: BudgetSpec | null;
  /** What is spent and held, this invocation's permits included. */
  readonly outlay: Outlay;
  readonly price: Price | null;
}

export interface CostedGrants {
  readonly quota: Quota;
  readonly answer: CostedAnswer;
  /** The bound for which the next call was not granted. */
  readonly passed: BudgetKey | null;
}

export function createCosted(): Costed {
  return { queue: [], held: new Map() };
}

/** Sums what all invocations hold. */
export function heldByAll(costed: Costed): Held {
  let calls = 0;
  let tokens = 0;
  for (const held of costed.held.values()) {
    calls += held.calls;
    tokens += held.tokens;
  }
  return { calls, tokens };
}

/** Takes in what waits at an invocation and what it holds. */
export function hearWaiting(costed: Costed, invocation: string, ask: CostedAsk, nowMs: number): void {
  costed.held.set(invocation, ask.held);
  const waits = new Map(ask.waiting.map((waiting) => [waiting.call, waiting]));
  costed.queue = costed.queue.filter((known) => {
    if (known.invocation !== invocation) return true;
    known.seenMs = nowMs;
    return waits.delete(known.call);
  });
  for (const waiting of waits.values()) costed.queue.push({ ...waiting, invocation, seenMs: nowMs });
}

/** The invocation has ended or died: nothing waits there. Returns what it still held. */
export function forgetWaiting(costed: Costed, invocation: string): Held {
  const held = costed.held.get(invocation) ?? { calls: 0, tokens: 0 };
  costed.held.delete(invocation);
  costed.queue = costed.queue.filter((waiting) => waiting.invocation !== invocation);
  return held;
}

/** Grants what can be granted to one invocation now. */
export function grantCosted(costed: Costed, quota: Quota, request: CostedRequest): CostedGrants {
  const { nowMs, pollMs } = request;
  const silentMs = COSTED_SILENT_POLLS * Math.max(pollMs, POLL_MS);
  costed.queue = costed.queue.filter((waiting) => nowMs - waiting.seenMs <= silentMs);
  const admitted = admission(quota.circuit, nowMs);
  const grants = new Grants(quota, request);
  if (admitted.kind === "wait") grants.deferTo(admitted.untilMs);
  else if (admitted.kind === "probe") grantProbe(costed, grants, request);
  else grantInTurn(costed, grants, request);
  costed.queue = costed.queue.filter((waiting) => !grants.isAnswered(waiting));
  const before = costed.held.get(request.invocation) ?? { calls: 0, tokens: 0 };
  costed.held.set(request.invocation, {
    calls: before.calls + grants.granted.length,
    tokens: before.tokens + grants.granted.reduce((sum, { cost }) => sum + cost, 0),
  });
  return grants.end();
}

function grantInTurn(costed: Costed, grants: Grants, request: CostedRequest): void {
  for (const waiting of costed.queue) {
    const isAskers = waiting.invocation === request.invocation;
    if (isAskers ? !grants.give(waiting) : !grants.leaveRoom(waiting)) return;
  }
}

/** While the circuit is open one call finds out whether the target is back: whoever asks first. */
function grantProbe(costed: Costed, grants: Grants, request: CostedRequest): void {
  const first = costed.queue.find((waiting) => waiting.invocation === request.invocation);
  if (first !== undefined) grants.giveProbe(first);
}

/** What one answer grants, call by call. */
class Grants {
  readonly granted: CostedAnswer["granted"][number][] = [];
  readonly #impossible: CostedAnswer["impossible"][number][] = [];
  readonly #request: CostedRequest;
  #quota: Quota;
  /** The quota as it would be if those ahead who have not asked now had been granted theirs. */
  #shadow: Quota;
  #outlay: Outlay;
  #passed: BudgetKey | null = null;
  #askAgainInMs: number;

  constructor(quota: Quota, request: CostedRequest) {
    this.#request = request;
    this.#quota = quota;
    this.#shadow = quota;
    this.#outlay = request.outlay;
    this.#askAgainInMs = request.pollMs;
  }

  isAnswered({ invocation, call }: Waiting): boolean {
    if (invocation !== this.#request.invocation) return false;
    return this.granted.some((one) => one.call === call) || this.#impossible.some((one) => one.call === call);
  }

  deferTo(untilMs: number): void {
    this.#askAgainInMs = Math.max(0, Math.min(untilMs - this.#request.nowMs, this.#request.pollMs));
  }

  /** False: nobody behind can be granted anything either. */
  give(waiting: Waiting): boolean {
    const cost = this.#costOf(waiting);
    if (cost === null) {
      this.#refuse(waiting);
      return true;
    }
    const shadow = reserveCosted(this.#shadow, cost, this.#request);
    if (shadow.kind === "deferred") {
      this.#askAgainInMs = shadow.askAgainInMs;
      return false;
    }
    if (!this.#isWithinBudget(cost)) return false;
    const real = reserveCosted(this.#quota, cost, this.#request);
    if (real.kind === "deferred") return false;
    this.#shadow = shadow.quota;
    this.#quota = real.quota;
    this.#outlay = withCall(this.#outlay, cost, this.#request.price);
    this.granted.push({ call: waiting.call, inMs: real.inMs, cost, probe: false });
    return true;
  }

  /** One that asks elsewhere comes first. False: it does not fit any more, and so nobody behind it does. */
  leaveRoom(waiting: Waiting): boolean {
    const cost = this.#costOf(waiting);
    if (cost === null) return true;
    const shadow = reserveCosted(this.#shadow, cost, this.#request);
    if (shadow.kind === "granted") this.#shadow = shadow.quota;
    else this.#askAgainInMs = shadow.askAgainInMs;
    return shadow.kind === "granted";
  }

  giveProbe(waiting: Waiting): void {
    if (!this.give(waiting)) return;
    const [only] = this.granted;
    if (only === undefined) return;
    this.granted[0] = { ...only, probe: true };
    const { nowMs, invocation } = this.#request;
    const usableUntilMs = nowMs + only.inMs + this.#graceMs();
    const circuit = sendProbe(this.#quota.circuit, {
      nowMs,
      holder: invocation,
      usableUntilMs,
      callTimeoutMs: 0,
    });
    this.#quota = { ...this.#quota, circuit };
  }

  end(): CostedGrants {
    const answer: CostedAnswer = {
      granted: this.granted,
      graceMs: this.#graceMs(),
      impossible: this.#impossible,
      askAgainInMs: this.#askAgainInMs,
    };
    return { quota: this.#quota, answer, passed: this.#passed };
  }

  #graceMs(): number {
    return effectiveRate(this.#quota) === null ? COSTED_GRACE_MS : graceMs(this.#quota.settings);
  }

  /** Null: more than the target ever tolerates at once. */
  #costOf(waiting: Waiting): number | null {
    const tokens = this.#quota.tokens ?? null;
    const cost = reservationOf(tokens, waiting);
    return tokens !== null && cost > mostPerCall(tokens) ? null : cost;
  }

  #refuse(waiting: Waiting): void {
    const tokens = this.#quota.tokens ?? null;
    if (tokens === null) return;
    const cost = reservationOf(tokens, waiting);
    const most = mostPerCall(tokens).toLocaleString("en-US");
    const bound =
      tokens.settings.burst === null ? "what a minute of quota.tokens brings" : "quota.tokenBurst";
    const message =
      `needs ${cost.toLocaleString("en-US")} tokens (${waiting.input.toLocaleString("en-US")} in, ` +
      `${(cost - waiting.input).toLocaleString("en-US")} reserved for the answer), more than ${most}, ${bound}`;
    this.#impossible.push({ call: waiting.call, message });
  }

  #isWithinBudget(cost: number): boolean {
    const { budget, price } = this.#request;
    if (budget === null) return true;
    this.#passed = passedBy(budget, withCall(this.#outlay, cost, price));
    return this.#passed === null;
  }
}

type ReservedCosted =
  | { readonly kind: "granted"; readonly inMs: number; readonly quota: Quota }
  | { readonly kind: "deferred"; readonly askAgainInMs: number };

/** One permit in every dimension there is. */
function reserveCosted(
  quota: Quota,
  cost: number,
  { nowMs, leadMs, pollMs, endsInMs = DEPTH_MS }: CostedRequest,
): ReservedCosted {
  const depthMs = Math.min(DEPTH_MS, endsInMs);
  if (leadMs > depthMs) return { kind: "deferred", askAgainInMs: pollMs };
  const rate = effectiveRate(quota);
  const tokens = quota.tokens ?? null;
  const requests: Dimension | null =
    rate === null ? null : { ...quota.tat, intervalMs: emissionIntervalMs(rate), cost: 1, burst: null };
  const dimensions = [
    ...(requests === null ? [] : [requests]),
    ...(tokens === null || cost === 0 ? [] : [tokenDimension(tokens, cost)]),
  ];
  const toldMs = Math.max(
    quota.closedUntilMs ?? 0,
    tokens === null ? 0 : (tokensNotBeforeMs(tokens, cost) ?? 0),
  );
  if (dimensions.length === 0) {
    return toldMs > nowMs + depthMs
      ? { kind: "deferred", askAgainInMs: toldMs - depthMs - nowMs }
      : { kind: "granted", inMs: Math.max(leadMs, toldMs - nowMs), quota };
  }
  const want = { nowMs, leadMs, count: 1, depthMs, notBeforeMs: toldMs };
  const reserved = reserve(dimensions, want);
  if (reserved.kind === "deferred") return reserved;
  if (reserved.kind === "impossible") throw new Error("a costed dimension has no burst");
  const tats: { requests: Tat | null; tokens: Tat | null } = {
    requests: requests === null ? null : (reserved.tats[0] ?? null),
    tokens: dimensions.length > (requests === null ? 0 : 1) ? (reserved.tats.at(-1) ?? null) : null,
  };
  return { kind: "granted", inMs: reserved.firstInMs, quota: issueCosted(quota, { cost, tats, nowMs }) };
}
