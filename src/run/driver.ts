/**
 * The driver of a run: loads, asks the core, stores, then acts. What it needs of the world stands behind ports, so the
 * Run object and the simulator are two users of one driver.
 *
 * Invariants: nothing is awaited between reading and writing state, so each method is one transaction. Leases, chunks
 * and parts are written in the event that changed them, and the state document with them; for an event that changed
 * nothing durable the document is written at most once in `SAVE_MS`, or when the limiter's stored high-water mark moved.
 * A restart can lose counters, never rows, leases or issued instants. Messages leave after the writes and may be lost:
 * the alarm repeats them.
 */
import { forgetPlaces } from "../core/limiter/calendar.ts";
import { forgetHosts } from "../core/limiter/hostQuota.ts";
import { afterLeap } from "../core/limiter/quota.ts";
import { LEASE_RENEW_MS } from "../core/limits.ts";
import type { SyncAnswer, SyncRequest } from "../core/protocol.ts";
import type { Totals } from "../core/reduce/reduce.ts";
import type { Ledger } from "../core/run/ledger.ts";
import * as core from "../core/run/run.ts";
import { createSemaphore, type LeaseRecord, restore, type Semaphore } from "../core/run/semaphore.ts";
import { sync } from "../core/run/sync.ts";
import { askDue, hearTarget, loseAsk } from "../core/run/targetAsk.ts";
import { wakeAtMs, work } from "../core/run/work.ts";
import type { TargetAnswer, TargetAsk } from "../core/target/targetProtocol.ts";
import { type ClockReading, type RunClock, readClock, startClock } from "../core/time.ts";

/** Lanes that hold instants ask more often than this: a longer silence may be a clock that was set. */
const LEAP_MS = 1500;
/** Counters of requests that only ask are stored this often. */
const SAVE_MS = 1000;
/** An alarm is not set for sooner than this: the present event is still being answered. */
const SOONEST_ALARM_MS = 20;
/** What a message in a queue costs: it is written, read and deleted. */
const QUEUE_OPERATIONS_PER_MESSAGE = 3;

/** What is stored of a lease: its term begins anew with a restart. */
export type StoredLease = Pick<LeaseRecord, "fence" | "chunk" | "invocation" | "generation" | "helps">;

/** A run as a former process stored it. */
export interface StoredRun {
  readonly state: core.RunState;
  readonly clock: RunClock;
  readonly leases: readonly StoredLease[];
  /** Null: the run has no `reduce`, or no part yet. */
  readonly totals: Totals | null;
}

/** What one event changed; chunks and parts are written by the ledger itself. */
export interface Change {
  readonly begun: readonly StoredLease[];
  /** Fences of the leases that are over. */
  readonly ended: readonly number[];
  /** The state document is due: `run.state`, `run.totals` and the clock; null: it stays as it is stored. */
  readonly document: { readonly run: core.Run; readonly clock: RunClock } | null;
}

/** What the driver needs of the world. No method throws for a fault that can be repaired by repeating. */
export interface DriverPorts {
  readonly ledger: Ledger;
  /** The embedding process; "" when deployed. Only its own runs are driven. */
  readonly generation: string;
  /** Lanes that one invocation holds at most. */
  readonly lanesPerInvocation: (maxParallelism: number) => number;
  /** The clocks of the process; `wallMs` in milliseconds since 1970. */
  reading(): ClockReading;
  /** Writes a change, whole or not at all. */
  store(change: Change): void;
  /** Sends a message; it may be lost. */
  send(queue: "errands" | number, kind: "work" | core.Errand): void;
  /** Sets the alarm, in place of the one that is set. `atMs` is an instant of the wall clock. */
  setAlarm(atMs: number): void;
  /**
   * Sends an ask to the run's named target; `answered` is called once, with null where none came in `TARGET_SILENT_MS`.
   * Absent: there are no targets, and a run that names one waits for ever.
   */
  askTarget?(name: string, ask: TargetAsk, answered: (answer: TargetAnswer | null) => void): void;
  /** Everything of an event is stored and sent, and the alarm is not set yet. */
  stored(run: core.Run): void;
}

export class RunDriver {
  /** Null: there is none, or none any more. */
  run: core.Run | null = null;
  readonly #ports: DriverPorts;
  #clock: RunClock;
  /** Fences of stored leases. */
  readonly #fences = new Set<number>();
  #savedAtMs = 0;
  /** Version of the quota that is stored: a newer one is stored before its answer leaves. */
  #savedVersion = 0;
  /** Wall-clock instant the alarm is set for; null when unknown or none. */
  #alarmAtMs: number | null = null;

  constructor(ports: DriverPorts, stored: StoredRun | null) {
    this.#ports = ports;
    this.#clock = startClock(stored?.clock ?? null, ports.reading());
    if (stored !== null) this.#load(stored);
  }

  /** The run clock, ms: never goes back. */
  now(): number {
    const beforeMs = this.#clock.lastMs;
    this.#clock = readClock(this.#clock, { ...this.#ports.reading(), ...this.forwardLimit });
    const nowMs = this.#clock.lastMs;
    if (this.run !== null && nowMs - beforeMs > LEAP_MS) {
      this.run.state.quota = afterLeap(this.run.state.quota, beforeMs, nowMs);
      forgetHosts(this.run.hosts, nowMs);
      forgetPlaces(this.run.calendar);
    }
    return nowMs;
  }

  wallMs(): number {
    return this.#ports.reading().wallMs;
  }

  /** This process drives the run. */
  get isDriven(): boolean {
    return this.run !== null && this.run.state.generation === this.#ports.generation;
  }

