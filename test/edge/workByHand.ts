/**
 * A real Run object worked by a test instead of by lanes: it leases chunks, writes parts, commits them.
 * The run belongs to a generation that is not this Worker's, so nothing else works on it.
 */

import { planRun } from "../../src/background/planner.ts";
import type { Checkpoint, Commit, Lease, SyncAnswer } from "../../src/core/protocol.ts";
import type { SourceSpec, Spec } from "../../src/core/spec.ts";
import type { Env } from "../../src/objects/env.ts";
import type { Run } from "../../src/objects/run.ts";
import { runById } from "../../src/objects/runStub.ts";
import {
  encodePart,
  type PartRow,
  partKey,
  partMeta,
  sha256Hex,
  spanOf,
  writePart,
} from "../../src/storage/rows/parts.ts";
import { report, spec } from "../support/coreRun.ts";

export const GENERATION = "by hand";

/** A row as a lane would write it. */
export function rowOf(index: number, ok: boolean, message = "404 Not Found"): PartRow {
  const outcome = ok
    ? `"value":null`
    : `"error":{"kind":"http","message":${JSON.stringify(message)},"retryable":false}`;
  const line = `{"index":${index},"item":"i${index}","ok":${ok},"attempts":1,"throttles":0,${outcome}}`;
  return { index, ok, line };
}

export interface HandRun {
  readonly id: string;
  readonly run: Run;
  /** Leases the next chunk; null when there is none. */
  lease(): Promise<Lease | null>;
  /** Writes the part and commits it; `open` are ordinals that stay deferred, `cursor` how far the chunk is. */
  commit(
    lease: Lease,
    part: { n: number; rows: readonly PartRow[]; cursor: number; open?: readonly number[] },
  ): Promise<void>;
  /** Gives every lease back as far as its chunk is committed. */
  handBack(): Promise<void>;
  /** Works every chunk in one part; `isOk` says how an item went. */
  workAll(isOk: (index: number) => boolean): Promise<void>;
}

/** Creates and plans a run. */
export async function handRun(
  env: Env,
  id: string,
  given: {
    readonly spec: Partial<Spec> & { readonly source: SourceSpec };
    readonly itemSource?: SourceSpec;
    readonly rootId?: string;
    readonly parentRunId?: string;
  },
): Promise<HandRun> {
  const run = runById(env, id);
  await run.create({
    runId: id,
    rootId: given.rootId ?? id,
    parentRunId: given.parentRunId ?? null,
    spec: spec({ maxParallelism: 4, tolerate: { failureRate: 1, over: 1000, then: "pause" }, ...given.spec }),
    itemSource: given.itemSource ?? given.spec.source,
    generation: GENERATION,
    createdAtMs: Date.now(),
  });
  await planRun(env, id);

  let seq = 0;
  /** Leases that came with an answer and were not asked for yet. */
  const waiting: Lease[] = [];
  const held = new Map<number, { chunk: number; checkpoint: Checkpoint }>();
  const sync = async (commits: readonly Commit[], capacity: number): Promise<SyncAnswer> => {
    const answer = await run.sync({
      invocation: "hand",
      seq: ++seq,
      queue: 0,
      generation: GENERATION,
      capacity,
      held: [...held.keys()],
      want: 0,
      report: report(),
      commits,
      indexed: [],
      announce: [],
      settingsVersion: 0,
    });
    waiting.push(...answer.leases);
    for (const { fence, work } of answer.leases) held.set(fence, work);
    const refused = answer.commits.find((commit) => commit.kind !== "committed");
    if (refused !== undefined) throw new Error(`not committed: ${JSON.stringify(refused)}`);
    return answer;
  };

  const hand: HandRun = {
    id,
    run,
    async lease() {
      if (waiting.length === 0) await sync([], held.size + 1);
      return waiting.shift() ?? null;
    },
    async commit({ fence, work }, { n, rows, cursor, open = [] }) {
      const { chunk } = work;
      const key = partKey(id, chunk, n);
      const bytes = encodePart(rows);
      await writePart(env.BUCKET, key, bytes);
      const sha256 = await sha256Hex(bytes);
      const part = partMeta({ chunk, n, key, span: spanOf(rows), bytes, sha256 });
      const deferred = open.map((ordinal) => ({
        ordinal,
        position: ordinal,
        attempts: 1,
        throttles: 0,
        dueInMs: 0,
      }));
      const checkpoint = { cursor, position: null, deferred };
      held.set(fence, { chunk, checkpoint });
      await sync([{ fence, chunk, part, checkpoint, release: false }], held.size);
      if (cursor === work.count && open.length === 0) held.delete(fence);
    },
    async handBack() {
      const commits = [...held].map(([fence, { chunk, checkpoint }]) => {
        return { fence, chunk, part: null, checkpoint, release: true };
      });
      await sync(commits, 0);
      held.clear();
      waiting.length = 0;
    },
    async workAll(isOk) {
      for (;;) {
        const lease = await hand.lease();
        if (lease === null) return;
        const { first, count, indexes } = lease.work;
        const all = indexes ?? Array.from({ length: count }, (_, i) => first + i);
        await hand.commit(lease, {
          n: 0,
          rows: all.map((index) => rowOf(index, isOk(index))),
          cursor: count,
        });
      }
    },
  };
  return hand;
}

/** The catalog's last snapshot follows the run's end a moment later: waits until it is there. */
export async function untilCataloged(env: Env, id: string, status: string): Promise<void> {
  for (;;) {
    const row = await env.DB.prepare("SELECT status FROM runs WHERE id = ?1")
      .bind(id)
      .first<{ status: string }>();
    if (row?.status === status) return;
    await scheduler.wait(10);
  }
}
