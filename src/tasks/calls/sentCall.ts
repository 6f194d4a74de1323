/**
 * Calls that left: a request of ours, or a call that its task makes by itself. Each holds its permit until it is over,
 * and ends when its lane has to stop.
 */

import { CallFailed, CallTimedOut, LaneStopped } from "../task.ts";
import type { ResolvedRequest } from "./gate.ts";
import type { Cuttable, Cutter, LaneCalls } from "./laneCalls.ts";
import type { Permit } from "./permits.ts";
import { explain } from "./reach.ts";
import type { Limited, TimeLimit } from "./timeLimits.ts";

/** What a try knows of a call that left. */
export interface SentCall {
  readonly timedOut: boolean;
  readonly wasStopped: boolean;
  readonly timeoutMs: number;
  endIfAnswered(): void;
  end(): void;
}

/** One call that is not a request of ours: its task looks after its time. */
export class ForeignCall<T> implements SentCall, Cuttable {
  readonly answer: Promise<T>;
  readonly timedOut = false;
  readonly timeoutMs = Number.POSITIVE_INFINITY;
  wasStopped = false;
  #answered = false;
  #ended = false;
  #reject: (fault: LaneStopped) => void = () => {};
  readonly #permit: Permit;
  readonly #calls: LaneCalls;

  constructor(leave: () => Promise<T>, permit: Permit, calls: LaneCalls) {
    this.#permit = permit;
    this.#calls = calls;
    calls.began(this);
    this.answer = this.#send(leave);
  }

  /** Runs synchronously up to the call's leaving. */
  async #send(leave: () => Promise<T>): Promise<T> {
    const stopped = new Promise<never>((_, reject) => {
      this.#reject = reject;
    });
    try {
      return await Promise.race([leave(), stopped]);
    } finally {
      this.#answered = true;
    }
  }

  onStop(): void {
    this.wasStopped = true;
    this.#reject(new LaneStopped());
  }

  endIfAnswered(): void {
    if (this.#answered) this.end();
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#calls.over(this);
    this.#permit.done();
  }
}

/** Lets a request leave, in the step in which it is called. */
export type Send = (request: ResolvedRequest, signal: AbortSignal) => Promise<Response>;

/** The way out of the runtime: the global `fetch`, or what a binding gives. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** Lets a request leave by `way`. */
export function sendBy(way: Fetch): Send {
  return ({ url, method, headers, body }, signal) =>
    way(url, { method, headers, body, redirect: "manual", signal });
}

/** What cannot be cut off is left alone. */
export function untilAborted<T>(pending: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    pending.then(resolve, reject);
  });
}

/** One request that left. */
export class Call implements SentCall, Cuttable, Limited {
  readonly answer: Promise<Response>;
  readonly timeoutMs: number;
  timedOut = false;
  wasStopped = false;
  #answered = false;
  #ended = false;
  readonly #permit: Permit;
  readonly #calls: LaneCalls;
  readonly #cutter: Cutter;
  readonly #limit: TimeLimit;

  constructor(request: ResolvedRequest, send: Send, permit: Permit, calls: LaneCalls) {
    this.timeoutMs = request.timeoutMs;
    this.#permit = permit;
    this.#calls = calls;
    this.#cutter = calls.takeCutter();
    this.#limit = calls.limits.begin(this, request.timeoutMs);
    calls.began(this);
    this.answer = this.#send(request, send);
  }

  /** Runs synchronously up to the request's leaving. */
  async #send(request: ResolvedRequest, send: Send): Promise<Response> {
    try {
      const response = await send(request, this.#cutter.signal);
      this.#answered = true;
      const passing = this.#permit.giveWay();
      if (passing !== null) await passing;
      return response;
    } catch (fault) {
      this.end();
      if (this.wasStopped) throw new LaneStopped();
      throw await this.#noAnswer(fault, request.url);
    }
  }

  /** There was no answer: why, as far as somebody can tell. */
  async #noAnswer(fault: unknown, url: string): Promise<Error> {
    const reach = await this.#calls.look(url);
    if (this.#calls.signal.aborted) return new LaneStopped();
    if (this.timedOut && (reach === null || reach.kind === "reached"))
      return new CallTimedOut(this.timeoutMs);
    const { message, isUnreached } = explain(fault, url, reach);
    return new CallFailed(message, isUnreached, reach?.kind === "reached" && reach.isElsewhere === true);
  }

  onTimeout(): void {
    this.timedOut = true;
    this.#cutter.cut(new CallTimedOut(this.timeoutMs));
  }

  onStop(): void {
    this.wasStopped = true;
    this.#cutter.cut(new LaneStopped());
  }

  /** A try that makes another request has done with an answer it got. */
  endIfAnswered(): void {
    if (this.#answered) this.end();
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#limit.leave(this);
    this.#calls.over(this);
    this.#calls.giveBack(this.#cutter);
    this.#permit.done();
  }
}
