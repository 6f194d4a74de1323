/**
 * One invocation: asks the Run for chunks, works each in a lane of its own, and ends.
 *
 * It ends after its slice, when the Run says drain, when there has been nothing to do for a second, or when the Run
 * cannot be reached and every lease is over. Before it ends it gives everything back and says so: a request with
 * capacity 0. Invariant: a lane's deadline counts from when the request that renewed it was first sent.
 */

import { assert } from "../core/assert.ts";
import { isCosted } from "../core/limiter/budget.ts";
import { IDLE_ASK_MS, IDLE_MS, LEAST_ITEMS_EACH } from "../core/limits.ts";
import type { CommitOutcome, Lease, RunSettings, SyncAnswer } from "../core/protocol.ts";
import { sharesChunks } from "../core/run/dispatch.ts";
import type { Clock } from "./clock.ts";
import {
  type Answered,
  type Composed,
  Exchange,
  type ExchangeHost,
  type LaneCommit,
  type Sync,
} from "./exchange.ts";
import { Progress } from "./items/progress.ts";
import { Lane } from "./lane.ts";
import { Pacer } from "./permits/pacer.ts";
import type { Seat } from "./permits/seat.ts";
import type { LanePorts } from "./ports.ts";
import type { Tally } from "./report.ts";
import { Turns } from "./rows/turns.ts";
import type { SideLane, SideLaneHost } from "./sideLane.ts";

/** Of lanes that begin together, the smallest first part as a share of a full one. */
const FIRST_PART_LEAST = 0.25;

export interface InvocationInput {
  readonly clock: Clock;
  readonly sync: Sync;
  readonly ports: LanePorts;
  /** Unique among all invocations. */
  readonly id: string;
  readonly queue: number;
  /** "" when deployed. */
  readonly generation: string;
  /** How many lanes it holds at most, by the run's `maxParallelism`. */
  readonly lanes: (maxParallelism: number) => number;
  /** Soft deadline from now. */
  readonly sliceMs: number;
  /** At a slice's end: true when it may go on for another, because nobody waits for its place. */
  readonly mayStay?: () => Promise<boolean>;
  readonly tally: Tally;
}

export class Invocation implements ExchangeHost, SideLaneHost {
  readonly clock: Clock;
  readonly ports: LanePorts;
  readonly tally: Tally;
  readonly turns: Turns;
  readonly #input: InvocationInput;
  readonly #exchange: Exchange;
  readonly #pacer: Pacer;
  readonly #lanes = new Map<number, Lane | SideLane>();
  readonly #background = new Set<Promise<void>>();
  #phase: "working" | "winding" | "draining" | "gone" = "working";
  #settings: RunSettings | null = null;
  #answer: SyncAnswer | null = null;
  /** When the Run knew the target to be up, local clock. */
  #runSawUpMs = Number.NEGATIVE_INFINITY;
  #heldRefused = 0;
  #saidCapacity = -1;
  #idleSinceMs: number | null = null;
  #wake: (() => void) | null = null;
  #cancelDeadline: (() => void) | null = null;
  #cancelSlice: (() => void) | null = null;
  /** No lane has ended yet: those that run began together. */
  #isFirstRound = true;

  constructor(input: InvocationInput) {
    this.#input = input;
    this.clock = input.clock;
    this.ports = input.ports;
    this.turns = new Turns(input.clock, () => this.#phase !== "draining");
    this.tally = input.tally;
    this.#exchange = new Exchange(input.clock, input.sync, input.id, this);
    this.#pacer = new Pacer(
      input.clock,
      this.tally,
      () => this.#exchange.reconsider(),
      (ms) => this.#exchange.hurry(ms),
    );
  }

