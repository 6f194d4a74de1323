/**
 * The process that the Run lives in: the real driver on a ledger in memory, with an alarm and clocks of its own.
 *
 * What the driver stores survives a restart; everything else is lost whenever that comes. Its clock may be set.
 */
import { CHUNKS_PER_PLAN_CALL, ERRANDS_QUEUE } from "../core/limits.ts";
import type { ChunkPlan, PartMeta, SyncAnswer, SyncRequest } from "../core/protocol.ts";
import type { MemoryLedger } from "../core/run/memoryLedger.ts";
import * as core from "../core/run/run.ts";
import { isEnded } from "../core/run/runView.ts";
import type { Synced } from "../core/run/sync.ts";
import { why } from "../core/run/why.ts";
import { errandMoved } from "../core/run/work.ts";
import type { ClockReading } from "../core/time.ts";
import { type DriverPorts, RunDriver } from "../run/driver.ts";
import type { Bugs } from "./bugs.ts";
import type { Checks } from "./checks/checks.ts";
import type { Cancel, EventLoop } from "./eventLoop.ts";
import { MemoryStore } from "./memoryStore.ts";
import { lanesOfOne, type SimOptions } from "./options.ts";
import type { Random } from "./random.ts";

/** The time of day when a simulation begins that names none. */
const EPOCH_MS = Date.UTC(2026, 0, 1);
/** An alarm rings this late at most. */
const ALARM_LATE_MS = 50;

export type Send = (queue: number, kind: "work" | core.Errand) => void;

interface Around {
  readonly checks: Checks;
  readonly bugs: Bugs;
  readonly send: Send;
}

export class RunProcess {
  readonly #loop: EventLoop;
  readonly #random: Random;
  readonly #options: SimOptions;
  readonly #around: Around;
  readonly #store: MemoryStore;
  #driver: RunDriver;
  #generation: string;
  #wallOffsetMs = 0;
  #startedMs = 0;
  #cancelAlarm: Cancel = () => {};

  constructor(loop: EventLoop, random: Random, options: SimOptions, around: Around) {
    this.#loop = loop;
    this.#random = random;
    this.#options = options;
    this.#around = around;
    const { runRestarts, crashes } = options.faults;
    this.#store = new MemoryStore(runRestarts !== null || crashes !== null);
    this.#generation = options.place === "embedded" ? "1" : "";
    this.#driver = this.#drive();
    const { spec } = options;
    this.#driver.create({
      runId: "r_sim",
      rootId: "r_sim",
      parentRunId: null,
      spec,
      itemSource: spec.source,
      generation: this.#generation,
      createdAtMs: this.#epochMs,
    });
  }

  get #epochMs(): number {
    return this.#options.epochMs ?? EPOCH_MS;
  }

  get run(): core.Run {
    const { run } = this.#driver;
    if (run === null) throw new Error("the run of a simulation is never deleted");
    return run;
  }

  get ledger(): MemoryLedger {
    return this.#store.ledger;
  }

  /** Of the process: the run may be another's. */
  get generation(): string {
    return this.#generation;
  }

  get isEnded(): boolean {
    return isEnded(this.run.state.status);
  }

  /** It waits for people. */
  get isWaiting(): boolean {
    return !this.isEnded && !core.isWorking(this.run) && this.run.state.status !== "finishing";
  }

  why(): string {
    return why(this.run, { nowMs: this.#driver.now(), wallMs: this.#driver.wallMs(), driven: true });
  }

  sync(request: SyncRequest): SyncAnswer {
    const answer = this.#driver.sync(request);
    if (answer === null) throw new Error("the run of a simulation is never deleted");
    return answer;
  }

  /** What people do, and the errands. */
  change(act: (run: core.Run, nowMs: number) => void): void {
    this.#driver.change(act);
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
    this.change((run) => core.finished(run, this.#driver.wallMs()));
  }

  /**
   * Another process takes the Run over from what was stored. `wallStepMs`: how its wall clock differs; `generation`:
   * another embedding process, which drives nothing before a run is resumed in it.
   */
  restart(wallStepMs: number, generation = this.#generation): void {
    this.#generation = generation;
    this.#wallOffsetMs = wallStepMs;
    this.#startedMs = this.#loop.nowMs;
    this.#driver = this.#drive();
  }

  /** Somebody sets the clock of the machine. Where the product runs, what is called monotonic follows it. */
  setClock(byMs: number): void {
    this.#wallOffsetMs += byMs;
    this.#startedMs -= byMs;
  }

  /** Why the run has not ended, for people. */
  pending(): string {
    const { state, semaphore, dispatch } = this.run;
    const { chunks, counts } = state;
    return (
      `status ${state.status}${state.reason === null ? "" : ` (${state.reason})`}, ` +
      `${chunks.done} of ${chunks.total} chunks and ${counts.done} of ${this.#options.items} items done, ` +
      `${semaphore.live.size} leases, ${dispatch.offers.length} offers out, ${state.unindexed} parts unindexed`
    );
  }

  #drive(): RunDriver {
    const generation = this.#generation;
    const { send, bugs } = this.#around;
    const ports: DriverPorts = {
      ledger: this.#store.ledger,
      generation,
      lanesPerInvocation: (maxParallelism) => lanesOfOne(this.#options, generation, maxParallelism),
      reading: () => this.#reading(),
      store: (change) => this.#store.store(change),
      send: (queue, kind) => send(queue === "errands" ? ERRANDS_QUEUE : queue, kind),
      setAlarm: (atMs) => this.#setAlarm(atMs),
      stored: (run) => bugs.afterEvent(run),
    };
    return new WatchedDriver(ports, this.#store, this.#around);
  }

  #setAlarm(atMs: number): void {
    const inMs = Math.max(0, atMs - this.#reading().wallMs) + this.#random.between(0, ALARM_LATE_MS);
    this.#cancelAlarm();
    this.#cancelAlarm = this.#loop.after(inMs, () => this.#driver.wake());
  }

  #reading(): ClockReading {
    return {
      wallMs: this.#epochMs + this.#loop.nowMs + this.#wallOffsetMs,
      monotonicMs: this.#loop.nowMs - this.#startedMs,
    };
  }
}

/** The checkers see every request, and a planted bug its answer. */
class WatchedDriver extends RunDriver {
  readonly #around: Around;

  constructor(ports: DriverPorts, store: MemoryStore, around: Around) {
    super(ports, store.load());
    this.#around = around;
  }

  protected override get forwardLimit(): Pick<ClockReading, "forwardLimitMs"> {
    const { forwardLimitMs } = this.#around.bugs;
    return forwardLimitMs === undefined ? super.forwardLimit : { forwardLimitMs };
  }

  protected override answer(run: core.Run, request: SyncRequest, nowMs: number): Synced {
    const { checks, bugs } = this.#around;
    checks.beforeSync(run, request);
    const synced = bugs.sync(run, request, nowMs, this.wallMs());
    checks.afterSync(run, request, synced.answer);
    return synced;
  }
}
