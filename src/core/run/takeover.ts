/**
 * Another process drives the run from now on: leases of the former one are free at once, for it is gone (or
 * when they have lingered, where the outside system may still be busy for them).
 *
 * Why it is gone makes the difference. Ended from outside (a kill, a restart), it says nothing against what it
 * worked on. Hung or died by itself, one of its items may have done it, and all lanes of the process died of that one.
 * So the search narrows: two deaths at one checkpoint and the chunks are worked carefully, side by side; at the next
 * death the announced items are suspected; each of them is tried alone, and is charged with what happens then.
 */
import { assert } from "../assert.ts";
import { withoutHolders } from "../limiter/quota.ts";
import { forgetInvocation } from "./dispatch.ts";
import { type ChunkRecord, loseLease, orphan } from "./ledger.ts";
import type { Run } from "./run.ts";
import { expireOtherGenerations, type LeaseRecord } from "./semaphore.ts";

/** Whoever asks drives: the former process was ended from outside, or there is none. */
export function drive(run: Run, generation: string, nowMs: number): void {
  for (const record of freeLeases(run, generation, nowMs)) {
    orphan(record, nowMs);
    run.ledger.put(record);
  }
}

/** The former process hung or died by itself, and `generation` takes its place. */
export function succeed(run: Run, generation: string, nowMs: number): void {
  const freed = freeLeases(run, generation, nowMs);
  const lingering = recordsOf(run, [...run.semaphore.live.values()]);
  const alone = freed.length + lingering.length === 1;
  for (const record of [...freed, ...lingering]) {
    loseLease(record, nowMs, alone);
    // Its slot stays taken until the outside system is done with it, and the chunk with its slot.
    if (record.state === "pending" && lingering.includes(record)) record.state = "active";
    run.ledger.put(record);
  }
}

/**
 * Ends the leases of other generations; returns their chunks, still as they were. Leases that linger stay: their term
 * ends when the outside system has let go of them.
 */
function freeLeases(run: Run, generation: string, nowMs: number): readonly ChunkRecord[] {
  if (run.state.generation !== generation) run.state.quota = withoutHolders(run.state.quota, nowMs);
  run.state.generation = generation;
  for (const lease of run.semaphore.live.values()) {
    if (lease.generation !== generation) forgetInvocation(run.dispatch, lease.invocation);
  }
  return recordsOf(run, expireOtherGenerations(run.semaphore, generation, nowMs));
}

/** Each chunk once: a lease that helps has none of its own. */
function recordsOf(run: Run, leases: readonly LeaseRecord[]): readonly ChunkRecord[] {
  return leases
    .filter((lease) => lease.helps === null)
    .map((lease) => {
      const record = run.ledger.get(lease.chunk);
      assert(record !== undefined, "a lease is for a chunk of the ledger");
      return record;
    });
}
