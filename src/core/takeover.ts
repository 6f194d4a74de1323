/**
 * Another process drives the run from now on: leases of the former one are free at once, for it is gone.
 *
 * Why it is gone makes the difference. Ended from outside (a kill, a restart), it says nothing against what it
 * worked on. Hung or died by itself, one of its items may have done it, and all lanes of the process died of that one.
 * So the search narrows: two deaths at one checkpoint and the chunks are worked carefully, side by side; at the next
 * death the announced items are suspected; each of them is tried alone, and is charged with what happens then.
 */
import { assert } from "./assert.ts";
import { forgetInvocation } from "./dispatch.ts";
import { type ChunkRecord, loseLease, orphan } from "./ledger.ts";
import { withoutHolders } from "./quota.ts";
import type { Run } from "./run.ts";
import { expireOtherGenerations } from "./semaphore.ts";

/** Whoever asks drives: the former process was ended from outside, or there is none. */
export function drive(run: Run, generation: string, nowMs: number): void {
  for (const record of freeLeases(run, generation, nowMs)) {
    orphan(record, nowMs);
    run.ledger.put(record);
  }
}

/** The former process hung or died by itself, and `generation` takes its place. */
export function succeed(run: Run, generation: string, nowMs: number): void {
  const lost = freeLeases(run, generation, nowMs);
  for (const record of lost) {
    loseLease(record, nowMs, lost.length === 1);
    run.ledger.put(record);
  }
}

/** Ends the leases of other generations; returns their chunks, still as they were. */
function freeLeases(run: Run, generation: string, nowMs: number): readonly ChunkRecord[] {
  if (run.state.generation !== generation) run.state.quota = withoutHolders(run.state.quota, nowMs);
  run.state.generation = generation;
  return expireOtherGenerations(run.semaphore, generation).map((lease) => {
    forgetInvocation(run.dispatch, lease.invocation);
    const record = run.ledger.get(lease.chunk);
    assert(record !== undefined, "a lease is for a chunk of the ledger");
    return record;
  });
}
