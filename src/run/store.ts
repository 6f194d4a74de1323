/**
 * The run between memory and SQLite: loaded once, kept in memory, written when something changed.
 *
 * Invariant: leases, chunks, parts, totals and settings are written in the same event in which they changed. The state
 * document is written with them, and for requests that only ask at most once in `SAVE_MS` or when the limiter's stored
 * high-water mark moved: what a restart can lose is counters, never rows, leases or issued instants.
 */
import { forgetPlaces } from "../core/limiter/calendar.ts";
import { forgetHosts } from "../core/limiter/hostQuota.ts";
import { afterLeap } from "../core/limiter/quota.ts";
import { LEASE_RENEW_MS } from "../core/limits.ts";
import type { Totals } from "../core/reduce/reduce.ts";
import { type Run, type RunState, restartRun, startRun, type Tables } from "../core/run/run.ts";
import { createSemaphore, restore, type Semaphore } from "../core/run/semaphore.ts";
import { type ClockReading, type RunClock, readClock, startClock } from "../core/time.ts";
import { CountedSql } from "./countedSql.ts";
import { SqlLedger } from "./sqlLedger.ts";
import { migrate } from "./tables.ts";

/** Lanes that hold instants ask more often than this: a longer silence may be a clock that was set. */
const LEAP_MS = 1500;
/** Counters of requests that only ask are stored this often. */
const SAVE_MS = 1000;

export class RunStore {
  readonly ledger: SqlLedger;
  run: Run | null = null;
  readonly #sql: CountedSql;
  readonly #lanesPerInvocation: (maxParallelism: number) => number;
  #clock: RunClock;
  readonly #fences = new Set<number>();
  #savedAtMs = 0;
  /** Version of the quota that is stored: a newer one is stored before its answer leaves. */
  #savedVersion = 0;
  #savedSettings = 0;
  #savedTotals: Totals | null = null;

  constructor(sql: SqlStorage, lanesPerInvocation: (maxParallelism: number) => number) {
    migrate(sql);
    this.#sql = new CountedSql(sql);
    this.#lanesPerInvocation = lanesPerInvocation;
    this.ledger = new SqlLedger(this.#sql);
    const [stored] = this.#sql.all<{ run: string; clock: string; settings: string }>(
      "SELECT run, clock, settings FROM state, settings",
    );
    this.#clock = startClock(stored === undefined ? null : (JSON.parse(stored.clock) as RunClock), reading());
    if (stored !== undefined)
      this.#load({ lingerMs: 0, ...JSON.parse(stored.run), ...JSON.parse(stored.settings) } as RunState);
  }

  /** The run clock, ms: never goes back. */
  now(): number {
    // While leases are live readings are frequent: a clock set forward must free none of them early.
    const holds = this.run !== null && this.run.semaphore.live.size > 0;
    const limit = holds ? { forwardLimitMs: LEASE_RENEW_MS } : {};
    const beforeMs = this.#clock.lastMs;
    this.#clock = readClock(this.#clock, { ...reading(), ...limit });
    const nowMs = this.#clock.lastMs;
    if (this.run !== null && nowMs - beforeMs > LEAP_MS) {
      this.run.state.quota = afterLeap(this.run.state.quota, beforeMs, nowMs);
      forgetHosts(this.run.hosts, nowMs);
      forgetPlaces(this.run.calendar);
    }
    return nowMs;
  }

  create(state: RunState, nowMs: number): void {
    this.run = startRun(state, this.#tables(createSemaphore(1, state.lingerMs)), nowMs);
  }

  /** The run is deleted: nothing is written any more. */
  forget(): void {
    this.run = null;
  }

  /** A request to the object, or a row the platform writes for it (an alarm): counted for the cost model. */
  count(operation: "object" | "rowsWritten"): void {
    if (this.run !== null) this.run.state.operations[operation] += 1;
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
    this.run.state.operations.rowsWritten += this.#sql.rowsWritten;
    this.#sql.rowsWritten = 0;
    this.#saveSettings(this.run.state);
    this.#saveTotals(this.run.totals);
    this.#sql.all(
      "INSERT OR REPLACE INTO state VALUES (1, ?, ?)",
      JSON.stringify({ ...this.run.state, spec: undefined, itemSource: undefined }),
      JSON.stringify(this.#clock),
    );
  }

  #saveSettings({ settingsVersion, spec, itemSource }: RunState): void {
    if (settingsVersion === this.#savedSettings) return;
    this.#savedSettings = settingsVersion;
    this.#sql.all("INSERT OR REPLACE INTO settings VALUES (1, ?)", JSON.stringify({ spec, itemSource }));
  }

  #saveTotals(totals: Totals | null): void {
    if (totals === null || totals === this.#savedTotals) return;
    this.#savedTotals = totals;
    this.#sql.all("INSERT OR REPLACE INTO totals VALUES (1, ?)", JSON.stringify(totals));
  }

  #saveLeases({ semaphore }: Run): void {
    for (const fence of this.#fences) {
      if (semaphore.live.has(fence)) continue;
      this.#sql.all("DELETE FROM leases WHERE fence = ?", fence);
      this.#fences.delete(fence);
    }
    for (const { fence, chunk, invocation, generation, helps } of semaphore.live.values()) {
      if (this.#fences.has(fence)) continue;
      this.#sql.all("INSERT INTO leases VALUES (?, ?, ?, ?, ?)", fence, chunk, invocation, generation, helps);
      this.#fences.add(fence);
    }
  }

  #load(state: RunState): void {
    this.#savedSettings = state.settingsVersion;
    const nowMs = this.now();
    const semaphore = createSemaphore(state.nextFence, state.lingerMs);
    const leases = this.#sql.all<{
      fence: number;
      chunk: number;
      invocation: string;
      generation: string;
      helps: number | null;
    }>("SELECT * FROM leases");
    for (const lease of leases) {
      semaphore.nextFence = Math.max(semaphore.nextFence, lease.fence + 1);
      restore(semaphore, { ...lease, expiresAtMs: nowMs, shedding: false, isUnhelpful: false });
      this.#fences.add(lease.fence);
    }
    this.run = restartRun(state, this.#tables(semaphore), nowMs);
    const [stored] = this.#sql.all<{ totals: string }>("SELECT totals FROM totals");
    if (stored === undefined) return;
    this.#savedTotals = JSON.parse(stored.totals) as Totals;
    this.run.totals = this.#savedTotals;
  }

  #tables(semaphore: Semaphore): Tables {
    return { semaphore, ledger: this.ledger, lanesPerInvocation: this.#lanesPerInvocation };
  }
}

function reading(): ClockReading {
  return { wallMs: Date.now(), monotonicMs: performance.now() };
}
