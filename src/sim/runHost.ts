/**
 * The Run in the simulation: loads, asks the real core, stores, then acts, as the Run object does.
 *
 * Chunks and parts are stored as they change, leases with every event, the state document by the same rule as in
 * the Run object. A restart loses everything else, whenever it comes: the limiter's unsaved steps, the answers kept for
 * repeated requests, what is known of invocations and offers.
 */
import { CHUNKS_PER_PLAN_CALL, LEASE_RENEW_MS } from "../core/limits.ts";
import type { ChunkPlan, PartMeta, SyncAnswer, SyncRequest } from "../core/protocol.ts";
import { MemoryLedger } from "../core/run/memoryLedger.ts";
import * as core from "../core/run/run.ts";
import { isEnded } from "../core/run/runView.ts";
import { createSemaphore, restore, type Semaphore } from "../core/run/semaphore.ts";
import { why } from "../core/run/why.ts";
import { errandMoved, wakeAtMs, work } from "../core/run/work.ts";
import { type ClockReading, type RunClock, readClock, startClock } from "../core/time.ts";
import type { Bugs } from "./bugs.ts";
import type { Checks } from "./checks.ts";
import type { Cancel, EventLoop } from "./eventLoop.ts";
import { lanesOfOne, type SimOptions } from "./options.ts";
import type { Random } from "./random.ts";

/** As in the Run object: counters of requests that only ask are stored this often. */
const SAVE_MS = 1000;
const SOONEST_ALARM_MS = 20;
/** The time of day when a simulation begins. */
const EPOCH_MS = Date.UTC(2026, 0, 1);

interface Saved {
  readonly state: string;
  readonly clock: RunClock;
}

interface StoredLease {
  readonly fence: number;
  readonly chunk: number;
  readonly invocation: string;
  readonly generation: string;
  readonly helps: number | null;
}

export type Send = (queue: number, kind: "work" | core.Errand) => void;

export class RunHost {
  run: core.Run;
  readonly ledger = new MemoryLedger();
  readonly #loop: EventLoop;
  readonly #random: Random;
  readonly #options: SimOptions;
  readonly #checks: Checks;
  readonly #bugs: Bugs;
  readonly #send: Send;
  readonly #leases = new Map<number, StoredLease>();
  #clock: RunClock;
  /** The generation of the process the Run lives in: only its own runs are driven. */
  #processGeneration: string;
  #wallOffsetMs = 0;
  #startedMs = 0;
  #saved: Saved | null = null;
  #savedAtMs = 0;
  #savedVersion = 0;
  #alarmAtMs: number | null = null;
  #cancelAlarm: Cancel = () => {};

