/**
 * One try of one item, as its task sees it: the TaskContext. It owns the requests that the try made: their permits,
 * their time limits, and their end when the lane has to stop.
 */

import type { TokenCost } from "../../core/limiter/tokenQuota.ts";
import { REPEATS_MOST } from "../../core/limits.ts";
import type { RunSettings } from "../../core/protocol.ts";
import type { Browser } from "../../objects/env.ts";
import {
  BrowserMissing,
  CallFailed,
  CallTimedOut,
  isNoOutcome,
  LaneStopped,
  type NoOutcome,
  type OutgoingRequest,
  type TaskContext,
  type TaskOutcome,
  TaskSilent,
} from "../task.ts";
import type { Gate, ResolvedRequest } from "./gate.ts";
import type { KnownWay } from "./knownWay.ts";
import type { LaneCalls } from "./laneCalls.ts";
import type { Patience } from "./patience.ts";
import type { HostNeed, Permit, Permits } from "./permits.ts";
import { askBrowser } from "./rendered.ts";
import { Call, ForeignCall, type Send, type SentCall, untilAborted } from "./sentCall.ts";

interface TryInput {
  /** Of one item, or of all items of one call. */
  readonly indexes: readonly [number, ...number[]];
  readonly mayBeUnderWay: boolean;
  readonly settings: RunSettings;
  readonly laneCalls: LaneCalls;
  readonly permits: Permits;
  readonly gate: Gate;
  readonly mask: (text: string) => string;
  /** Every call is for its host. */
  readonly isPerHost: boolean;
  /** Each host stands for itself. */
  readonly isApart: boolean;
  /** Null: the task is Weir's own, whose every step has a limit. */
  readonly patience: Patience | null;
  /** How a request leaves that no browser makes, and what is known of its way. */
  readonly send: Send;
  readonly way: KnownWay;
  /** Null: pages cannot be rendered. */
  readonly browser: Browser | null;
}

/** What a request's permit is for. */
interface Wants {
  readonly need: HostNeed | undefined;
  readonly cost: TokenCost | undefined;
}

export class Try implements TaskContext {
  readonly index: number;
  readonly runId: string;
  readonly signal: AbortSignal;
  readonly mask: (text: string) => string;
  readonly mayBeUnderWay: boolean;
  readonly #input: TryInput;
  readonly #calls: SentCall[] = [];
  /** A task that swallows what is not an outcome gets none all the same. */
  #stopped: NoOutcome | null = null;
  #isOver = false;

  constructor(input: TryInput) {
    this.#input = input;
    this.index = input.indexes[0];
    this.runId = input.settings.run;
    this.signal = input.laneCalls.signal;
    this.mask = input.mask;
    this.mayBeUnderWay = input.mayBeUnderWay;
  }

  /** True when at least one request left. */
  get called(): boolean {
    return this.#calls.length > 0;
  }

  // Bound, so that a task may take them out of the context; only when asked for, because most are not.
  get fetch(): TaskContext["fetch"] {
    return (request) => this.#fetch(request);
  }

  get call(): TaskContext["call"] {
    return (leave) => this.#call(leave);
  }

  get idempotencyKey(): TaskContext["idempotencyKey"] {
    return (of) => this.#idempotencyKey(of);
  }

