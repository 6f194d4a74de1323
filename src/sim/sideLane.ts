/**
 * A slot more for a lane of the simulation, by the rules of `lane/sideLane.ts`: works on items of the lane's chunk
 * beside it, and goes on to another lane of its invocation when that one has no more. It has no chunk of its own.
 */
import { FRUITLESS_MOST, RELEASE_WITHIN_MS } from "../core/limits.ts";
import type { Lease } from "../core/protocol.ts";
import type { Invocation } from "./invocation.ts";
import type { Lane } from "./lane.ts";
import { type Routine, until } from "./process.ts";
import { Stream } from "./stream.ts";

export class SideLane {
  readonly fence: number;
  deadlineMs: number;
  readonly #host: Invocation;
  readonly #lease: Lease;
  readonly #stream: Stream;
  /** The lane that it helps now. */
  #lane: Lane;

  constructor(host: Invocation, lease: Lease, deadlineMs: number, lane: Lane) {
    this.fence = lease.fence;
    this.deadlineMs = deadlineMs;
    this.#host = host;
    this.#lease = lease;
    this.#lane = lane;
    this.#stream = new Stream(host, {
      fence: lease.fence,
      deadlineMs: () => this.deadlineMs,
      callsLeft: () => this.#lane.callsLeft,
    });
    lane.enter(this);
  }

  *run(): Routine<void> {
    yield* this.#lane.known();
    if (!this.#mustStop && this.#lane.hasMore) {
      let fruitless = 0;
      do fruitless = (yield* this.#workItems()) ? 0 : fruitless + 1;
      while (fruitless < FRUITLESS_MOST && this.#goesOn());
    }
    this.#stream.leave();
    this.#lane.leave(this);
    // A lease that was abandoned the Run frees when it is not named any more.
    if (this.#stream.isLost) return;
    const { chunk } = this.#lease.work;
    const snapshot = this.#lane.progress.snapshot(this.#host.process.now());
    const commit = { fence: this.fence, chunk, part: null, snapshot, release: true };
    yield* until(this.#host.exchange.commit(commit, RELEASE_WITHIN_MS));
  }

  stop(): void {
    this.#stream.stop();
  }

  abandon(): void {
    this.#stream.abandon();
  }

  look(): void {
    if (this.#host.isEnding) this.#stream.wake();
  }

  wake(): void {
    this.#stream.wake();
  }

  refund(): void {}

  get #mustStop(): boolean {
    return this.#stream.mustStop || this.#lane.isClosing;
  }

  /** To a lane that has more. False: there is none, or nothing may be begun. */
  #goesOn(): boolean {
    if (this.#stream.isLost || this.#stream.isStopping || this.#host.isEnding) return false;
    const next = this.#host.laneWithMost();
    if (next === null || next === this.#lane) return false;
    this.#lane.leave(this);
    this.#lane = next;
    next.enter(this);
    return true;
  }

  /** True when an item came to an outcome. */
  *#workItems(): Routine<boolean> {
    let isOfUse = false;
    const lane = this.#lane;
    const { writer } = lane;
    while (!this.#mustStop && writer.trouble === null) {
      writer.cutIfDue();
      if (writer.isFull) {
        this.#stream.idleUntil(Number.POSITIVE_INFINITY);
        yield* writer.settle();
        continue;
      }
      const taken = lane.take();
      if (taken === null) return isOfUse;
      if (taken.kind === "wait") {
        yield* this.#stream.pause(taken.ms);
        continue;
      }
      if (!(yield* this.#stream.work(lane, taken.ordinal, taken.tries))) {
        lane.putBack(taken.ordinal);
        return isOfUse;
      }
      isOfUse = true;
      lane.wake();
    }
    return isOfUse;
  }
}