  constructor(
    loop: EventLoop,
    random: Random,
    options: SimOptions,
    world: { readonly checks: Checks; readonly bugs: Bugs; readonly send: Send },
  ) {
    this.#loop = loop;
    this.#random = random;
    this.#options = options;
    this.#checks = world.checks;
    this.#bugs = world.bugs;
    this.#send = world.send;
    this.#clock = startClock(null, this.#reading());
    const state = core.createState(
      {
        runId: "r_sim",
        rootId: "r_sim",
        parentRunId: null,
        spec: options.spec,
        itemSource: options.spec.source,
        generation: options.place === "embedded" ? "1" : "",
        createdAtMs: EPOCH_MS,
      },
      this.nowMs(),
    );
    this.#processGeneration = state.generation;
    this.run = core.startRun(state, this.#tables(createSemaphore()), this.nowMs());
  }

  /** The run clock. */
  nowMs(): number {
    // As in the Run object: while leases are live a clock set forward frees none of them early.
    const limit = this.#leases.size > 0 ? { forwardLimitMs: LEASE_RENEW_MS } : {};
    this.#clock = readClock(this.#clock, { ...this.#reading(), ...limit });
    return this.#clock.lastMs;
  }

  wallMs(): number {
    return this.#reading().wallMs;
  }

  get generation(): string {
    return this.#processGeneration;
  }

  get isEnded(): boolean {
    return isEnded(this.run.state.status);
  }

  /** It waits for people. */
  get isWaiting(): boolean {
    return !this.isEnded && !core.isWorking(this.run) && this.run.state.status !== "finishing";
  }

  why(): string {
    return why(this.run, { nowMs: this.nowMs(), wallMs: this.wallMs(), driven: true });
  }

  /** Lets the run begin. */
  start(): void {
    this.#after(false);
  }

  sync(request: SyncRequest): SyncAnswer {
    const nowMs = this.nowMs();
    this.#checks.beforeSync(this.run, request);
    const answer = this.#bugs.sync(this.run, request, nowMs, this.wallMs());
    this.#checks.afterSync(this.run, request, answer);
    const isQuiet =
      request.commits.length === 0 &&
      request.indexed.length === 0 &&
      request.announce.length === 0 &&
      request.capacity > 0 &&
      answer.leases.length === 0 &&
      answer.lost.length === 0;
    this.#after(isQuiet);
    return answer;
  }

  /** What people do, and the errands. */
  change(act: (run: core.Run, nowMs: number) => void): void {
    act(this.run, this.nowMs());
    this.#after(false);
  }

  /** Chunks up to `CHUNKS_PER_PLAN_CALL`, as a planner would send them. False: nothing is left to plan. */
  plan(): boolean {
    const { state } = this.run;
    if (state.plan.complete || !core.isWorking(this.run)) return false;
    const at = state.chunks.total;
    const size = state.spec.chunkSize;
    const { items } = this.#options;
    const chunks: ChunkPlan[] = [];
    let first = at * size;
    for (; first < items && chunks.length < CHUNKS_PER_PLAN_CALL; first += size)
      chunks.push({ first, count: Math.min(size, items - first), position: "" });
    const cursor = first < items ? String(first) : null;
    this.change((run, nowMs) => {
      core.addChunks(run, { at, chunks, cursor });
      errandMoved(run, "plan", nowMs);
    });
    return cursor !== null;
  }

  unindexed(limit: number): readonly PartMeta[] {
    const parts: PartMeta[] = [];
    for (const stored of this.ledger.parts.values()) {
      if (!stored.indexed) parts.push(stored.part);
      if (parts.length === limit) break;
    }
    return parts;
  }

  markIndexed(parts: readonly PartMeta[]): void {
    this.change((run, nowMs) => core.markIndexed(run, parts, nowMs));
  }

  canFinish(): boolean {
    const { run } = this;
    return run.state.status === "finishing" && run.semaphore.live.size === 0 && run.state.unindexed === 0;
  }

  finished(): void {
    this.change((run) => core.finished(run, this.wallMs()));
  }

  /**
   * Another process takes the Run over from what was stored. `wallStepMs`: how its wall clock differs; `generation`:
   * another embedding process, which drives nothing before it is told to.
   */
  restart(wallStepMs: number, generation = this.#processGeneration): void {
    if (this.#saved === null) return;
    this.#processGeneration = generation;
    this.#wallOffsetMs = wallStepMs;
    this.#startedMs = this.#loop.nowMs;
    this.#clock = startClock(this.#saved.clock, this.#reading());
    const state = JSON.parse(this.#saved.state) as core.RunState;
    const nowMs = this.nowMs();
    const semaphore = createSemaphore(state.nextFence);
    for (const lease of this.#leases.values()) {
      semaphore.nextFence = Math.max(semaphore.nextFence, lease.fence + 1);
      restore(semaphore, { ...lease, expiresAtMs: nowMs, shedding: false, isUnhelpful: false });
    }
    this.run = core.restartRun(state, this.#tables(semaphore), nowMs);
    this.#savedVersion = state.quota.version;
    // The alarm is stored; the restarted object does not know it.
    this.#alarmAtMs = null;
  }

  /** Why the run has not ended, for people. */
  pending(): string {
    const { state, semaphore } = this.run;
    const { chunks, counts } = state;
    return (
      `status ${state.status}${state.reason === null ? "" : ` (${state.reason})`}, ` +
      `${chunks.done} of ${chunks.total} chunks and ${counts.done} of ${this.#options.items} items done, ` +
      `${semaphore.live.size} leases, ${this.run.dispatch.offers.length} offers out, ${state.unindexed} parts unindexed`
    );
  }

  #after(isQuiet: boolean): void {
    const nowMs = this.nowMs();
    const { run } = this;
    const isDriven = run.state.generation === this.#processGeneration;
    const effects = isDriven ? work(run, nowMs) : { offers: [], errands: [] };
    this.#save(nowMs, isQuiet);
    for (const queue of effects.offers) this.#send(queue, "work");
    for (const errand of effects.errands) this.#send(0, errand);
    this.#bugs.afterEvent(run);
    if (isDriven) this.#arm(nowMs);
  }

  /** The rule of `RunStore.save`. */
  #save(nowMs: number, isQuiet: boolean): void {
    const { run } = this;
    this.#saveLeases();
    const { version } = run.state.quota;
    if (isQuiet && version === this.#savedVersion && nowMs - this.#savedAtMs < SAVE_MS) return;
    this.#savedVersion = version;
    this.#savedAtMs = nowMs;
    run.state.nextFence = run.semaphore.nextFence;
    if (this.#mayRestart) this.#saved = { state: JSON.stringify(run.state), clock: this.#clock };
  }

  get #mayRestart(): boolean {
    const { runRestarts, crashes } = this.#options.faults;
    return runRestarts !== null || crashes !== null;
  }

  #saveLeases(): void {
    const { live } = this.run.semaphore;
    for (const fence of this.#leases.keys()) if (!live.has(fence)) this.#leases.delete(fence);
    for (const { fence, chunk, invocation, generation, helps } of live.values()) {
      if (!this.#leases.has(fence)) this.#leases.set(fence, { fence, chunk, invocation, generation, helps });
    }
  }

  #arm(nowMs: number): void {
    const wakeMs = wakeAtMs(this.run, nowMs);
    if (wakeMs === null) return;
    const atMs = this.#loop.nowMs + Math.max(SOONEST_ALARM_MS, wakeMs - nowMs);
    if (this.#alarmAtMs !== null && this.#alarmAtMs <= atMs) return;
    this.#alarmAtMs = atMs;
    this.#cancelAlarm();
    const lateMs = this.#random.between(0, 50);
    this.#cancelAlarm = this.#loop.at(atMs + lateMs, () => {
      this.#alarmAtMs = null;
      this.#after(false);
    });
  }

  #reading(): ClockReading {
    return {
      wallMs: EPOCH_MS + this.#loop.nowMs + this.#wallOffsetMs,
      monotonicMs: this.#loop.nowMs - this.#startedMs,
    };
  }

  #tables(semaphore: Semaphore): core.Tables {
    const generation = this.#options.place === "deployed" ? "" : this.#processGeneration;
    return {
      semaphore,
      ledger: this.ledger,
      lanesPerInvocation: (maxParallelism) => lanesOfOne(this.#options, generation, maxParallelism),
    };
  }
}
