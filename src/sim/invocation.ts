/**
 * One simulated invocation: asks the Run for chunks, works each in a lane, ends after its slice or when there is
 * nothing to do: the rules of `lane/invocation.ts`.
 */

import { IDLE_ASK_MS, IDLE_MS, LEAST_ITEMS_EACH } from "../core/limits.ts";
import type { Lease, RunSettings, SyncAnswer } from "../core/protocol.ts";
import { sharesChunks } from "../core/run/dispatch.ts";
import type { Spec } from "../core/spec.ts";
import { Progress } from "../lane/items/progress.ts";
import { Tally } from "../lane/report.ts";
import type { Cancel } from "./eventLoop.ts";
import { type Answered, type Composed, Exchange, type ExchangeHost } from "./exchange.ts";
import { Lane } from "./lane.ts";
import { lanesOfOne } from "./options.ts";
import { Pacer } from "./pacer.ts";
import { type Process, type Routine, Signal, until } from "./process.ts";
import type { Random } from "./random.ts";
import { SideLane } from "./sideLane.ts";
import type { World } from "./world.ts";

export interface InvocationInput {
  readonly world: World;
  readonly process: Process;
  readonly random: Random;
  readonly id: string;
  readonly queue: number;
  readonly generation: string;
  readonly sliceMs: number;
}

export class Invocation implements ExchangeHost {
  readonly world: World;
  readonly process: Process;
  readonly random: Random;
  readonly id: string;
  readonly tally = new Tally();
  readonly exchange: Exchange;
  readonly pacer: Pacer;
  readonly #input: InvocationInput;
  readonly #lanes = new Map<number, Lane | SideLane>();
  readonly #wake = new Signal();
  #backgrounds = 0;
  #phase: "working" | "winding" | "draining" | "gone" = "working";
  #settings: RunSettings | null = null;
  #answer: SyncAnswer | null = null;
  #runSawUpMs = Number.NEGATIVE_INFINITY;
  #saidCapacity = -1;
  #idleSinceMs: number | null = null;
  #cancelDeadline: Cancel = () => {};

  constructor(input: InvocationInput) {
    const { world, process, random, id } = input;
    this.#input = input;
    this.world = world;
    this.process = process;
    this.random = random;
    this.id = id;
    this.exchange = new Exchange(process, random, (request) => world.ask(request), id, this);
    this.pacer = new Pacer(process, {
      changed: () => this.exchange.reconsider(),
      waited: (ms, everyMs) =>
        world.checks.fairness.waited(ms, everyMs * world.lanesLive(), world.loop.nowMs),
    });
  }

