/**
 * The Run object: the only authority on a run. It loads, asks the core, stores, then acts.
 *
 * Invariants: every decision is made by `src/core`; nothing is awaited between reading and writing state, so a
 * method is one transaction; queue messages and catalog snapshots leave after the writes and may be lost, the
 * alarm repeats them. A restart at any instant loses at most unspent permits and counters of the last second.
 * Embedded, a run is worked on only in the generation that drives it: in another one no alarm does anything.
 */
import { DurableObject } from "cloudflare:workers";
import { ERRANDS_QUEUE } from "../core/limits.ts";
import type {
  ChunkWork,
  Operations,
  PartMeta,
  QueueMessage,
  RunSettings,
  SyncAnswer,
  SyncRequest,
} from "../core/protocol.ts";
import { type FieldReport, showTotals } from "../core/reduce/reduce.ts";
import { toWork } from "../core/run/ledger.ts";
import { afterTry } from "../core/run/notice.ts";
import type { CreateRun, PatchRun } from "../core/run/run.ts";
import * as core from "../core/run/run.ts";
import { isEnded, type RunView } from "../core/run/runView.ts";
import { spend } from "../core/run/spend.ts";
import { settingsOf, sync } from "../core/run/sync.ts";
import { drive, succeed } from "../core/run/takeover.ts";
import { view } from "../core/run/view.ts";
import type { Unreadable } from "../core/run/whyUnreadable.ts";
import { errandMoved, wakeAtMs, work } from "../core/run/work.ts";
import type { Env } from "../objects/env.ts";
import type { Control, LedgerRow, Run, UnsettledChunk } from "../objects/run.ts";
import { scheduleById } from "../objects/scheduleStub.ts";
import { upsertRun } from "../storage/index/catalog.ts";
import { sendNotice } from "./notify.ts";
import { invocationLanes, laneQueue } from "./queues.ts";
import { RunStore } from "./store.ts";

/** A catalog snapshot that D1 refused is tried again after this. */
const CATALOG_RETRY_MS = 5000;
/** An alarm is not set for sooner than this: the present event is still being answered. */
const SOONEST_ALARM_MS = 20;