  async #fetch(request: OutgoingRequest): Promise<Response> {
    try {
      const resolved = this.#input.gate.resolve(request);
      const send = this.#senderOf(request);
      for (const call of this.#calls) call.endIfAnswered();
      const { permits } = this.#input;
      const cost = permits.isCosted === true ? await request.tokens?.() : undefined;
      const wants = { need: this.#needOf(request, resolved), cost };
      if (request.rendered === true) return await (await this.#leave(resolved, send, wants)).answer;
      return await this.#answerOf(resolved, wants, request.isRepeatable ?? isIdempotent(request.method));
    } catch (fault) {
      if (isNoOutcome(fault)) this.#stopped ??= fault;
      throw fault;
    }
  }

  /**
   * A call whose connection may have been used before, and ended before any byte of an answer, is repeated at once, each
   * time with a permit of its own, where a second arrival does no harm.
   */
  async #answerOf(resolved: ResolvedRequest, wants: Wants, isRepeatable: boolean): Promise<Response> {
    const { send, way } = this.#input;
    for (let repeats = 0; ; repeats++) {
      const request = way.directed(resolved);
      const call = await this.#leave(request, send, wants);
      try {
        const response = await call.answer;
        way.answered(request.url);
        return response;
      } catch (fault) {
        if (!(fault instanceof CallFailed) || repeats === REPEATS_MOST) throw fault;
        // Nobody listens where it was sent, so it was not sent.
        if (fault.isElsewhere && way.isElsewhere(request.url)) continue;
        const isLost = fault.isUnreached === false && isRepeatable;
        if (!isLost || !(await way.wasReused(request.url))) throw fault;
        if (this.signal.aborted) throw new LaneStopped();
      }
    }
  }

  async #call<T>(leave: () => Promise<T>): Promise<T> {
    try {
      for (const call of this.#calls) call.endIfAnswered();
      const call = await this.#spend((permit) => new ForeignCall(leave, permit, this.#input.laneCalls));
      return await call.answer;
    } catch (fault) {
      if (isNoOutcome(fault)) this.#stopped ??= fault;
      throw fault;
    }
  }

  #senderOf(request: OutgoingRequest): Send {
    const { browser } = this.#input;
    if (request.rendered !== true) return this.#input.send;
    if (browser === null) throw new BrowserMissing();
    return (resolved, signal) => untilAborted(askBrowser(browser, resolved), signal);
  }

  /** Absent where hosts are not told apart. */
  #needOf(request: OutgoingRequest, { url }: ResolvedRequest): HostNeed | undefined {
    const { isPerHost, isApart } = this.#input;
    if (!isPerHost && request.spacingMs === undefined) return undefined;
    const host = new URL(url).hostname.replace(/\.$/, "");
    return { host, spacingMs: request.spacingMs ?? 0, isApart };
  }

  #leave(request: ResolvedRequest, send: Send, wants: Wants): Promise<Call> {
    return this.#spend((permit) => new Call(request, send, permit, this.#input.laneCalls), wants);
  }

  async #spend<C extends SentCall>(leave: (permit: Permit) => C, wants?: Wants): Promise<C> {
    for (;;) {
      const permit = await this.#take(wants);
      if (this.signal.aborted || this.#isOver) throw new LaneStopped();
      if (!permit.use()) continue;
      // No await between `use` and here: the request leaves in this very step.
      const call = leave(permit);
      this.#calls.push(call);
      this.#input.patience?.called(call.timeoutMs);
      return call;
    }
  }

  async #take(wants: Wants | undefined): Promise<Permit> {
    const { permits, patience } = this.#input;
    // A task that was given up has no try any more: its next permit would be another item's.
    if (this.#isOver) throw new LaneStopped();
    if (patience === null) return permits.take(this.signal, wants?.need, wants?.cost);
    patience.hold();
    try {
      return await permits.take(this.signal, wants?.need, wants?.cost);
    } finally {
      patience.goOn();
    }
  }

  /** What the task comes to, or rejects when it is given up. */
  untilSettled<T>(running: Promise<T>): Promise<T> {
    return this.#input.patience?.untilSettled(running) ?? running;
  }

  async #idempotencyKey(of?: string): Promise<string> {
    const item = `${this.#input.settings.root}:${this.#input.indexes.join(",")}`;
    const name = new TextEncoder().encode(of === undefined ? item : `${item}:${of}`);
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", name));
    return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  /** A try that its lane stopped has no outcome, whatever its task made of that. */
  throwIfStopped(outcome: TaskOutcome | null): void {
    if (this.#stopped !== null) throw this.#stopped;
    if (outcome?.kind === "transient" && this.#calls.at(-1)?.wasStopped) throw new LaneStopped();
  }

  /** What the fault of a task really was: reading an answer fails in many ways when its time is over. */
  timeoutOf(fault: unknown): unknown {
    if (isNoOutcome(fault) || fault instanceof TaskSilent) return fault;
    const last = this.#calls.at(-1);
    if (last?.wasStopped) return new LaneStopped();
    return last?.timedOut === true ? new CallTimedOut(last.timeoutMs) : fault;
  }

  /** The try is over: every permit is done, no timer is left. */
  end(): void {
    this.#isOver = true;
    this.#input.patience?.end();
    for (const call of this.#calls) call.end();
  }
}

/** A second arrival changes nothing beyond the first (RFC 9110, 9.2.2). */
function isIdempotent(method: string): boolean {
  return method !== "POST" && method !== "PATCH";
}
