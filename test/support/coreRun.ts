/** A run of the real core on a ledger in memory, and requests to it with everything filled in. */

import type { Commit, Lease, Report, SyncAnswer, SyncRequest } from "../../src/core/protocol.ts";
import { MemoryLedger } from "../../src/core/run/memoryLedger.ts";
import { addChunks, createState, type Run, startRun } from "../../src/core/run/run.ts";
import { createSemaphore } from "../../src/core/run/semaphore.ts";
import { sync } from "../../src/core/run/sync.ts";
import { SPEC_DEFAULTS, type Spec } from "../../src/core/spec.ts";

export function spec(change: Partial<Spec> = {}): Spec {
  return {
    ...SPEC_DEFAULTS,
    name: null,
    source: { kind: "items", items: [] },
    task: { kind: "http", url: "https://example.com/{{item}}" },
    ...change,
  };
}

/** A run with `items` planned in chunks of the spec's size; the run clock starts at 0. */
export function plannedRun(items: number, change: Partial<Spec> = {}, lingerMs = 0): Run {
  const state = createState(
    {
      runId: "r_1",
      rootId: "r_1",
      parentRunId: null,
      spec: spec(change),
      itemSource: { kind: "items", items: [] },
      generation: "1",
      createdAtMs: 0,
      lingerMs,
    },
    0,
  );
  const run = startRun(
    state,
    { semaphore: createSemaphore(1, lingerMs), ledger: new MemoryLedger(), lanesPerInvocation: () => 5 },
    0,
  );
  const size = state.spec.chunkSize;
  const chunks = Array.from({ length: Math.ceil(items / size) }, (_, at) => ({
    first: at * size,
    count: Math.min(size, items - at * size),
    position: "",
  }));
  addChunks(run, { at: 0, chunks, cursor: null });
  return run;
}

export function report(change: Partial<Report> = {}): Report {
  return {
    calls: 0,
    throttled: 0,
    inFlight: 0,
    answered: 0,
    probeAnswered: false,
    troubles: [],
    troublesSinceAnswer: 0,
    callMs: 0,
    forfeited: 0,
    blocked: null,
    operations: {},
    ...change,
  };
}

/** One invocation of a run: knows its seq and what it holds. */
export class Invocation {
  readonly held = new Map<number, Lease>();
  seq = 0;
  readonly run: Run;
  readonly name: string;

  constructor(run: Run, name: string) {
    this.run = run;
    this.name = name;
  }

  ask(nowMs: number, change: Partial<SyncRequest> = {}): SyncAnswer {
    this.seq += 1;
    return this.repeat(nowMs, change);
  }

  /** The same seq again: a lost answer. */
  repeat(nowMs: number, change: Partial<SyncRequest> = {}): SyncAnswer {
    const request: SyncRequest = {
      invocation: this.name,
      seq: this.seq,
      queue: 0,
      generation: "1",
      capacity: 5,
      held: [...this.held.keys()],
      want: 0,
      report: report(),
      commits: [],
      indexed: [],
      announce: [],
      settingsVersion: 0,
      ...change,
    };
    const { answer } = sync(this.run, request, nowMs, nowMs);
    for (const commit of request.commits) if (commit.release) this.held.delete(commit.fence);
    for (const lost of answer.lost) this.held.delete(lost);
    for (const lease of answer.leases) this.held.set(lease.fence, lease);
    return answer;
  }
}

/** A commit that settles the next `count` items of a lease as ok. */
export function commitOf(lease: Lease, count: number, change: Partial<Commit> = {}): Commit {
  const { work } = lease;
  const cursor = Math.min(work.count, work.checkpoint.cursor + count);
  return {
    fence: lease.fence,
    chunk: work.chunk,
    part: {
      chunk: work.chunk,
      n: work.parts,
      key: `${work.chunk}/${work.parts}`,
      firstIndex: work.first + work.checkpoint.cursor,
      lastIndex: work.first + cursor - 1,
      ok: cursor - work.checkpoint.cursor,
      failed: 0,
      bytes: 1,
      sha256: "",
    },
    checkpoint: { cursor, position: null, deferred: [] },
    release: true,
    ...change,
  };
}