  /** The run begins. Its state is new: there is none yet. */
  create(input: core.CreateRun): void {
    const nowMs = this.now();
    const state = core.createState(input, nowMs);
    this.run = core.startRun(state, this.#tables(createSemaphore(1, state.lingerMs)), nowMs);
    this.afterEvent();
  }

  /** The run is deleted: nothing is written any more. */
  forget(): void {
    this.run = null;
  }

  /** Null: there is no run. */
  sync(request: SyncRequest): SyncAnswer | null {
    const { run } = this;
    if (run === null) return null;
    this.count("object");
    const { answer, isDurable } = this.answer(run, request, this.now());
    this.afterEvent(isDurable);
    return answer;
  }

  /** Something is done to the run that has to be stored. */
  change(act: (run: core.Run, nowMs: number) => void): void {
    if (this.run === null) return;
    this.count("object");
    act(this.run, this.now());
    this.afterEvent();
  }

  /** The alarm rings, which is set no longer. */
  wake(): void {
    this.count("object");
    this.#alarmAtMs = null;
    this.afterEvent();
  }

  /** A request to the object, or a row the platform writes for it (an alarm): counted for the cost model. */
  count(operation: "object" | "rowsWritten"): void {
    if (this.run !== null) this.run.state.operations[operation] += 1;
  }

  /** After every event: decide what has to happen, store, then let it happen. */
  afterEvent(isDurable = true): void {
    const { run } = this;
    if (run === null) return;
    const nowMs = this.now();
    const isDriven = this.isDriven;
    const { offers, errands } = isDriven ? work(run, nowMs, this.wallMs()) : { offers: [], errands: [] };
    run.state.operations.queue += (offers.length + errands.length) * QUEUE_OPERATIONS_PER_MESSAGE;
    this.#store(run, nowMs, isDurable);
    for (const queue of offers) this.#ports.send(queue, "work");
    for (const errand of errands) this.#ports.send("errands", errand);
    this.#ports.stored(run);
    if (isDriven) this.#askTarget(run, nowMs);
    const wakeMs = isDriven ? wakeAtMs(run, nowMs) : null;
    if (wakeMs !== null) this.wakeWithin(wakeMs - nowMs);
  }

  /** The alarm rings after `ms` at the latest. It is set only to ring earlier than it would: each setting is a row written. */
  wakeWithin(ms: number): void {
    const atMs = this.wallMs() + Math.max(SOONEST_ALARM_MS, ms);
    if (this.#alarmAtMs !== null && this.#alarmAtMs <= atMs) return;
    this.#alarmAtMs = atMs;
    this.count("rowsWritten");
    this.#ports.setAlarm(atMs);
  }

  /** While leases are live readings are frequent: a clock set forward must free none of them early. */
  protected get forwardLimit(): Pick<ClockReading, "forwardLimitMs"> {
    const holds = this.run !== null && this.run.semaphore.live.size > 0;
    return holds ? { forwardLimitMs: LEASE_RENEW_MS } : {};
  }

  protected answer(run: core.Run, request: SyncRequest, nowMs: number): ReturnType<typeof sync> {
    return sync(run, request, nowMs, this.wallMs());
  }

  /** Nothing waits for the answer: permits are issued by the share that is in force. */
  #askTarget(run: core.Run, nowMs: number): void {
    const ask = askDue(run, nowMs);
    if (ask === null || run.target === null) return;
    this.#ports.askTarget?.(run.target.name, ask, (answer) => {
      if (this.run !== run) return;
      if (answer === null) loseAsk(run, ask, this.now());
      else hearTarget(run, ask, answer, this.now());
      this.afterEvent(answer?.kind === "gone");
    });
  }

  #store(run: core.Run, nowMs: number, isDurable: boolean): void {
    const { begun, ended } = this.#leasesChanged(run.semaphore);
    const { version } = run.state.quota;
    const isDue = isDurable || version !== this.#savedVersion || nowMs - this.#savedAtMs >= SAVE_MS;
    if (isDue) {
      this.#savedVersion = version;
      this.#savedAtMs = nowMs;
      run.state.nextFence = run.semaphore.nextFence;
    }
    if (!isDue && begun.length === 0 && ended.length === 0) return;
    this.#ports.store({ begun, ended, document: isDue ? { run, clock: this.#clock } : null });
  }

  /** Of hundreds of leases most events change none: nothing is copied to find that out. */
  #leasesChanged({ live }: Semaphore): Pick<Change, "begun" | "ended"> {
    const ended: number[] = [];
    const begun: StoredLease[] = [];
    for (const fence of this.#fences) if (!live.has(fence)) ended.push(fence);
    for (const lease of live.values()) if (!this.#fences.has(lease.fence)) begun.push(lease);
    for (const fence of ended) this.#fences.delete(fence);
    for (const { fence } of begun) this.#fences.add(fence);
    return { begun, ended };
  }

  #load({ state, leases, totals }: StoredRun): void {
    const nowMs = this.#clock.lastMs;
    const semaphore = createSemaphore(state.nextFence, state.lingerMs);
    for (const { fence, chunk, invocation, generation, helps } of leases) {
      const lease = { fence, chunk, invocation, generation, helps };
      semaphore.nextFence = Math.max(semaphore.nextFence, fence + 1);
      restore(semaphore, { ...lease, expiresAtMs: nowMs, shedding: false, isUnhelpful: false });
      this.#fences.add(fence);
    }
    this.run = core.restartRun(state, this.#tables(semaphore), nowMs);
    if (totals !== null) this.run.totals = totals;
  }

  #tables(semaphore: Semaphore): core.Tables {
    const { ledger, lanesPerInvocation } = this.#ports;
    return { semaphore, ledger, lanesPerInvocation };
  }
}
