/**
 * The send instants an invocation holds, in local time.
 *
 * An instant is told relative to the moment of the answer, and that moment is known only within bounds. An instant
 * may be used from its latest possible place on, for as long as `usableMs` allows: whatever the true offset is, the
 * call leaves within [instant, instant + grace + clock error] of the Run's clock.
 * An instant is spent at most once; one whose time is over is forfeit and counted.
 */
import type { Grant, Spacing } from "../../core/protocol.ts";
import type { HostNeed } from "../../tasks/calls/permits.ts";
import { Evenness } from "./evenness.ts";
import { type AnswerMoment, usableMs } from "./runClock.ts";

export interface Instant {
  readonly notBeforeMs: number;
  /** Last moment at which the call may leave. */
  readonly expiresMs: number;
  readonly epoch: number;
  readonly probe: boolean;
  /** Which items a probe is to be taken from, where there is a choice; absent: any. */
  readonly prefers?: "tried" | "untried";
  /** The host it is for; absent: any. */
  readonly need?: HostNeed;
  /** The call it was granted to by name, where permits have a cost of their own. */
  readonly ticket?: Ticket;
}

export interface Ticket {
  readonly call: number;
  /** Tokens reserved. */
  readonly cost: number;
}

/** Equally spaced instants of one grant; `next` of `count` are gone. */
interface Batch {
  readonly firstMs: number;
  readonly everyMs: number;
  readonly count: number;
  next: number;
  /** When its answer came. */
  readonly heldFromMs: number;
  /** From an instant's notBefore to its expiry; below 0 the answer came too late for any use. */
  readonly usableMs: number;
  readonly epoch: number;
  readonly probe: boolean;
  readonly prefers: "tried" | "untried" | undefined;
}

/** Keeps divisions by the spacing finite (a single instant has none). */
const LEAST_EVERY_MS = 1e-6;

export class Instants {
  #batches: Batch[] = [];
  readonly #evenness = new Evenness();
  #spacing: Spacing | null = null;
  /** Where the next call would stand if all before it had kept their distance. */
  #spacedMs = Number.NEGATIVE_INFINITY;
  #held = 0;
  /** Instants lost since the last `takeForfeited`. */
  #forfeited = 0;
  /** Those of them whose time ran out: nobody was ready. */
  #expired = 0;

  get held(): number {
    return this.#held;
  }

  /** Takes in a grant; returns its first instant in local time. */
  add(grant: Extract<Grant, { kind: "granted" }>, answered: AnswerMoment): number {
    const { leastMs, mostMs, receivedMs, epoch } = answered;
    const batch = {
      firstMs: mostMs + grant.firstInMs,
      everyMs: Math.max(grant.everyMs, LEAST_EVERY_MS),
      count: grant.count,
      next: 0,
      heldFromMs: receivedMs,
      usableMs: usableMs(grant.graceMs, mostMs - leastMs),
      epoch,
      probe: grant.probe,
      prefers: grant.prefers,
    };
    if (grant.inMs === undefined) this.#batches.push(batch);
    else for (const inMs of grant.inMs) this.#insert({ ...batch, firstMs: mostMs + inMs, count: 1 });
    this.#held += grant.count;
    this.#spacing = grant.spacing ?? null;
    // A distance that was kept at a slower rate is not waited for.
    if (this.#spacing !== null) {
      this.#spacedMs = Math.min(this.#spacedMs, receivedMs + this.#spacing.everyMs);
    }
    return batch.firstMs;
  }

