/**
 * Real lanes, invocations and a real Run core in virtual time: only the network, the store and the target are models.
 *
 * Requests take `roundTripMs`, calls `latencyMs`; each process has a clock of its own. Faults are given as functions.
 */

import type { TokenCost } from "../../src/core/limiter/tokenQuota.ts";
import type { ChunkPlan, SyncAnswer, SyncRequest } from "../../src/core/protocol.ts";
import { lanesPerInvocation } from "../../src/core/run/dispatch.ts";
import type { MemoryLedger } from "../../src/core/run/memoryLedger.ts";
import { isWorking, type Run, restartRun, resume } from "../../src/core/run/run.ts";
import { sync } from "../../src/core/run/sync.ts";
import type { Spec } from "../../src/core/spec.ts";
import type { Clock } from "../../src/lane/clock.ts";
import { Invocation } from "../../src/lane/invocation.ts";
import type { LanePorts, OpenTask } from "../../src/lane/ports.ts";
import { Tally } from "../../src/lane/report.ts";
import type { Item } from "../../src/sources/source.ts";
import { decodePart, encodePart, type PartRow, sha256Hex } from "../../src/storage/rows/parts.ts";
import type { HostNeed } from "../../src/tasks/calls/permits.ts";
import { type BatchOutcome, LaneStopped, type TaskOutcome } from "../../src/tasks/task.ts";
import { plannedRun } from "./coreRun.ts";
import { seeded, VirtualTime } from "./virtualTime.ts";

export interface WorldOptions {
  readonly items: number;
  readonly spec: Partial<Spec>;
  readonly seed?: number;
  readonly roundTripMs?: readonly [number, number];
  readonly latencyMs?: readonly [number, number];
  /** How long the calls of an item take; absent, or undefined for an item: `latencyMs`. */
  readonly callMs?: (index: number) => number | undefined;
  readonly timerLateMs?: (random: () => number) => number;
  /** How a try ends; called when its answer comes. Absent: ok. */
  readonly outcome?: (index: number, tryNumber: number, atMs: number) => TaskOutcome;
  /** What the target makes of a call on its arrival; null: it is accepted. Its refusals come back at once. */
  readonly admit?: (atMs: number, inFlight: number) => TaskOutcome | null;
  /** How long a call is on its way to the target; absent: no time. */
  readonly transitMs?: (random: () => number) => number;
  /** Items that one call carries; then `batchOutcome` tells how a call ends (absent: ok for each). */
  readonly batch?: number;
  readonly batchOutcome?: (indexes: readonly number[], callNumber: number) => BatchOutcome;
  /** What a call costs where permits have a cost of their own. */
  readonly cost?: (index: number) => TokenCost;
  /** Throws for a request that the network loses before (`request`) or after (`answer`) the Run saw it. */
  readonly network?: (which: "request" | "answer", request: SyncRequest) => void;
  /** How much longer a request is on its way. */
  readonly delayMs?: (request: SyncRequest) => number;
  /** Throws when the store refuses. */
  readonly store?: (operation: "write" | "read" | "index", atMs: number) => void;
  /** The host each item's call is for, and what the call says of it; absent: hosts are not told apart. */
  readonly need?: (index: number) => HostNeed;
  /** Calls that one try makes, one after another; absent: 1. */
  readonly callsPerTry?: number;
  /** Among how many invocations the run's lanes are divided; absent: 4. */
  readonly invocations?: number;
}

export interface Call {
  readonly index: number;
  readonly atMs: number;
  /** Of all items that the call carries. */
  readonly indexes: readonly number[];
}

const OK: TaskOutcome = { kind: "ok", value: null, status: 200 };

export class LaneWorld {
  readonly time = new VirtualTime();
  run: Run;
  readonly calls: Call[] = [];
  /** Arrivals at the target. */
  readonly answers: { readonly atMs: number; readonly isRefused: boolean }[] = [];
  #atTarget = 0;
  readonly parts = new Map<string, Uint8Array>();
  /** Times that a lane opened its task. */
  opened = 0;
  readonly indexed = new Set<string>();
  readonly requests: SyncRequest[] = [];
  readonly requestTimes: number[] = [];
  readonly random: () => number;
  readonly #options: WorldOptions;
  readonly #tries = new Map<number, number>();
  readonly #killed = new Set<number>();
  #invocations = 0;
  live = 0;

