/**
 * The smoke stage: the first items of a run go alone, then a gate decides. Their rows count like all others.
 *
 * Invariant: while the gate is shut no item beyond the first `smoke.items` is tried. A chunk that holds the border
 * is leased up to it and then parked; opening the gate frees it. Automatic: the gate opens when no more than
 * `maxFailureRate` of them failed, else the run awaits approval; manual: it always does.
 */

import { counted, number } from "../sentence.ts";
import { type ChunkRecord, PARKED_MS } from "./ledger.ts";
import type { Run, RunState } from "./run.ts";

/** True while only the smoke stage's items may be tried. */
export function isSmoking(state: RunState): boolean {
  return state.spec.smoke !== null && !state.smokePassed;
}

/** Ordinals of the chunk below this belong to the stage: 0 for none; null when there is no border any more. */
export function smokeBorder(run: Run, chunk: number): number | null {
  const { smoke } = run.state.spec;
  if (smoke === null || run.state.smokePassed) return null;
  let before = 0;
  for (let earlier = 0; earlier < chunk && before < smoke.items; earlier++) {
    before += run.ledger.get(earlier)?.plan.count ?? 0;
  }
  return Math.max(0, smoke.items - before);
}

/** Chunks that can be worked on while the gate is shut. */
export function smokeChunks(run: Run): number {
  let open = 0;
  for (let chunk = 0; chunk < run.state.chunks.total; chunk++) {
    if (smokeBorder(run, chunk) === 0) break;
    const record = run.ledger.get(chunk);
    if (record !== undefined && record.state !== "done" && record.availableAtMs < PARKED_MS) open += 1;
  }
  return open;
}

/** A chunk given back with nothing of the stage left waits for the gate. */
export function parkAtBorder(run: Run, record: ChunkRecord): void {
  const border = smokeBorder(run, record.chunk);
  if (border === null || record.state !== "pending") return;
  if (record.cursor >= border && record.deferred.length === 0) record.availableAtMs = PARKED_MS;
}

/** After a commit: decides once every item of the stage has a row. */
export function judgeSmoke(run: Run): void {
  const { state } = run;
  const { smoke } = state.spec;
  if (smoke === null || state.smokePassed || state.counts.done < smoke.items) return;
  if (state.plan.complete && state.counts.done === state.items) return;
  if (state.status !== "smoke" && state.status !== "planning") return;
  const { done, failed } = state.counts;
  const few = failed <= smoke.maxFailureRate * done;
  if (smoke.gate === "auto" && few) {
    openGate(run);
    return;
  }
  state.status = "awaiting-approval";
  const sums = `${number(failed)} of ${counted(done, "item")} failed`;
  state.reason = few
    ? `smoke stage done: ${sums}; approve to go on`
    : `smoke stage: ${sums}, more than smoke.maxFailureRate (${smoke.maxFailureRate}) allows; approve to go on all the same`;
}

/** The rest may be tried. */
export function openGate(run: Run): void {
  const { state } = run;
  const last = state.spec.smoke?.items ?? 0;
  for (let chunk = 0; chunk < Math.min(state.chunks.total, last); chunk++) {
    const record = run.ledger.get(chunk);
    if (record === undefined || record.availableAtMs < PARKED_MS) continue;
    run.ledger.put({ ...record, availableAtMs: 0 });
  }
  state.smokePassed = true;
  state.reason = null;
  state.status = state.plan.complete ? "running" : "planning";
}