  /**
   * Takes out the first instant that is due and not over; null when there is none now. In a loop that is late
   * instants are over earlier: a call that is let go leaves about so much later, and what waited leaves together.
   */
  takeDue(nowMs: number, lateMs = 0): Instant | null {
    const batch = this.#current(nowMs, lateMs);
    if (batch === undefined) return null;
    const notBeforeMs = batch.firstMs + batch.next * batch.everyMs;
    if (notBeforeMs > nowMs || this.#opensMs() > nowMs) return null;
    if (this.#spacing !== null) this.#spacedMs = Math.max(this.#spacedMs, nowMs) + this.#spacing.everyMs;
    batch.next += 1;
    this.#held -= 1;
    this.#evenness.handedOut(batch.everyMs);
    return {
      notBeforeMs,
      expiresMs: notBeforeMs + batch.usableMs,
      epoch: batch.epoch,
      probe: batch.probe,
      ...(batch.prefers !== undefined && { prefers: batch.prefers }),
    };
  }

  /** When the next instant comes that is not over; null when none is held. */
  nextMs(nowMs: number): number | null {
    const batch = this.#current(nowMs);
    return batch === undefined ? null : Math.max(batch.firstMs + batch.next * batch.everyMs, this.#opensMs());
  }

  /** Since when the next instant could be used; null when none can be now. */
  dueSinceMs(nowMs: number): number | null {
    const batch = this.#current(nowMs);
    if (batch === undefined) return null;
    const nextMs = Math.max(batch.firstMs + batch.next * batch.everyMs, this.#opensMs());
    return nextMs > nowMs ? null : Math.max(nextMs, batch.heldFromMs);
  }

  /** How many instants `takeDue` has to give now. */
  due(nowMs: number, lateMs = 0): number {
    this.#current(nowMs, lateMs);
    let due = 0;
    for (const { firstMs, everyMs, count, next } of this.#batches) {
      const begun = Math.min(Math.floor((nowMs - firstMs) / everyMs) + 1, count) - next;
      if (begun <= 0) break;
      due += begun;
    }
    return due;
  }

  /** The last instant held; null when none is. */
  lastMs(nowMs: number): number | null {
    if (this.#current(nowMs) === undefined) return null;
    const last = this.#batches[this.#batches.length - 1]!;
    return last.firstMs + (last.count - 1) * last.everyMs;
  }

  *all(): Generator<number> {
    for (const batch of this.#batches) {
      for (let i = batch.next; i < batch.count; i++) yield batch.firstMs + i * batch.everyMs;
    }
  }

  /** An instant that was taken out and not used in time. */
  forfeitOne(): void {
    this.#forfeited += 1;
    this.#expired += 1;
  }

  /** Gives up what is held of epochs before `epoch`; with Infinity, all of it. */
  forfeitBefore(epoch: number): void {
    this.#batches = this.#batches.filter((batch) => {
      if (batch.epoch >= epoch) return true;
      this.#drop(batch, batch.count - batch.next);
      return false;
    });
  }

  /** Instants lost since the last call, and how many of them because their time ran out. */
  takeForfeited(): { readonly forfeited: number; readonly expired: number } {
    const lost = { forfeited: this.#forfeited, expired: this.#expired };
    this.#forfeited = 0;
    this.#expired = 0;
    return lost;
  }

  /** Before this the next call would stand too near to others. */
  #opensMs(): number {
    if (this.#spacing === null) return Number.NEGATIVE_INFINITY;
    const { everyMs, together } = this.#spacing;
    return this.#spacedMs - (together - 1) * everyMs;
  }

  /** Instants are used in order: one that lies apart may belong before others that are held. */
  #insert(batch: Batch): void {
    const before = this.#batches.findLastIndex(({ firstMs }) => firstMs <= batch.firstMs);
    this.#batches.splice(before + 1, 0, batch);
  }

  /** The batch of the next instant that is not over; drops what is. */
  #current(nowMs: number, lateMs = 0): Batch | undefined {
    for (;;) {
      const batch = this.#batches[0];
      if (batch === undefined) return undefined;
      const slackMs = batch.everyMs < lateMs ? Math.min(lateMs, this.#evenness.mostOff(batch.usableMs)) : 0;
      const lost = overAt(batch, nowMs + slackMs) - batch.next;
      if (lost > 0) {
        this.#drop(batch, lost);
        this.#expired += lost;
        this.#evenness.lost(lost * batch.everyMs);
      }
      if (batch.next < batch.count) return batch;
      this.#batches.shift();
    }
  }

  #drop(batch: Batch, count: number): void {
    batch.next += count;
    this.#held -= count;
    this.#forfeited += count;
  }
}

/** How many of the batch's instants are over. */
function overAt(batch: Batch, atMs: number): number {
  const { firstMs, everyMs, count, usableMs } = batch;
  if (usableMs < 0) return count;
  return Math.min(Math.ceil((atMs - usableMs - firstMs) / everyMs), count);
}