export class RunObject extends DurableObject<Env> implements Run {
  readonly #store: RunStore;
  /** Wall-clock instant the alarm is set for; null when unknown or none. */
  #alarmAtMs: number | null = null;
  /** Status the catalog knows. */
  #cataloged: string | null = null;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#store = new RunStore(ctx.storage.sql, (max) => invocationLanes(env, max));
    this.#succeed();
  }

  async create(input: CreateRun): Promise<Control> {
    if (this.#store.run === null) {
      const nowMs = this.#store.now();
      this.#store.create(core.createState(input, nowMs), nowMs);
      this.#after();
    }
    return this.#ok();
  }

  async view(): Promise<RunView | null> {
    this.#store.count("object");
    return this.#store.run === null ? null : this.#view(this.#store.run);
  }

  async sync(request: SyncRequest): Promise<SyncAnswer> {
    const run = this.#store.run;
    if (run === null) return drained(request);
    this.#store.count("object");
    const answer = sync(run, request, this.#store.now(), Date.now());
    const isQuiet =
      request.commits.length === 0 &&
      request.indexed.length === 0 &&
      request.announce.length === 0 &&
      request.capacity > 0 &&
      answer.leases.length === 0 &&
      answer.lost.length === 0;
    this.#after(isQuiet);
    return answer;
  }

  async pause(reason: string): Promise<Control> {
    return this.#control((run) => core.pause(run, reason));
  }

  async resume(generation: string): Promise<Control> {
    return this.#control((run) => core.resume(run, generation, this.#store.now()));
  }

  async cancel(): Promise<Control> {
    const generation = this.env.WEIR_GENERATION ?? "";
    return this.#control((run) => core.cancel(run, generation, this.#store.now()));
  }

  async approve(): Promise<Control> {
    return this.#control((run) => core.approve(run));
  }

  async patch(change: PatchRun): Promise<Control> {
    return this.#control((run) => core.patch(run, change, core.limitDefaults(run), this.#store.now()));
  }

  async destroy(): Promise<Control<null>> {
    const run = this.#store.run;
    if (run === null) return { kind: "not-found" };
    if (!isEnded(run.state.status)) {
      return { kind: "conflict", message: `the run has not ended: ${run.state.status}` };
    }
    this.#store.forget();
    await this.ctx.storage.deleteAlarm();
    await this.ctx.storage.deleteAll();
    return { kind: "ok", value: null };
  }

  async report(): Promise<{ readonly [field: string]: FieldReport } | null> {
    const run = this.#store.run;
    const reduce = run?.state.spec.reduce ?? null;
    return run?.totals == null || reduce === null ? null : showTotals(reduce, run.totals);
  }

  async settings(): Promise<RunSettings | null> {
    return this.#store.run === null ? null : settingsOf(this.#store.run);
  }

  async planFrom(): Promise<{ settings: RunSettings; cursor: string | null; chunks: number } | null> {
    this.#store.count("object");
    const run = this.#store.run;
    if (run === null || run.state.plan.complete || !core.isWorking(run)) return null;
    return { settings: settingsOf(run), cursor: run.state.plan.cursor, chunks: run.state.chunks.total };
  }

  async addChunks(input: Parameters<Run["addChunks"]>[0]): Promise<void> {
    this.#change((run) => {
      spend(run, input.spent);
      core.addChunks(run, input);
      errandMoved(run, "plan", this.#store.now());
    });
  }

  async planFailed(message: string): Promise<void> {
    this.#change((run) => core.fail(run, message));
  }

  async partsInOrder(after: { chunk: number; n: number } | null, limit: number): Promise<PartMeta[]> {
    this.#store.count("object");
    return this.#store.ledger.partsInOrder(after, limit);
  }

  async partsByCommit(after: number, limit: number): Promise<{ seq: number; part: PartMeta }[]> {
    return this.#store.ledger.partsByCommit(after, limit);
  }

  async unindexed(limit: number): Promise<PartMeta[]> {
    this.#store.count("object");
    return this.#store.ledger.unindexedParts(limit);
  }

  async markIndexed(
    parts: readonly { readonly chunk: number; readonly n: number }[],
    spent: Partial<Operations> = {},
  ): Promise<void> {
    this.#change((run) => {
      spend(run, spent);
      core.markIndexed(run, parts, this.#store.now());
    });
  }

  async ledger(after: number, limit: number): Promise<LedgerRow[]> {
    return [...this.#store.ledger.list(after, limit)];
  }

  async unsettled(after: number, limit: number): Promise<UnsettledChunk[]> {
    return this.#store.ledger.unsettled(after, limit).map((record) => ({
      chunk: record.chunk,
      plan: record.plan,
      cursor: record.cursor,
      deferred: record.deferred.map((item) => item.ordinal),
    }));
  }

  async chunk(chunk: number): Promise<ChunkWork | null> {
    const record = this.#store.ledger.get(chunk);
    return record === undefined
      ? null
      : toWork(record, this.#store.now(), {
          deathsToFail: Number.POSITIVE_INFINITY,
          longestWaitMs: Number.POSITIVE_INFINITY,
        });
  }

  async finishFrom(): Promise<{ settings: RunSettings; state: string | null } | null> {
    this.#store.count("object");
    const run = this.#store.run;
    if (run?.state.status !== "finishing" || run.semaphore.live.size > 0 || run.state.unindexed > 0)
      return null;
    return { settings: settingsOf(run), state: run.state.finish };
  }

  async finishProgress(state: string, spent: Partial<Operations> = {}): Promise<void> {
    this.#change((run) => {
      spend(run, spent);
      if (run.state.status !== "finishing") return;
      run.state.finish = state;
      errandMoved(run, "finish", this.#store.now());
    });
  }

  async foundUnreadable(parts: readonly Unreadable[]): Promise<void> {
    this.#change((run) => core.foundUnreadable(run, parts));
  }

  async finished({ spent }: Parameters<Run["finished"]>[0]): Promise<void> {
    this.#change((run) => {
      spend(run, spent);
      core.finished(run, Date.now());
    });
  }

  async poke(): Promise<void> {
    this.#after();
  }

  /** Caught as a whole: the platform drops an alarm after six failed retries. */
  override async alarm(): Promise<void> {
    this.#store.count("object");
    this.#alarmAtMs = null;
    try {
      this.#after();
      await this.#notify();
    } catch (error) {
      console.error("alarm failed, armed again", error);
      await this.ctx.storage.setAlarm(Date.now() + CATALOG_RETRY_MS);
    }
  }

  /** The notice of the run's end, when its time has come. */
  async #notify(): Promise<void> {
    const run = this.#store.run;
    const due = run?.state.notice?.dueAtMs ?? null;
    if (run === null || due === null || due > this.#store.now() || !this.#isDriven(run)) return;
    const { notice } = run.state;
    const url = run.state.spec.onComplete?.url;
    if (notice === null || url === undefined) return;
    const result = await sendNotice(this.env, url, this.#view(run));
    // The run may have been resumed or deleted meanwhile: then this notice is nobody's any more.
    if (this.#store.run !== run || run.state.notice !== notice) return;
    run.state.notice = afterTry(notice, result, this.#store.now());
    this.#after();
  }

  #control(act: (run: core.Run) => core.Outcome): Control {
    const run = this.#store.run;
    if (run === null) return { kind: "not-found" };
    this.#store.count("object");
    const outcome = act(run);
    if (outcome.kind === "conflict") return outcome;
    this.#after();
    return this.#ok();
  }

  #change(act: (run: core.Run) => void): void {
    if (this.#store.run === null) return;
    this.#store.count("object");
    act(this.#store.run);
    this.#after();
  }

  #ok(): Control {
    const run = this.#store.run;
    return run === null ? { kind: "not-found" } : { kind: "ok", value: this.#view(run) };
  }

  #view(run: core.Run): RunView {
    return view(run, { nowMs: this.#store.now(), wallMs: Date.now(), driven: this.#isDriven(run) });
  }

  /** Goes on where a former runtime of the same process ended. */
  #succeed(): void {
    const run = this.#store.run;
    const { WEIR_SUCCEEDS = "", WEIR_GENERATION = "" } = this.env;
    if (run === null || !WEIR_SUCCEEDS.split(" ").includes(run.state.generation)) return;
    if (run.state.generation === "") return;
    const takeOver = this.env.WEIR_BLAMELESS === "yes" ? drive : succeed;
    takeOver(run, WEIR_GENERATION, this.#store.now());
    this.#after();
  }

  #isDriven(run: core.Run): boolean {
    return run.state.generation === (this.env.WEIR_GENERATION ?? "");
  }

  /** After every change: decide what has to happen, store, then let it happen. */
  #after(isQuiet = false): void {
    const run = this.#store.run;
    if (run === null) return;
    const nowMs = this.#store.now();
    const driven = this.#isDriven(run);
    const effects = driven ? work(run, nowMs) : { offers: [], errands: [] };
    run.state.operations.queue += effects.offers.length * 3 + effects.errands.length * 3;
    this.#store.save(nowMs, isQuiet);
    for (const queue of effects.offers) this.#send(queue, { v: 1, kind: "work", run: run.state.id });
    for (const errand of effects.errands)
      this.#send(ERRANDS_QUEUE, { v: 1, kind: errand, run: run.state.id });
    if (this.#cataloged !== run.state.status) {
      this.#tellSchedule(run);
      this.#catalog(run);
    }
    if (driven) this.#arm(run, nowMs);
  }

  #send(queue: number, message: QueueMessage): void {
    // A refused message is a lost one: the alarm repeats it.
    this.ctx.waitUntil(
      laneQueue(this.env, queue)
        .send(message)
        .catch((error: unknown) => console.warn("queue refused", error)),
    );
  }

  /** Its schedule looks at the next tick anyway: telling it saves that time, and may be lost. */
  #tellSchedule({ state }: core.Run): void {
    if (state.schedule === undefined || !isEnded(state.status)) return;
    const told = scheduleById(this.env, state.schedule).look();
    this.ctx.waitUntil(told.catch((error: unknown) => console.warn("schedule refused", error)));
  }

  #catalog(run: core.Run): void {
    const { status, rootId, itemSource } = run.state;
    this.#cataloged = status;
    const extra = { root: rootId, itemSource, atMs: Date.now() };
    const stored = upsertRun(this.env.DB, this.#view(run), extra).then(
      (rows) => spend(run, { d1RowsWritten: rows }),
      (error: unknown) => {
        console.warn("catalog refused", error);
        this.#cataloged = null;
        return this.#armAt(Date.now() + CATALOG_RETRY_MS);
      },
    );
    this.ctx.waitUntil(stored);
  }

  #arm(run: core.Run, nowMs: number): void {
    const wakeMs = wakeAtMs(run, nowMs);
    if (wakeMs === null) return;
    const atMs = Date.now() + Math.max(SOONEST_ALARM_MS, wakeMs - nowMs);
    this.ctx.waitUntil(this.#armAt(atMs));
  }

  /** Sets the alarm only when it has to ring earlier than it would: each setting is a row written. */
  async #armAt(atMs: number): Promise<void> {
    if (this.#alarmAtMs !== null && this.#alarmAtMs <= atMs) return;
    this.#alarmAtMs = atMs;
    this.#store.count("rowsWritten");
    await this.ctx.storage.setAlarm(atMs);
  }
}

/** The answer for a run that does not exist (any more): drop everything and end. */
function drained(request: SyncRequest): SyncAnswer {
  return {
    seq: request.seq,
    kind: "drain",
    epoch: 0,
    grant: { kind: "deferred", askAgainInMs: 1000 },
    leases: [],
    lost: request.held,
    shed: [],
    commits: request.commits.map(({ fence }) => ({ kind: "stale", fence })),
    leaseTtlMs: 0,
    pollMs: 1000,
    settings: null,
    circuit: "closed",
    refusedEpoch: 0,
    refusedStreak: 0,
  };
}
