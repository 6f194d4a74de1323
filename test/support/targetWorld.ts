/**
 * Runs under one named target in virtual time: the real drivers of Runs and Target, with everything between them as a
 * model. Time goes in steps. A run's lanes are played by one invocation that asks for permits and writes down every
 * instant it is given, as if each of them were used.
 */

import { TARGET_SILENT_MS } from "../../src/core/limits.ts";
import type { Lease, Report } from "../../src/core/protocol.ts";
import { addChunks } from "../../src/core/run/run.ts";
import type { TargetAnswer, TargetAsk } from "../../src/core/target/targetProtocol.ts";
import { TARGET_DEFAULTS, type TargetSettings } from "../../src/core/target/targetSettings.ts";
import { RunDriver } from "../../src/run/driver.ts";
import { MemoryStore } from "../../src/sim/memoryStore.ts";
import { type TargetDocument, TargetDriver } from "../../src/target/driver.ts";
import { report, spec } from "./coreRun.ts";
import { seeded } from "./virtualTime.ts";

const STEP_MS = 5;
const SYNC_EVERY_MS = 50;
const LANES_PER_RUN = 1000;

export interface WorldOptions {
  readonly settings: Partial<TargetSettings>;
  readonly seed?: number;
  /** One way between a run and the target. */
  readonly delayMs?: readonly [number, number];
  /** Share of messages that are lost, asks and answers alike. */
  readonly loss?: number;
}

export interface RunOptions {
  readonly weight?: number;
  /** Calls per second that it can make; absent: any number. */
  readonly wants?: number;
  /** How far ahead it asks for permits; absent: 300 ms. */
  readonly aheadMs?: number;
  readonly lanes?: number;
  readonly requests?: string;
}

/** One run and its lanes. */
export class PlayedRun {
  readonly instants: number[] = [];
  /** Live lanes as the run's semaphore has them, at the end of each step. */
  lanes = 0;
  isDead = false;
  isFrozen = false;
  /** Reports of calls, beside those that were made. */
  says: Partial<Report> = {};
  wants: number;
  driver: RunDriver;
  readonly #world: TargetWorld;
  readonly #store = new MemoryStore(true);
  readonly #aheadMs: number;
  readonly #held = new Map<number, Lease>();
  #seq = 0;
  #nextSyncMs: number;
  #asked = 0;
  #askedFromMs: number;
  #made = 0;
  /** All leases are handed back, as in a pause. */
  #drains = false;

  constructor(world: TargetWorld, name: string, options: RunOptions) {
    this.#world = world;
    this.wants = options.wants ?? Number.POSITIVE_INFINITY;
    this.#aheadMs = options.aheadMs ?? 300;
    this.#nextSyncMs = world.nowMs;
    this.#askedFromMs = world.nowMs;
    this.driver = this.#begin();
    const source = { kind: "range", from: 0, to: 100_000_000 };
    this.driver.create({
      ...{
        runId: name,
        rootId: name,
        parentRunId: null,
        generation: "1",
        createdAtMs: 0,
        itemSource: source,
      },
      spec: spec({
        source,
        maxParallelism: options.lanes ?? LANES_PER_RUN,
        share: { weight: options.weight ?? 1 },
        quota: { target: "crm", requests: options.requests ?? null, burst: null },
      }),
    });
    this.driver.change((run) => {
      const chunks = Array.from({ length: 3000 }, (_, at) => ({
        first: at * 1000,
        count: 1000,
        position: "",
      }));
      addChunks(run, { at: 0, chunks, cursor: null });
    });
  }

  get id(): string {
    return this.driver.run!.state.id;
  }

  /** Its object is taken away and begins anew from what is stored. */
  restart(): void {
    this.driver = this.#begin();
    this.driver.afterEvent();
  }

  /** Instants from `fromMs` up to `toMs`, per second. */
  rate(fromMs: number, toMs: number): number {
    return (this.instants.filter((at) => at >= fromMs && at < toMs).length * 1000) / (toMs - fromMs);
  }

  step(): void {
    const { nowMs } = this.#world;
    if (this.isDead || this.isFrozen || nowMs < this.#nextSyncMs) return;
    this.#nextSyncMs = nowMs + SYNC_EVERY_MS * (0.5 + this.#world.random());
    this.#sync(this.#want());
    this.driver.wake();
    this.lanes = this.driver.run!.semaphore.live.size;
  }

  #begin(): RunDriver {
    const world = this.#world;
    const ports = {
      ledger: this.#store.ledger,
      generation: "1",
      lanesPerInvocation: (max: number) => max,
      reading: () => ({ wallMs: world.nowMs, monotonicMs: null }),
      store: (change: Parameters<MemoryStore["store"]>[0]) => this.#store.store(change),
      send: () => {},
      setAlarm: () => {},
      stored: () => {},
      askTarget: (_: string, ask: TargetAsk, answered: (answer: TargetAnswer | null) => void) =>
        world.carry(this, ask, answered),
    };
    return new RunDriver(ports, this.#store.load());
  }

  /** Lanes that can make no more calls are all in one; others wait for permits. */
  #inFlight(): number {
    return Number.isFinite(this.wants) ? LANES_PER_RUN : 0;
  }