  /** Works a slice; resolves when everything is given back or lost. */
  async run(): Promise<void> {
    this.#armSlice();
    this.#exchange.hurry(0);
    while (!this.#isOver()) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    this.#cancelSlice?.();
    this.#cancelDeadline?.();
    this.#exchange.close();
  }

  // --- for the exchange ---

  askAtMs(): number {
    return this.#settings === null ? Number.POSITIVE_INFINITY : this.#pacer.askAtMs();
  }

  want(): number {
    return this.#pacer.want();
  }

  compose(want: number): Composed {
    this.#saidCapacity = this.#capacity();
    const hosts = this.#pacer.hosts.asks();
    const costed = this.#pacer.takeCosted();
    const { leadMs } = this.#pacer;
    const rounds = want === 0 ? undefined : this.#pacer.rounds();
    return {
      queue: this.#input.queue,
      generation: this.#input.generation,
      capacity: this.#saidCapacity,
      held: [...this.#lanes.keys()],
      want: costed === undefined ? want : 0,
      ...(leadMs !== undefined && { leadMs }),
      ...(rounds !== undefined && { rounds }),
      ...(this.#takesHelp() && { takesHelp: true, itemsLeft: this.#itemsLeft() }),
      ...(hosts !== undefined && { hosts }),
      ...(costed !== undefined && { costed }),
      report: this.tally.take(this.#pacer.takeForfeited(), this.clock.now(), this.#retrying()),
      settingsVersion: this.#settings?.version ?? 0,
    };
  }

  apply(answered: Answered): void {
    const { answer, request, sentMs } = answered;
    const wasDown = this.isTargetDown();
    const isFirst = this.#settings === null;
    this.#answer = answer;
    // By the request's clock: the Run's moment lies between it and the answer's.
    if (answer.answeredAgoMs !== undefined) this.#runSawUpMs = sentMs - answer.answeredAgoMs;
    this.#settings = answer.settings ?? this.#settings;
    if (answer.settings !== null) this.#pacer.setCosted(isCosted(answer.settings.spec));
    if (answer.kind === "drain" && this.#phase !== "gone") this.#phase = "draining";
    this.#renew(request.held, answer, sentMs);
    const deadlineMs = sentMs + answer.leaseTtlMs;
    for (const lease of answer.leases) {
      if (deadlineMs > this.clock.now()) this.#start(lease, deadlineMs);
      else this.#giveBack(lease);
    }
    this.#armDeadline();
    this.#pacer.apply(answer, { ...answered, want: request.want });
    for (const fence of answer.shed) this.#lanes.get(fence)?.stop();
    if (!wasDown && this.isTargetDown()) for (const lane of this.#lanes.values()) lane.refund();
    for (const lane of this.#lanes.values()) lane.look();
    this.#lookIdle();
    if (isFirst) this.#exchange.hurry(0);
    this.#wake?.();
  }

  leasesEndMs(): number | null {
    let endMs: number | null = null;
    for (const lane of this.#lanes.values()) endMs = Math.max(endMs ?? 0, lane.deadlineMs);
    return endMs;
  }

  gaveUp(): void {
    this.#phase = "gone";
    for (const lane of this.#lanes.values()) lane.abandon();
    this.#pacer.drain();
    this.#wake?.();
  }

  // --- for lanes ---

  settings(): RunSettings {
    assert(this.#settings !== null, "a lane is leased with the run's settings known");
    return this.#settings;
  }

  seat(deadlineMs: () => number, callsLeft: () => number): Seat {
    return this.#pacer.join(deadlineMs, callsLeft);
  }

  mustStop(): boolean {
    return !this.#pacer.hasSpare;
  }

  isEnding(): boolean {
    return this.#phase !== "working";
  }

  isTargetDown(): boolean {
    return this.#answer?.circuit === "open";
  }

  upMs(): number {
    return Math.max(this.tally.upMs, this.#runSawUpMs);
  }

  isCurrentEpoch(epoch: number): boolean {
    return epoch === this.epoch();
  }

  epoch(): number {
    return this.#answer?.epoch ?? 0;
  }

  openedIn(): number {
    return this.#answer?.openedIn ?? 0;
  }

  refused(): { readonly epoch: number; readonly streak: number; readonly held: number } {
    const { refusedEpoch = 0, refusedStreak = 0 } = this.#answer ?? {};
    return { epoch: refusedEpoch, streak: refusedStreak, held: this.#heldRefused };
  }

  /** Lanes that begin together would write their parts together: the first ones are cut at different sizes. */
  firstPartShare(): number {
    return this.#isFirstRound ? FIRST_PART_LEAST + (1 - FIRST_PART_LEAST) * this.clock.random() : 1;
  }

  rowsWaitMs(): number {
    return this.#answer?.rowsWaitMs ?? Number.POSITIVE_INFINITY;
  }

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

  hold(items: number): void {
    this.#heldRefused += items;
  }

  restHost(host: string, ms: number): void {
    this.#pacer.hosts.hold(host, ms);
  }

  hurry(ms: number): void {
    this.#exchange.hurry(ms);
  }

  nextAnswer(withinMs: number): Promise<void> {
    return this.#exchange.nextAnswer(withinMs);
  }

  announce(fence: number, ordinal: number): Promise<void> {
    return this.#exchange.announce(fence, ordinal);
  }

  commit(commit: LaneCommit, withinMs: number): Promise<CommitOutcome["kind"] | "closed"> {
    return this.#exchange.commit(commit, withinMs);
  }

  indexed(chunk: number, n: number): void {
    this.#exchange.indexed(chunk, n);
  }

  background(work: Promise<void>): void {
    this.#background.add(work);
    void work.finally(() => {
      this.#background.delete(work);
      this.#wake?.();
    });
  }

  // --- inside ---

  /** Everything is given back and the Run knows it, or nothing can be said any more. */
  #isOver(): boolean {
    if (this.#phase === "working" || this.#lanes.size + this.#background.size > 0) return false;
    if (this.#phase === "gone") return true;
    if (this.#saidCapacity === 0 && !this.#exchange.isBusy && !this.#exchange.hasUnsaid) return true;
    this.#exchange.hurry(0);
    return false;
  }

  #capacity(): number {
    if (this.#phase !== "working") return 0;
    if (this.#settings === null) return 1;
    return this.#input.lanes(this.#settings.spec.maxParallelism);
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

  #start(lease: Lease, deadlineMs: number): void {
    if (lease.helps !== undefined) {
      this.#startHelp(lease, lease.helps, deadlineMs);
      return;
    }
    const lane = new Lane(this, lease, deadlineMs);
    this.#lanes.set(lane.fence, lane);
    void lane.run().then(() => {
      this.#isFirstRound = false;
      this.#left(lane.fence);
    });
  }

  #startHelp(lease: Lease, helped: number, deadlineMs: number): void {
    const lane = this.#lanes.get(helped);
    const side = lane instanceof Lane ? lane.helpedBy(this, lease, deadlineMs) : null;
    if (side === null) {
      this.#giveBack(lease);
      return;
    }
    this.#lanes.set(side.fence, side);
    void side.ended.then(() => this.#left(side.fence));
  }

  #left(fence: number): void {
    this.#lanes.delete(fence);
    this.#lookIdle();
    this.#wake?.();
  }

  #itemsLeft(): number {
    let left = 0;
    for (const lane of this.#lanes.values()) if (lane instanceof Lane) left += lane.itemsLeft;
    return left;
  }

  #retrying(): number {
    let items = 0;
    for (const lane of this.#lanes.values()) if (lane instanceof Lane) items += lane.retrying;
    return items;
  }

  #takesHelp(): boolean {
    return this.#phase === "working" && this.#settings !== null && sharesChunks(this.#settings.spec);
  }

  /** The request was so long on its way that the lease is over here: at the Run it would last a whole term. */
  #giveBack({ fence, work: { chunk, checkpoint } }: Lease): void {
    const nowMs = this.clock.now();
    const snapshot = new Progress(checkpoint, nowMs).snapshot(nowMs);
    void this.#exchange.commit({ fence, chunk, part: null, snapshot, release: true }, 0);
  }

  /** At its deadline a lane has stopped, whatever the Run might still say. */
  #armDeadline(): void {
    this.#cancelDeadline?.();
    this.#cancelDeadline = null;
    const nowMs = this.clock.now();
    let nextMs = Number.POSITIVE_INFINITY;
    for (const lane of this.#lanes.values()) {
      if (lane.deadlineMs <= nowMs) lane.abandon();
      else nextMs = Math.min(nextMs, lane.deadlineMs);
    }
    if (nextMs === Number.POSITIVE_INFINITY) return;
    this.#cancelDeadline = this.clock.after(nextMs - nowMs, () => this.#armDeadline());
  }

  #armSlice(): void {
    this.#cancelSlice = this.clock.after(this.#input.sliceMs, () => void this.#endSlice());
  }

  async #endSlice(): Promise<void> {
    const stays = (await this.#input.mayStay?.().catch(() => false)) ?? false;
    if (stays && this.#phase === "working") this.#armSlice();
    else this.#windDown();
  }

  #windDown(): void {
    if (this.#phase !== "working") return;
    this.#phase = "winding";
    this.#pacer.windDown();
    for (const lane of this.#lanes.values()) lane.look();
    this.#wake?.();
  }

  /** Without a lane for a while there is nothing to do here. */
  #lookIdle(): void {
    if (this.#phase !== "working") return;
    if (this.#lanes.size > 0) {
      this.#idleSinceMs = null;
      return;
    }
    this.#idleSinceMs ??= this.clock.now();
    if (this.clock.now() - this.#idleSinceMs >= IDLE_MS) this.#windDown();
    else this.#exchange.hurry(IDLE_ASK_MS);
  }
}
