/**
 * The semaphore of a run: a set of leases, each with an expiry and a fence.
 *
 * Invariants: at most `max` leases are live when one is given out; a fence is never used twice and only grows;
 * a slot is the presence of its lease in the set, never a count, so a double release frees nothing.
 * The grantor's term is longer than the holder's by `LEASE_MARGIN_MS`: the holder counts from the moment it
 * sent its request, so it always stops first (Gray & Cheriton 1989).
 */
import { assert } from "../assert.ts";
import { LEASE_MARGIN_MS, LEASE_TTL_MS } from "../limits.ts";

export interface LeaseRecord {
  readonly fence: number;
  readonly chunk: number;
  readonly invocation: string;
  /** Embedding process it was given in; "" when deployed. */
  readonly generation: string;
  /** Run-clock instant after which the slot is free. */
  expiresAtMs: number;
  /** The holder was told to give it back (the limit was lowered). */
  shedding: boolean;
  /** Fence of the lease whose chunk it helps with; null: the chunk is its own. A side lane holds a slot and no chunk. */
  readonly helps: number | null;
  /** A side lane found nothing to do here: no other is sent. */
  isUnhelpful: boolean;
}

export interface Semaphore {
  nextFence: number;
  /** How long, after its holder is gone, the outside system may still be busy for a lease: the slot stays taken. */
  readonly lingerMs: number;
  readonly live: Map<number, LeaseRecord>;
}

export function createSemaphore(nextFence = 1, lingerMs = 0): Semaphore {
  return { nextFence, lingerMs, live: new Map() };
}

export type Acquired =
  | { readonly kind: "acquired"; readonly lease: LeaseRecord }
  | { readonly kind: "full"; readonly max: number };

/** One slot for one chunk. A refusal changes nothing. */
export function acquire(
  semaphore: Semaphore,
  want: {
    chunk: number;
    invocation: string;
    generation: string;
    nowMs: number;
    max: number;
    helps?: number;
  },
): Acquired {
  if (semaphore.live.size >= want.max) return { kind: "full", max: want.max };
  const lease: LeaseRecord = {
    fence: semaphore.nextFence,
    chunk: want.chunk,
    invocation: want.invocation,
    generation: want.generation,
    expiresAtMs: expiry(semaphore, want.nowMs),
    shedding: false,
    helps: want.helps ?? null,
    isUnhelpful: false,
  };
  semaphore.nextFence += 1;
  semaphore.live.set(lease.fence, lease);
  return { kind: "acquired", lease };
}

/** The lease with this fence, if its holder is the one that asks; else undefined. */
export function heldBy(semaphore: Semaphore, fence: number, invocation: string): LeaseRecord | undefined {
  const lease = semaphore.live.get(fence);
  return lease?.invocation === invocation ? lease : undefined;
}

/** Renews what the invocation holds; returns the fences that are no longer its own. */
export function renew(
  semaphore: Semaphore,
  held: readonly number[],
  invocation: string,
  nowMs: number,
): readonly number[] {
  const lost: number[] = [];
  for (const fence of held) {
    const lease = heldBy(semaphore, fence, invocation);
    if (lease === undefined) lost.push(fence);
    else lease.expiresAtMs = expiry(semaphore, nowMs);
  }
  return lost;
}

/** Frees the slot; releasing a lease that is gone does nothing and answers false. */
export function release(semaphore: Semaphore, fence: number): boolean {
  return semaphore.live.delete(fence);
}

/** Removes and returns the leases whose term is over. */
export function expire(semaphore: Semaphore, nowMs: number): readonly LeaseRecord[] {
  return removeWhere(semaphore, (lease) => lease.expiresAtMs <= nowMs);
}

/**
 * The processes of other generations are gone: removes and returns their leases. Where the outside system may still be
 * busy for them they expire after `lingerMs` instead, and nothing is returned.
 */
export function expireOtherGenerations(
  semaphore: Semaphore,
  generation: string,
  nowMs: number,
): readonly LeaseRecord[] {
  if (semaphore.lingerMs === 0) return removeWhere(semaphore, (lease) => lease.generation !== generation);
  for (const lease of semaphore.live.values()) {
    if (lease.generation === generation) continue;
    lease.expiresAtMs = Math.min(lease.expiresAtMs, nowMs + semaphore.lingerMs);
  }
  return [];
}

/** Counts every stored lease as renewed now: a restart of the Run frees none. */
export function renewAll(semaphore: Semaphore, nowMs: number): void {
  for (const lease of semaphore.live.values()) lease.expiresAtMs = expiry(semaphore, nowMs);
}

/** Marks as many leases as are above `max`, the newest first; the marked ones are told to come back. */
export function shedAbove(semaphore: Semaphore, max: number): void {
  const keeping = [...semaphore.live.values()].filter((lease) => !lease.shedding);
  keeping.sort((a, b) => b.fence - a.fence);
  for (const lease of keeping.slice(0, Math.max(0, keeping.length - max))) lease.shedding = true;
}

/** Earliest expiry, or null without leases. */
export function nextExpiry(semaphore: Semaphore): number | null {
  let next: number | null = null;
  for (const lease of semaphore.live.values()) {
    if (next === null || lease.expiresAtMs < next) next = lease.expiresAtMs;
  }
  return next;
}

/** Puts a stored lease back (a restart). */
export function restore(semaphore: Semaphore, lease: LeaseRecord): void {
  assert(lease.fence < semaphore.nextFence, "a stored fence is below the next one");
  semaphore.live.set(lease.fence, lease);
}

function expiry({ lingerMs }: Semaphore, nowMs: number): number {
  return nowMs + LEASE_TTL_MS + LEASE_MARGIN_MS + lingerMs;
}

function removeWhere(semaphore: Semaphore, gone: (lease: LeaseRecord) => boolean): readonly LeaseRecord[] {
  const removed = [...semaphore.live.values()].filter(gone);
  for (const lease of removed) semaphore.live.delete(lease.fence);
  return removed;
}