  /** As many as bring it `aheadMs` ahead; of a run that can make only some, no more than it can. */
  #want(): number {
    const { nowMs } = this.#world;
    const last = this.instants.at(-1) ?? 0;
    const could = Math.floor(((nowMs - this.#askedFromMs) * this.wants) / 1000) - this.#asked;
    if (last - nowMs > this.#aheadMs) return 0;
    return Math.max(0, Math.min(200, Number.isFinite(could) ? could : 200));
  }

  #sync(want: number): void {
    const { nowMs } = this.#world;
    const held = [...this.#held.keys()];
    const shed = this.driver.run!.semaphore;
    const given = held.filter((fence) => this.#drains || shed.live.get(fence)?.shedding === true);
    const answer = this.driver.sync({
      invocation: "lanes",
      seq: ++this.#seq,
      queue: 0,
      generation: "1",
      capacity: LANES_PER_RUN,
      held: held.filter((fence) => !given.includes(fence)),
      want,
      report: report({
        calls: this.#made,
        answered: this.#made,
        callMs: this.#made * 50,
        inFlight: this.#inFlight(),
        ...this.says,
      }),
      commits: given.map((fence) => {
        const { chunk, checkpoint } = this.#held.get(fence)!.work;
        return { fence, chunk, part: null, checkpoint, release: true };
      }),
      indexed: [],
      announce: [],
      settingsVersion: 1,
    });
    this.says = {};
    this.#made = 0;
    if (answer === null) return;
    this.#drains = answer.kind === "drain";
    for (const fence of [...given, ...answer.lost]) this.#held.delete(fence);
    for (const lease of answer.leases) this.#held.set(lease.fence, lease);
    if (answer.grant.kind !== "granted") return;
    const { firstInMs, everyMs, count } = answer.grant;
    for (let at = 0; at < count; at++) this.instants.push(nowMs + firstInMs + at * everyMs);
    this.#asked += count;
    this.#made = count;
  }
}

export class TargetWorld {
  nowMs = 1_000_000;
  readonly random: () => number;
  readonly runs: PlayedRun[] = [];
  readonly programs: number[] = [];
  target: TargetDriver;
  isAway = false;
  /** Documents that the target wrote. */
  stored = 0;
  readonly #options: WorldOptions;
  #document: string | null = null;
  #mail: { readonly atMs: number; readonly deliver: () => void }[] = [];

  constructor(options: WorldOptions) {
    this.#options = options;
    this.random = seeded(options.seed ?? 1);
    this.target = this.#begin();
    this.target.configure({ ...TARGET_DEFAULTS, ...options.settings });
  }

  join(options: RunOptions = {}): PlayedRun {
    const run = new PlayedRun(this, `r_${this.runs.length + 1}`, options);
    this.runs.push(run);
    return run;
  }

  /** The target's object is taken away and begins anew from what is stored. */
  restartTarget(): void {
    this.target = this.#begin();
  }

  /** Plays on for so long. `each`: called after every step. */
  play(ms: number, each: () => void = () => {}): void {
    const untilMs = this.nowMs + ms;
    while (this.nowMs < untilMs) {
      this.nowMs += STEP_MS;
      const due = this.#mail.filter(({ atMs }) => atMs <= this.nowMs);
      this.#mail = this.#mail.filter(({ atMs }) => atMs > this.nowMs);
      for (const { deliver } of due) deliver();
      for (const run of this.runs) run.step();
      each();
    }
  }

  /** A program asks for permits, and uses them. */
  takePermits(count: number, waitMs: number): ReturnType<TargetDriver["permits"]> {
    const answer = this.target.permits({ count, waitMs, throttled: 0, retryAfterMs: null, epoch: null });
    for (const inMs of answer?.sendInMs ?? []) this.programs.push(this.nowMs + inMs);
    return answer;
  }

  /** Every instant of all, ascending. */
  instants(): number[] {
    return [...this.runs.flatMap(({ instants }) => instants), ...this.programs].sort((a, b) => a - b);
  }

  carry(from: PlayedRun, ask: TargetAsk, answered: (answer: TargetAnswer | null) => void): void {
    const { driver } = from;
    const isThere = () => !from.isDead && from.driver === driver;
    let isOver = false;
    const once = (answer: TargetAnswer | null): void => {
      if (isOver || !isThere()) return;
      isOver = true;
      answered(answer);
    };
    this.#post(TARGET_SILENT_MS, () => once(null));
    if (this.#isLost()) return;
    const copy = JSON.parse(JSON.stringify(ask)) as TargetAsk;
    this.#post(this.#trip(), () => {
      if (this.isAway) return;
      const answer = JSON.parse(JSON.stringify(this.target.ask(copy))) as TargetAnswer;
      if (this.#isLost()) return;
      this.#post(this.#trip(), () => (from.isFrozen ? this.#post(3000, () => once(answer)) : once(answer)));
    });
  }

  #begin(): TargetDriver {
    const stored = this.#document === null ? null : (JSON.parse(this.#document) as TargetDocument);
    return new TargetDriver(
      {
        reading: () => ({ wallMs: this.nowMs, monotonicMs: null }),
        store: (document) => {
          this.stored += 1;
          this.#document = JSON.stringify(document);
        },
      },
      stored,
    );
  }

  #isLost(): boolean {
    return this.random() < (this.#options.loss ?? 0);
  }

  #trip(): number {
    const [least, most] = this.#options.delayMs ?? [2, 10];
    return least + (most - least) * this.random();
  }

  #post(ms: number, deliver: () => void): void {
    this.#mail.push({ atMs: this.nowMs + ms, deliver });
  }
}
