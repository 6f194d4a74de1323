/**
 * Mistakes planted into the Run, one at a time: a checker that does not find them is none.
 *
 * Each undoes one protection around the real core and leaves everything else as it is.
 */
import type { Commit, SyncAnswer, SyncRequest } from "../core/protocol.ts";
import type { Run } from "../core/run/run.ts";
import { type Synced, sync } from "../core/run/sync.ts";
import type { Bug } from "./options.ts";

export interface Bugs {
  sync(run: Run, request: SyncRequest, nowMs: number, wallMs: number): Synced;
  afterEvent(run: Run): void;
}

const NONE: Bugs = { sync, afterEvent: () => {} };

export function planted(bug: Bug | null): Bugs {
  switch (bug) {
    case null:
      return NONE;
    case "extra-permit":
      return { ...NONE, sync: withExtraPermit };
    case "unfenced-lease":
      return { ...NONE, sync: withoutFence };
    case "unchecked-part":
      return { ...NONE, sync: withoutPartCheck };
    case "lost-redispatch":
      return { ...NONE, afterEvent: neverRepeatingOffers };
    case "unheeded-outage":
      return { ...NONE, sync: withoutOutage };
    case "endless-outage":
      return { ...NONE, afterEvent: neverLifting };
    default:
      bug satisfies never;
      throw new Error("unknown bug");
  }
}

function altered(synced: Synced, change: Partial<SyncAnswer>): Synced {
  return { ...synced, answer: { ...synced.answer, ...change } };
}

/** Lanes never hear that the circuit is open: every try costs an attempt. */
function withoutOutage(run: Run, request: SyncRequest, nowMs: number, wallMs: number): Synced {
  return altered(sync(run, request, nowMs, wallMs), { circuit: "closed" });
}

/** Bad items that are left keep the circuit open for ever. */
function neverLifting(run: Run): void {
  const { circuit } = run.state.quota;
  if (circuit.silence === null || circuit.silence.connectedSinceMs === null) return;
  const silence = { ...circuit.silence, connectedSinceMs: null };
  run.state.quota = { ...run.state.quota, circuit: { ...circuit, silence } };
}

/** Every grant holds one instant more than the limiter counted. */
function withExtraPermit(run: Run, request: SyncRequest, nowMs: number, wallMs: number): Synced {
  const synced = sync(run, request, nowMs, wallMs);
  const { grant } = synced.answer;
  if (grant.kind !== "granted" || grant.probe) return synced;
  return altered(synced, { grant: { ...grant, count: grant.count + 1 } });
}

/** Whoever commits for a chunk is taken for the one who holds it, and always counts as a holder. */
function withoutFence(run: Run, request: SyncRequest, nowMs: number, wallMs: number): Synced {
  const commits = request.commits.map((commit) => ({ ...commit, fence: currentFence(run, commit) }));
  for (const { fence } of commits) {
    const lease = run.semaphore.live.get(fence);
    if (lease !== undefined) run.semaphore.live.set(fence, { ...lease, invocation: request.invocation });
  }
  const synced = sync(run, { ...request, commits }, nowMs, wallMs);
  const asked = new Map(commits.map(({ fence }, at) => [fence, request.commits[at]?.fence ?? fence]));
  const outcomes = synced.answer.commits.map((outcome) => ({
    ...outcome,
    fence: asked.get(outcome.fence) ?? outcome.fence,
  }));
  return altered(synced, { commits: outcomes });
}

function currentFence(run: Run, commit: Commit): number {
  const isOwn = run.semaphore.live.get(commit.fence)?.helps != null;
  for (const { chunk, helps, fence } of run.semaphore.live.values())
    if (!isOwn && helps === null && chunk === commit.chunk) return fence;
  return commit.fence;
}

/** A part that was committed before is counted once more. */
function withoutPartCheck(run: Run, request: SyncRequest, nowMs: number, wallMs: number): Synced {
  const isNew = request.seq > (run.answers.get(request.invocation)?.seq ?? 0);
  for (const { chunk, part, checkpoint } of isNew ? request.commits : []) {
    const record = run.ledger.get(chunk);
    if (part === null || record === undefined || part.n >= record.parts) continue;
    record.parts = part.n;
    record.cursor = Math.min(record.cursor, checkpoint.cursor);
    record.ok = checkpoint.cursor - checkpoint.deferred.length - part.ok - part.failed - record.failed;
    run.ledger.put(record);
  }
  return sync(run, request, nowMs, wallMs);
}

/** An offer that was sent counts as taken for ever, and is forgotten by no restart. */
function neverRepeatingOffers(run: Run): void {
  run.dispatch.repeatMs = Number.POSITIVE_INFINITY;
}
