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
  /** How far the run clock may go at once while leases are live; absent: as the product says. */
  readonly forwardLimitMs?: number;
}

const NONE: Bugs = { sync, afterEvent: () => {} };

/** Those of the Run; the others are planted where they belong (`calls.ts`, `network.ts`, `process.ts`, `storage.ts`). */
const PLANTED: Partial<Record<Bug, Partial<Bugs>>> = {
  "extra-permit": { sync: withExtraPermit },
  "unfenced-lease": { sync: withoutFence },
  "unchecked-part": { sync: withoutPartCheck },
  "lost-redispatch": { afterEvent: neverRepeatingOffers },
  "unheeded-outage": { sync: withoutOutage },
  "endless-outage": { afterEvent: neverLifting },
  "unmarked-side-lane": { sync: withoutHelps },
  "crowded-host": { sync: withHostPermitsTwice },
  "free-tokens": { sync: withFreeTokens },
  "uncounted-spending": { afterEvent: neverSpending },
  "leaping-run": { forwardLimitMs: Number.POSITIVE_INFINITY },
  "late-permits": { sync: withLongGrace },
  "overlong-lease": { sync: withLongLeases },
};

export function planted(bug: Bug | null): Bugs {
  return bug === null ? NONE : { ...NONE, ...PLANTED[bug] };
}

function altered(synced: Synced, change: Partial<SyncAnswer>): Synced {
  return { ...synced, answer: { ...synced.answer, ...change } };
}

/** Lanes do not learn that the circuit is open: every try costs an attempt. */
function withoutOutage(run: Run, request: SyncRequest, nowMs: number, wallMs: number): Synced {
  const { answer, isDurable } = sync(run, request, nowMs, wallMs);
  const { openedIn: _, ...rest } = answer;
  return { answer: { ...rest, circuit: "closed" }, isDurable };
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

/** Instants stay usable long after their time. */
function withLongGrace(run: Run, request: SyncRequest, nowMs: number, wallMs: number): Synced {
  const synced = sync(run, request, nowMs, wallMs);
  const { grant } = synced.answer;
  if (grant.kind !== "granted") return synced;
  return altered(synced, { grant: { ...grant, graceMs: 20 * grant.graceMs } });
}

/** A side lane takes the chunk for its own. */
function withoutHelps(run: Run, request: SyncRequest, nowMs: number, wallMs: number): Synced {
  const synced = sync(run, request, nowMs, wallMs);
  const leases = synced.answer.leases.map(({ fence, work }) => ({ fence, work }));
  return altered(synced, { leases });
}

/** Every instant for a host is given out twice. */
function withHostPermitsTwice(run: Run, request: SyncRequest, nowMs: number, wallMs: number): Synced {
  const synced = sync(run, request, nowMs, wallMs);
  const { hosts } = synced.answer;
  if (hosts === undefined) return synced;
  const twice = hosts.map((host) => ({ ...host, sendInMs: host.sendInMs.flatMap((ms) => [ms, ms]) }));
  return altered(synced, { hosts: twice });
}

/** Calls cost nothing, before and after. */
function withFreeTokens(run: Run, request: SyncRequest, nowMs: number, wallMs: number): Synced {
  const { costed } = request;
  if (costed === undefined) return sync(run, request, nowMs, wallMs);
  const waiting = costed.waiting.map((call) => ({ ...call, input: 0, output: 0 }));
  const free = { usage: { inputTokens: 0, outputTokens: 0 } };
  const settled = costed.settled.map((call) => ({ ...call, ...free, reserved: 0 }));
  return sync(run, { ...request, costed: { ...costed, waiting, settled } }, nowMs, wallMs);
}

/** What was spent is forgotten. */
function neverSpending(run: Run): void {
  const { spent } = run.state.usage;
  run.state.usage.spent = { ...spent, calls: 0, inputTokens: 0, outputTokens: 0, unreportedTokens: 0 };
}

/** Holders believe in a lease for longer than it lasts. */
function withLongLeases(run: Run, request: SyncRequest, nowMs: number, wallMs: number): Synced {
  const synced = sync(run, request, nowMs, wallMs);
  return altered(synced, { leaseTtlMs: 4 * synced.answer.leaseTtlMs });
}