  constructor(options: WorldOptions) {
    this.#options = options;
    this.random = seeded(options.seed ?? 1);
    this.run = plannedRun(options.items, options.spec);
  }

  /** An invocation that works until it ends. */
  invoke(options: { readonly sliceMs?: number; readonly id?: string } = {}): Promise<void> {
    const number = this.#invocations++;
    const offsetMs = (this.random() - 0.5) * 7_200_000;
    const late = this.#options.timerLateMs;
    const lateMs = late === undefined ? () => 0 : () => late(this.random);
    const process = new Process(this.time, () => this.#killed.has(number));
    const clock = process.clock(offsetMs, this.random, lateMs);
    const invocation = new Invocation({
      clock,
      sync: (request) => this.#sync(request, process),
      ports: this.#ports(process),
      id: options.id ?? `invocation ${number}`,
      queue: number % 4,
      generation: this.run.state.generation,
      lanes: (maxParallelism) => lanesPerInvocation("1", maxParallelism, this.#options.invocations ?? 4),
      sliceMs: options.sliceMs ?? 3_600_000,
      tally: new Tally(),
    });
    this.live += 1;
    return invocation.run().finally(() => {
      this.live -= 1;
    });
  }

  /** Keeps `count` invocations going until the run is done: one that ends has a successor. */
  keep(count: number, sliceMs?: number): void {
    const next = (): void => {
      if (!isWorking(this.run)) return;
      void this.invoke(sliceMs === undefined ? {} : { sliceMs }).then(next);
    };
    for (let i = 0; i < count; i++) next();
  }

  /** The invocation's process dies: its timers, calls and requests come to nothing. */
  kill(number: number): void {
    this.#killed.add(number);
    this.live -= 1;
  }

  /** The process dies with all its invocations, and the run is resumed in the next one. */
  resumeElsewhere(): void {
    for (let number = 0; number < this.#invocations; number++) this.#killed.add(number);
    this.live = 0;
    const { state, semaphore, ledger } = this.run;
    const tables = { semaphore, ledger, lanesPerInvocation: () => 5 };
    this.run = restartRun(structuredClone(state), tables, this.time.nowMs);
    resume(this.run, `${Number(state.generation) + 1}`, this.time.nowMs);
  }

  /** Runs until every invocation has ended. */
  async untilEnded(limitMs = 600_000): Promise<void> {
    await this.time.runUntil(() => this.live === 0, limitMs);
  }

  callTimes(): number[] {
    return this.calls.map((call) => call.atMs);
  }

  /** The rows that count, by the ledger of parts. */
  rows(): PartRow[] {
    const ledger = this.run.ledger as MemoryLedger;
    return [...ledger.parts.values()].flatMap(({ part }) => {
      const bytes = this.parts.get(part.key);
      if (bytes === undefined) throw new Error(`committed part ${part.key} is not in the store`);
      return decodePart(bytes);
    });
  }

  async #sync(request: SyncRequest, process: Process): Promise<SyncAnswer> {
    const copy = structuredClone(request);
    this.requests.push(copy);
    this.requestTimes.push(this.time.nowMs);
    await this.time.sleep(this.#trip() + (this.#options.delayMs?.(copy) ?? 0));
    this.#options.network?.("request", copy);
    const answer = structuredClone(sync(this.run, copy, this.time.nowMs, this.time.nowMs).answer);
    await process.sleep(this.#trip());
    this.#options.network?.("answer", copy);
    return answer;
  }

  #trip(): number {
    return between(this.#options.roundTripMs ?? [2, 6], this.random) / 2;
  }

  #ports(process: Process): LanePorts {
    return {
      hash: sha256Hex,
      writePart: async (key, bytes) => {
        await process.sleep(3);
        this.#options.store?.("write", this.time.nowMs);
        if (this.parts.has(key)) return { kind: "exists" };
        this.parts.set(key, bytes);
        return { kind: "written" };
      },
      readPart: async (key) => {
        await process.sleep(3);
        this.#options.store?.("read", this.time.nowMs);
        const bytes = this.parts.get(key);
        if (bytes === undefined) return null;
        return { rows: decodePart(bytes), bytes: bytes.byteLength, sha256: await sha256Hex(bytes) };
      },
      indexPart: async (_settings, part) => {
        await process.sleep(3);
        this.#options.store?.("index", this.time.nowMs);
        this.indexed.add(part.key);
      },
      read: (_settings, chunk, from) => this.#read(chunk, from.ordinal),
      openTask: async () => {
        this.opened += 1;
        return {
          run: async ({ index, permits, signal }) => {
            for (let calls = 1; ; ) {
              const { need, cost } = this.#options;
              const permit = await permits.take(signal, need?.(index), cost?.(index));
              if (!permit.use()) continue;
              const outcome = await this.#call(index, signal, process);
              permit.done();
              if (calls === (this.#options.callsPerTry ?? 1)) return outcome;
              calls += 1;
            }
          },
          ...this.#batch(process),
          mask: (text) => text,
          close: async () => {},
        };
      },
    };
  }

  #batch(process: Process): Pick<OpenTask, "batch"> {
    const { batch: most } = this.#options;
    if (most === undefined) return {};
    return {
      batch: {
        most,
        run: async ({ items, permits, signal }) => {
          for (;;) {
            const permit = await permits.take(signal, this.#options.need?.(items[0]?.index ?? 0));
            if (!permit.use()) continue;
            const indexes = items.map((item) => item.index);
            this.calls.push({ index: indexes[0] ?? -1, atMs: this.time.nowMs, indexes });
            const callNumber = this.calls.length;
            await process.sleep(between(this.#options.latencyMs ?? [25, 75], this.random));
            permit.done();
            if (signal.aborted) throw new LaneStopped();
            const outcome = this.#options.batchOutcome?.(indexes, callNumber);
            return outcome ?? { kind: "each", outcomes: indexes.map(() => OK) };
          }
        },
      },
    };
  }

  async *#read(chunk: ChunkPlan, from: number): AsyncIterableIterator<Item> {
    for (let ordinal = from; ordinal < chunk.count; ordinal++) {
      const index = chunk.indexes?.[ordinal] ?? chunk.first + ordinal;
      yield { index, ordinal, position: index, value: `item ${index}` };
    }
  }

  async #call(index: number, signal: AbortSignal, process: Process): Promise<TaskOutcome> {
    this.calls.push({ index, atMs: this.time.nowMs, indexes: [index] });
    const tryNumber = (this.#tries.get(index) ?? 0) + 1;
    this.#tries.set(index, tryNumber);
    const transitMs = this.#options.transitMs?.(this.random) ?? 0;
    if (transitMs > 0) await process.sleep(transitMs);
    const refusal = this.#options.admit?.(this.time.nowMs, this.#atTarget) ?? null;
    this.answers.push({ atMs: this.time.nowMs, isRefused: refusal !== null });
    if (refusal !== null) {
      await process.sleep(1);
      if (signal.aborted) throw new LaneStopped();
      return refusal;
    }
    this.#atTarget += 1;
    const latencyMs = between(this.#options.latencyMs ?? [25, 75], this.random);
    await process.sleep(this.#options.callMs?.(index) ?? latencyMs);
    this.#atTarget -= 1;
    if (signal.aborted) throw new LaneStopped();
    return this.#options.outcome?.(index, tryNumber, this.time.nowMs) ?? OK;
  }
}

/** A process that may die: then nothing in it goes on. */
class Process {
  readonly #time: VirtualTime;
  readonly #isDead: () => boolean;

  constructor(time: VirtualTime, isDead: () => boolean) {
    this.#time = time;
    this.#isDead = isDead;
  }

  clock(offsetMs: number, random: () => number, lateMs: () => number): Clock {
    const clock = this.#time.clock(offsetMs, random, lateMs);
    return { ...clock, after: (ms, act) => clock.after(ms, () => this.#isDead() || act()) };
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.#time.after(ms, () => this.#isDead() || resolve()));
  }
}

/** A part as another lane would have written it. */
export function foreignPart(rows: readonly number[]): Uint8Array {
  return encodePart(
    rows.map((index) => ({
      index,
      ok: true,
      line: JSON.stringify({
        index,
        item: `item ${index}`,
        ok: true,
        attempts: 1,
        throttles: 0,
        value: "foreign",
      }),
    })),
  );
}

function between([least, most]: readonly [number, number], random: () => number): number {
  return least + (most - least) * random();
}
