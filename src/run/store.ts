/**
 * The run between memory and SQLite: loaded once, kept in memory, written when something changed.
 *
 * Invariant: leases, chunks and parts are written in the same event in which they changed. The state document
 * is written with them, and for requests that only ask at most once in `SAVE_MS` or when the limiter's stored
 * high-water mark moved: what a restart can lose is counters, never rows, leases or issued instants.
 */
import { type Run, type RunState, restartRun, startRun, type Tables } from "../core/run.ts";
import { createSemaphore, restore, type Semaphore } from "../core/semaphore.ts";
import { type ClockReading, type RunClock, readClock, startClock } from "../core/time.ts";
import { SqlLedger } from "./sqlLedger.ts";
import { migrate } from "./tables.ts";

/** Counters of requests that only ask are stored this often. */
const SAVE_MS = 1000;

export class RunStore {
  readonly ledger: SqlLedger;
  run: Run | null = null;
  readonly #sql: SqlStorage;
  readonly #lanesPerInvocation: (maxParallelism: number) => number;
  #clock: RunClock;
  readonly #fences = new Set<number>();
  #savedAtMs = 0;
  /** Version of the quota that is stored: a newer one is stored before its answer leaves. */
  #savedVersion = 0;

  constructor(sql: SqlStorage, lanesPerInvocation: (maxParallelism: number) => number) {
    migrate(sql);
    this.#sql = sql;
    this.#lanesPerInvocation = lanesPerInvocation;
    this.ledger = new SqlLedger(sql);
    const stored = sql.exec<{ run: string; clock: string }>("SELECT run, clock FROM state").toArray()[0];
    this.#clock = startClock(stored === undefined ? null : (JSON.parse(stored.clock) as RunClock), reading());
    if (stored !== undefined) this.#load(JSON.parse(stored.run) as RunState);
  }

  /** The run clock, ms: never goes back. */
  now(): number {
    this.#clock = readClock(this.#clock, reading());
    return this.#clock.lastMs;
  }

  create(state: RunState, nowMs: number): void {
    this.run = startRun(state, this.#tables(createSemaphore()), nowMs);
  }

  /** The run is deleted: nothing is written any more. */
  forget(): void {
    this.run = null;
  }

  /** Writes what changed. `isQuiet`: only counters and the limiter can have changed. */
  save(nowMs: number, isQuiet: boolean): void {
    if (this.run === null) return;
    this.#saveLeases(this.run);
    const { version } = this.run.state.quota;
    if (isQuiet && version === this.#savedVersion && nowMs - this.#savedAtMs < SAVE_MS) return;
    this.#savedVersion = version;
    this.#savedAtMs = nowMs;
    this.run.state.nextFence = this.run.semaphore.nextFence;
    this.#sql.exec(
      "INSERT OR REPLACE INTO state VALUES (1, ?, ?)",
      JSON.stringify(this.run.state),
      JSON.stringify(this.#clock),
    );
  }

  #saveLeases({ semaphore }: Run): void {
    for (const fence of this.#fences) {
      if (semaphore.live.has(fence)) continue;
      this.#sql.exec("DELETE FROM leases WHERE fence = ?", fence);
      this.#fences.delete(fence);
    }
    for (const { fence, chunk, invocation, generation } of semaphore.live.values()) {
      if (this.#fences.has(fence)) continue;
      this.#sql.exec("INSERT INTO leases VALUES (?, ?, ?, ?)", fence, chunk, invocation, generation);
      this.#fences.add(fence);
    }
  }

  #load(state: RunState): void {
    const nowMs = this.now();
    const semaphore = createSemaphore(state.nextFence);
    const leases = this.#sql.exec<{ fence: number; chunk: number; invocation: string; generation: string }>(
      "SELECT * FROM leases",
    );
    for (const lease of leases.toArray()) {
      semaphore.nextFence = Math.max(semaphore.nextFence, lease.fence + 1);
      restore(semaphore, { ...lease, expiresAtMs: nowMs, shedding: false });
      this.#fences.add(lease.fence);
    }
    this.run = restartRun(state, this.#tables(semaphore), nowMs);
  }

  #tables(semaphore: Semaphore): Tables {
    return { semaphore, ledger: this.ledger, lanesPerInvocation: this.#lanesPerInvocation };
  }
}

function reading(): ClockReading {
  return { wallMs: Date.now(), monotonicMs: performance.now() };
}
