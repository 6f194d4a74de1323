/**
 * The Run object: the only authority on a run. It is the driver (`driver.ts`) on SQLite, alarms, queues and the catalog.
 *
 * Invariants: every decision is made by `src/core`; nothing is awaited between reading and writing state, so a
 * method is one transaction; queue messages and catalog snapshots leave after the writes and may be lost, the
 * alarm repeats them. A restart at any instant loses at most unspent permits and counters of the last second.
 * Embedded, a run is worked on only in the generation that drives it: in another one no alarm does anything.
 */
import { DurableObject } from "cloudflare:workers";
import { ERRANDS_QUEUE, TARGET_SILENT_MS } from "../core/limits.ts";
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
import { settingsOf } from "../core/run/sync.ts";
import { drive, succeed } from "../core/run/takeover.ts";
import { view } from "../core/run/view.ts";
import type { Unreadable } from "../core/run/whyUnreadable.ts";
import { errandMoved } from "../core/run/work.ts";
import type { TargetAnswer, TargetAsk } from "../core/target/targetProtocol.ts";
import type { Env } from "../objects/env.ts";
import type { Control, LedgerRow, Run, UnsettledChunk } from "../objects/run.ts";
import { scheduleById } from "../objects/scheduleStub.ts";
import { targetByName } from "../objects/targetStub.ts";
import { upsertRun } from "../storage/index/catalog.ts";
import { type DriverPorts, RunDriver } from "./driver.ts";
import { sendNotice } from "./notify.ts";
import { invocationLanes, laneQueue } from "./queues.ts";
import { RunStore } from "./store.ts";

/** A catalog snapshot that D1 refused is tried again after this. */
const CATALOG_RETRY_MS = 5000;

export class RunObject extends DurableObject<Env> implements Run {
  readonly #store: RunStore;
  readonly #driver: RunDriver;
  /** Status the catalog knows. */
  #cataloged: string | null = null;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#store = new RunStore(ctx.storage.sql);
    const ports: DriverPorts = {
      ledger: this.#store.ledger,
      generation: env.WEIR_GENERATION ?? "",
      lanesPerInvocation: (max) => invocationLanes(env, max),
      reading: () => ({ wallMs: Date.now(), monotonicMs: performance.now() }),
      store: (change) => this.#store.store(change),
      send: (queue, kind) => this.#send(queue === "errands" ? ERRANDS_QUEUE : queue, kind),
      setAlarm: (atMs) => ctx.waitUntil(ctx.storage.setAlarm(atMs)),
      askTarget: (name, ask, answered) => ctx.waitUntil(this.#askTarget(name, ask).then(answered)),
      stored: (run) => this.#publish(run),
    };
    this.#driver = new RunDriver(ports, this.#store.load());
    this.#succeed();
  }