  *run(): Routine<void> {
    const cancelSlice = this.process.after(this.#input.sliceMs, () => this.#windDown());
    this.exchange.hurry(0);
    while (!this.#isOver()) yield* until(this.#wake.wait);
    cancelSlice();
    this.#cancelDeadline();
    this.exchange.close();
  }

  get spec(): Spec {
    return (this.#settings as RunSettings).spec;
  }

  /** What of it the lanes' settlements see. */
  readonly settling = {
    clock: {
      now: () => this.process.now(),
      after: (ms: number, act: () => void) => this.process.after(ms, act),
      random: () => this.random.next(),
    },
    upMs: () => Math.max(this.tally.upMs, this.#runSawUpMs),
    epoch: () => this.epoch,
    openedIn: () => this.#answer?.openedIn ?? 0,
    isTargetDown: () => this.isTargetDown,
    settings: () => this.#settings as RunSettings,
    // Credentials are always right.
    refused: () => ({ epoch: 0, streak: 0, held: 0 }),
    hold: () => {},
    nextAnswer: () => Promise.resolve(),
    tally: this.tally,
  };

  get epoch(): number {
    return this.#answer?.epoch ?? 0;
  }

  get rowsWaitMs(): number {
    return this.#answer?.rowsWaitMs ?? Number.POSITIVE_INFINITY;
  }

  get isTargetDown(): boolean {
    return this.#answer?.circuit === "open";
  }

  get isEnding(): boolean {
    return this.#phase !== "working";
  }

  background(work: Routine<void>): void {
    this.#backgrounds += 1;
    this.process.spawn(work, () => {
      this.#backgrounds -= 1;
      this.#wake.fire();
    });
  }

  askAtMs(): number {
    return this.#settings === null ? Number.POSITIVE_INFINITY : this.pacer.askAtMs();
  }

  want(): number {
    return this.pacer.want();
  }

  compose(want: number): Composed {
    this.#saidCapacity = this.#capacity();
    const { leadMs } = this.pacer;
    const rounds = want === 0 ? undefined : this.pacer.rounds();
    return {
      queue: this.#input.queue,
      generation: this.#input.generation,
      capacity: this.#saidCapacity,
      held: [...this.#lanes.keys()],
      want,
      ...(leadMs !== undefined && { leadMs }),
      ...(rounds !== undefined && { rounds }),
      ...(this.#takesHelp() && { takesHelp: true, itemsLeft: this.#sumOfLanes((lane) => lane.itemsLeft) }),
      report: this.tally.take(
        this.pacer.takeForfeited(),
        this.process.now(),
        this.#sumOfLanes((lane) => lane.retrying),
      ),
      settingsVersion: this.#settings?.version ?? 0,
    };
  }

  apply(answered: Answered): void {
    const { answer, request, sentMs, receivedMs, isRepeated } = answered;
    const wasDown = this.isTargetDown;
    const isFirst = this.#settings === null;
    this.#answer = answer;
    if (answer.answeredAgoMs !== undefined) this.#runSawUpMs = sentMs - answer.answeredAgoMs;
    this.#settings = answer.settings ?? this.#settings;
    if (answer.kind === "drain" && this.#phase !== "gone") this.#phase = "draining";
    this.#renew(request.held, answer, sentMs);
    for (const lease of answer.leases) this.#start(lease, sentMs + answer.leaseTtlMs);
    this.#armDeadline();
    this.pacer.apply(answer, { sentMs, receivedMs, isRepeated, want: request.want });
    for (const fence of answer.shed) this.#lanes.get(fence)?.stop();
    if (!wasDown && this.isTargetDown) for (const lane of this.#lanes.values()) lane.refund();
    for (const lane of this.#lanes.values()) lane.look();
    this.#lookIdle();
    if (isFirst) this.exchange.hurry(0);
    this.#wake.fire();
  }

  leasesEndMs(): number | null {
    let endMs: number | null = null;
    for (const lane of this.#lanes.values()) endMs = Math.max(endMs ?? 0, lane.deadlineMs);
    return endMs;
  }

  gaveUp(): void {
    this.#phase = "gone";
    for (const lane of this.#lanes.values()) lane.abandon();
    this.pacer.drain();
    this.#wake.fire();
  }

  #isOver(): boolean {
    if (this.#phase === "working" || this.#lanes.size + this.#backgrounds > 0) return false;
    if (this.#phase === "gone") return true;
    if (this.#saidCapacity === 0 && !this.exchange.isBusy && !this.exchange.hasUnsaid) return true;
    this.exchange.hurry(0);
    return false;
  }

  #capacity(): number {
    if (this.#phase !== "working") return 0;
    if (this.#settings === null) return 1;
    const { maxParallelism } = this.#settings.spec;
    return lanesOfOne(this.world.options, this.#input.generation, maxParallelism);
  }

  #renew(held: readonly number[], answer: SyncAnswer, sentMs: number): void {
    const lost = new Set(answer.lost);
    for (const fence of held) {
      const lane = this.#lanes.get(fence);
      if (lane === undefined) continue;
      if (lost.has(fence)) lane.abandon();
      else lane.deadlineMs = sentMs + answer.leaseTtlMs;
    }
  }

  /** The lane that has most items for each who works on them; null: none has enough. */
  laneWithMost(): Lane | null {
    let best: Lane | null = null;
    let most = LEAST_ITEMS_EACH;
    for (const lane of this.#lanes.values()) {
      if (!(lane instanceof Lane)) continue;
      const { itemsEach } = lane;
      if (itemsEach <= most) continue;
      best = lane;
      most = itemsEach;
    }
    return best;
  }

  #sumOfLanes(of: (lane: Lane) => number): number {
    let sum = 0;
    for (const lane of this.#lanes.values()) if (lane instanceof Lane) sum += of(lane);
    return sum;
  }

  #takesHelp(): boolean {
    return this.#phase === "working" && this.#settings !== null && sharesChunks(this.#settings.spec);
  }

  /** The lease of a chunk, or a slot that helps one; null: the lane that it is for is about to end. */
  #laneOf(lease: Lease, deadlineMs: number): Lane | SideLane | null {
    if (lease.helps === undefined) return new Lane(this, lease, deadlineMs);
    const helped = this.#lanes.get(lease.helps);
    return helped instanceof Lane && helped.takesHelp ? new SideLane(this, lease, deadlineMs, helped) : null;
  }

  #giveBack({ fence, work: { chunk, checkpoint } }: Lease): void {
    const nowMs = this.process.now();
    const snapshot = new Progress(checkpoint, nowMs).snapshot(nowMs);
    this.exchange.commit({ fence, chunk, part: null, snapshot, release: true }, 0)(() => {});
  }

  #start(lease: Lease, deadlineMs: number): void {
    const lane = this.#laneOf(lease, deadlineMs);
    if (lane === null) {
      this.#giveBack(lease);
      return;
    }
    this.#lanes.set(lane.fence, lane);
    this.process.spawn(lane.run(), () => {
      this.#lanes.delete(lane.fence);
      this.#lookIdle();
      this.#wake.fire();
    });
  }

  #armDeadline(): void {
    this.#cancelDeadline();
    const nowMs = this.process.now();
    let nextMs = Number.POSITIVE_INFINITY;
    for (const lane of this.#lanes.values()) {
      if (lane.deadlineMs <= nowMs) lane.abandon();
      else nextMs = Math.min(nextMs, lane.deadlineMs);
    }
    if (nextMs === Number.POSITIVE_INFINITY) return;
    this.#cancelDeadline = this.process.after(nextMs - nowMs, () => this.#armDeadline());
  }

  #windDown(): void {
    if (this.#phase !== "working") return;
    this.#phase = "winding";
    this.pacer.windDown();
    for (const lane of this.#lanes.values()) lane.look();
    this.#wake.fire();
  }

  #lookIdle(): void {
    if (this.#phase !== "working") return;
    if (this.#lanes.size > 0) {
      this.#idleSinceMs = null;
      return;
    }
    this.#idleSinceMs ??= this.process.now();
    if (this.process.now() - this.#idleSinceMs >= IDLE_MS) this.#windDown();
    else this.exchange.hurry(IDLE_ASK_MS);
  }
}