  get #run(): core.Run | null {
    return this.#driver.run;
  }

  async create(input: CreateRun): Promise<Control> {
    if (this.#run === null) this.#driver.create(input);
    return this.#ok();
  }

  async view(): Promise<RunView | null> {
    this.#driver.count("object");
    return this.#run === null ? null : this.#view(this.#run);
  }

  async sync(request: SyncRequest): Promise<SyncAnswer> {
    return this.#driver.sync(request) ?? drained(request);
  }

  async pause(reason: string): Promise<Control> {
    return this.#control((run) => core.pause(run, reason));
  }

  async resume(generation: string): Promise<Control> {
    return this.#control((run) => core.resume(run, generation, this.#driver.now()));
  }

  async cancel(): Promise<Control> {
    const generation = this.env.WEIR_GENERATION ?? "";
    return this.#control((run) => core.cancel(run, generation, this.#driver.now()));
  }

  async approve(): Promise<Control> {
    return this.#control((run) => core.approve(run));
  }

  async patch(change: PatchRun): Promise<Control> {
    return this.#control((run) =>
      core.patch(run, change, core.limitDefaults(run), { nowMs: this.#driver.now(), wallMs: Date.now() }),
    );
  }

  async destroy(): Promise<Control<null>> {
    const run = this.#run;
    if (run === null) return { kind: "not-found" };
    if (!isEnded(run.state.status)) {
      return { kind: "conflict", message: `the run has not ended: ${run.state.status}` };
    }
    this.#driver.forget();
    await this.ctx.storage.deleteAlarm();
    await this.ctx.storage.deleteAll();
    return { kind: "ok", value: null };
  }

  async report(): Promise<{ readonly [field: string]: FieldReport } | null> {
    const run = this.#run;
    const reduce = run?.state.spec.reduce ?? null;
    return run?.totals == null || reduce === null ? null : showTotals(reduce, run.totals);
  }

  async settings(): Promise<RunSettings | null> {
    return this.#run === null ? null : settingsOf(this.#run);
  }

  async planFrom(): Promise<{ settings: RunSettings; cursor: string | null; chunks: number } | null> {
    this.#driver.count("object");
    const run = this.#run;
    if (run === null || run.state.plan.complete || !core.isWorking(run)) return null;
    return { settings: settingsOf(run), cursor: run.state.plan.cursor, chunks: run.state.chunks.total };
  }

  async addChunks(input: Parameters<Run["addChunks"]>[0]): Promise<void> {
    this.#driver.change((run) => {
      spend(run, input.spent);
      core.addChunks(run, input);
      errandMoved(run, "plan", this.#driver.now());
    });
  }

  async planFailed(message: string): Promise<void> {
    this.#driver.change((run) => core.fail(run, message));
  }

  async partsInOrder(after: { chunk: number; n: number } | null, limit: number): Promise<PartMeta[]> {
    this.#driver.count("object");
    return this.#store.ledger.partsInOrder(after, limit);
  }

  async partsByCommit(after: number, limit: number): Promise<{ seq: number; part: PartMeta }[]> {
    return this.#store.ledger.partsByCommit(after, limit);
  }

  async unindexed(limit: number): Promise<PartMeta[]> {
    this.#driver.count("object");
    return this.#store.ledger.unindexedParts(limit);
  }

  async markIndexed(
    parts: readonly { readonly chunk: number; readonly n: number }[],
    spent: Partial<Operations> = {},
  ): Promise<void> {
    this.#driver.change((run) => {
      spend(run, spent);
      core.markIndexed(run, parts, this.#driver.now());
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
      : toWork(record, this.#driver.now(), {
          deathsToFail: Number.POSITIVE_INFINITY,
          longestWaitMs: Number.POSITIVE_INFINITY,
        });
  }

  async finishFrom(): Promise<{ settings: RunSettings; state: string | null } | null> {
    this.#driver.count("object");
    const run = this.#run;
    if (run?.state.status !== "finishing" || run.semaphore.live.size > 0 || run.state.unindexed > 0)
      return null;
    return { settings: settingsOf(run), state: run.state.finish };
  }

  async finishProgress(state: string, spent: Partial<Operations> = {}): Promise<void> {
    this.#driver.change((run) => {
      spend(run, spent);
      if (run.state.status !== "finishing") return;
      run.state.finish = state;
      errandMoved(run, "finish", this.#driver.now());
    });
  }

  async foundUnreadable(parts: readonly Unreadable[]): Promise<void> {
    this.#driver.change((run) => core.foundUnreadable(run, parts));
  }

  async finished({ spent }: Parameters<Run["finished"]>[0]): Promise<void> {
    this.#driver.change((run) => {
      spend(run, spent);
      core.finished(run, Date.now());
    });
  }

  async poke(): Promise<void> {
    this.#driver.afterEvent();
  }

  /** Caught as a whole: the platform drops an alarm after six failed retries. */
  override async alarm(): Promise<void> {
    try {
      this.#driver.wake();
      await this.#notify();
    } catch (error) {
      console.error("alarm failed, armed again", error);
      await this.ctx.storage.setAlarm(Date.now() + CATALOG_RETRY_MS);
    }
  }

  /** The notice of the run's end, when its time has come. */
  async #notify(): Promise<void> {
    const run = this.#run;
    const due = run?.state.notice?.dueAtMs ?? null;
    if (run === null || due === null || due > this.#driver.now() || !this.#driver.isDriven) return;
    const { notice } = run.state;
    const url = run.state.spec.onComplete?.url;
    if (notice === null || url === undefined) return;
    const result = await sendNotice(this.env, url, this.#view(run));
    // The run may have been resumed or deleted meanwhile: then this notice is nobody's any more.
    if (this.#run !== run || run.state.notice !== notice) return;
    run.state.notice = afterTry(notice, result, this.#driver.now());
    this.#driver.afterEvent();
  }

  #control(act: (run: core.Run) => core.Outcome): Control {
    const run = this.#run;
    if (run === null) return { kind: "not-found" };
    this.#driver.count("object");
    const outcome = act(run);
    if (outcome.kind === "conflict") return outcome;
    this.#driver.afterEvent();
    return this.#ok();
  }

  #ok(): Control {
    const run = this.#run;
    return run === null ? { kind: "not-found" } : { kind: "ok", value: this.#view(run) };
  }

  #view(run: core.Run): RunView {
    return view(run, { nowMs: this.#driver.now(), wallMs: Date.now(), driven: this.#driver.isDriven });
  }

  /** Goes on where a former runtime of the same process ended. */
  #succeed(): void {
    const run = this.#run;
    const { WEIR_SUCCEEDS = "", WEIR_GENERATION = "" } = this.env;
    if (run === null || !WEIR_SUCCEEDS.split(" ").includes(run.state.generation)) return;
    if (run.state.generation === "") return;
    const takeOver = this.env.WEIR_BLAMELESS === "yes" ? drive : succeed;
    takeOver(run, WEIR_GENERATION, this.#driver.now());
    this.#driver.afterEvent();
  }

  /** The catalog and the run's schedule learn of another status. */
  #publish(run: core.Run): void {
    if (this.#cataloged === run.state.status) return;
    this.#tellSchedule(run);
    this.#catalog(run);
  }

  #send(queue: number, kind: QueueMessage["kind"]): void {
    const run = this.#run?.state.id;
    if (run === undefined) return;
    // A refused message is a lost one: the alarm repeats it.
    this.ctx.waitUntil(
      laneQueue(this.env, queue)
        .send({ v: 1, kind, run })
        .catch((error: unknown) => console.warn("queue refused", error)),
    );
  }

  /** Null: no answer came in time. It never rejects. */
  async #askTarget(name: string, ask: TargetAsk): Promise<TargetAnswer | null> {
    const silent = scheduler.wait(TARGET_SILENT_MS).then(() => null);
    const asked = targetByName(this.env, name)
      .ask(ask)
      .catch((error: unknown) => {
        console.warn(`target ${name} refused:`, error);
        return null;
      });
    return Promise.race([asked, silent]);
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
        this.#driver.wakeWithin(CATALOG_RETRY_MS);
      },
    );
    this.ctx.waitUntil(stored);
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
