/**
 * From rows to committed parts, for one chunk.
 *
 * Invariants: part → commit → index, in this order; part n+1 is not written before n is committed; no part is
 * written after the lease is over; if part n is there already its rows count and own rows of the same items are
 * dropped. The lane goes on calling meanwhile, as long as no more than two parts' rows are waiting.
 */
import { COMMIT_WITHIN_MS, PART_IDLE_MS, PART_MIN_ROWS, RELEASE_WITHIN_MS } from "../../core/limits.ts";
import type { ChunkWork, CommitOutcome, PartMeta, RunSettings } from "../../core/protocol.ts";
import { reduceRows } from "../../core/reduce/reduce.ts";
import type { Usage } from "../../core/usage.ts";
import { describePart, type PartRow, partKey, partMeta, usageOfRows } from "../../storage/rows/parts.ts";
import { messageOf } from "../../tasks/faults.ts";
import type { Clock } from "../clock.ts";
import type { LaneCommit } from "../exchange.ts";
import { insist } from "../items/insist.ts";
import type { Progress, Snapshot } from "../items/progress.ts";
import type { LanePorts, StoredPart } from "../ports.ts";
import { checkpointAfter, ordinalOf, ordinalsIn } from "./adopt.ts";
import type { Turns } from "./turns.ts";
import { type CutRows, rowsOf, WaitingRows } from "./waitingRows.ts";

export interface WriterContext {
  readonly clock: Clock;
  readonly ports: LanePorts;
  readonly settings: () => RunSettings;
  readonly fence: number;
  readonly work: ChunkWork;
  readonly progress: Progress;
  /** Size of the first part as a share of a full one, above 0 to 1. */
  readonly firstPartShare: number;
  /** A row waits no longer than this for its part, whatever the spec's checkpoint says; Infinity: as that says. */
  rowsWaitMs(): number;
  readonly turns: Turns;
  /** Ends with the lease. */
  readonly signal: AbortSignal;
  commit(commit: LaneCommit, withinMs: number): Promise<CommitOutcome["kind"] | "closed">;
  /** A request leaves within so long. */
  hurry(withinMs: number): void;
  indexed(chunk: number, n: number): void;
  /** Work that may outlive the lane but not the invocation. */
  background(work: Promise<void>): void;
  /** The lease is not the lane's any more. */
  lost(): void;
  /** The run cannot go on without help, as a sentence. */
  block(sentence: string): void;
  /** Storage refuses, and the writer tries again. */
  refused(sentence: string): void;
}

type Published = "committed" | "adopted" | "lost" | "refused";

export class PartWriter {
  readonly #context: WriterContext;
  readonly #rows = new WaitingRows();
  #firstRowMs = 0;
  #next: number;
  #committed: Snapshot;
  #pending: Promise<Published> | null = null;
  #trouble: string | null = null;
  readonly #adopted = new Set<number>();
  /** The lane is handing its chunk back. */
  #isEnding = false;
  /** Goes with the commit that gives the lease back. */
  #extra: { readonly trouble?: string } = {};

  constructor(context: WriterContext) {
    this.#context = context;
    this.#next = context.work.parts;
    this.#committed = context.progress.snapshot(context.clock.now());
  }

  /** Why nothing can be written, as a sentence; null while all is well. */
  get trouble(): string | null {
    return this.#trouble;
  }

  /** True while the lane should not add rows. */
  get isFull(): boolean {
    const { items, bytes } = this.#context.settings().spec.checkpoint;
    return this.#pending !== null && (this.#rows.count >= items || this.#rows.byteLength >= bytes);
  }

  /** Another lane's part has the row of this item. */
  isAdopted(ordinal: number): boolean {
    return this.#adopted.has(ordinal);
  }

  add(row: PartRow): void {
    if (this.#rows.count === 0) this.#firstRowMs = this.#context.clock.now();
    this.#rows.add(row);
  }

  /** Begins a part if one is due and the last one is committed. */
  cutIfDue(): void {
    if (this.#pending === null && this.#trouble === null && this.#isDue()) this.#cut(false, COMMIT_WITHIN_MS);
  }

  /** Resolves when the part under way is committed, or will never be. */
  async settle(): Promise<void> {
    while (this.#pending !== null) await this.#pending;
  }

  /** Commits every row at once: a careful lane waits after each. */
  async commitNow(): Promise<void> {
    for (;;) {
      await this.settle();
      if (this.#rows.count === 0 || !this.#goesOn) return;
      await this.#cut(false, 0);
    }
  }

  /** Commits what is there and gives the lease back. `trouble`: who refused, for `why`. */
  async handBack(trouble: string | null): Promise<void> {
    if (trouble !== null) this.#extra = { trouble };
    // The slot waits for the part under way: that one waits for no company any more.
    this.#isEnding = true;
    if (this.#pending !== null) this.#context.hurry(RELEASE_WITHIN_MS);
    for (;;) {
      await this.settle();
      if (!this.#goesOn) break;
      if ((await this.#cut(true, RELEASE_WITHIN_MS)) === "committed") return;
    }
    if (this.#trouble === null || this.#context.signal.aborted) return;
    // Rows that cannot be written are given up: their items are called again by whoever gets the chunk.
    const end = { release: true, trouble: this.#trouble };
    await this.#commit(null, this.#committed, end, RELEASE_WITHIN_MS, noRows);
  }

  /** Looks for a part that a lost lane wrote and did not commit. */
  async adoptWritten(): Promise<void> {
    const key = this.#key();
    const found = await this.#insist("object storage", () => this.#context.ports.readPart(key));
    if (found !== null && found !== undefined) await this.#adopt(found, []);
  }

  get #goesOn(): boolean {
    return this.#trouble === null && !this.#context.signal.aborted;
  }

  #isDue(): boolean {
    const rows = this.#rows.count;
    if (rows === 0) return false;
    const { items, bytes, ms } = this.#context.settings().spec.checkpoint;
    const isFirst = this.#next === this.#context.work.parts;
    if (isFirst && rows >= items * this.#context.firstPartShare) return true;
    if (rows >= items || this.#rows.byteLength >= bytes) return true;
    const ageMs = this.#context.clock.now() - this.#firstRowMs;
    const byTimeMs = rows >= PART_MIN_ROWS ? ms : Math.max(ms, PART_IDLE_MS);
    // Lanes that begin together would cut their early parts together too.
    const share = isFirst ? this.#context.firstPartShare : 1;
    return ageMs >= Math.min(byTimeMs, share * this.#context.rowsWaitMs());
  }

  /** Takes the rows and the state that goes with them in one step. */
  #cut(release: boolean, withinMs: number): Promise<Published> {
    const cut = this.#rows.take();
    const snapshot = this.#context.progress.snapshot(this.#context.clock.now());
    const publishing = this.#publish(cut, snapshot, release, withinMs);
    this.#pending = publishing
      .catch((fault) => this.#refuse(messageOf(fault)))
      .then((published) => {
        this.#pending = null;
        if (published !== "lost" && published !== "refused") this.cutIfDue();
        return published;
      });
    return this.#pending;
  }

  async #publish(cut: CutRows, snapshot: Snapshot, release: boolean, withinMs: number): Promise<Published> {
    const end = { release, ...(release ? this.#extra : {}) };
    const { bytes, span, usage } = cut;
    if (span === null) return this.#commit(null, snapshot, end, withinMs, noRows);
    const { ports, work, turns, signal } = this.#context;
    const key = this.#key();
    const sha256 = await ports.hash(bytes);
    const part = partMeta({ chunk: work.chunk, n: this.#next, key, span, bytes, sha256 });
    const rows = () => rowsOf(cut);
    const written = await this.#insist("object storage", () =>
      turns.take(() => ports.writePart(key, bytes), signal),
    );
    if (written === undefined) return this.#failure();
    if (written.kind === "exists") {
      const found = await this.#insist("object storage", () => ports.readPart(key));
      if (found === undefined) return this.#failure();
      if (found === null) return this.#refuse(`part ${key} is there and cannot be read`);
      // Our own write, whose answer was lost, is nobody else's.
      if (found.sha256 !== part.sha256) return this.#adopt(found, rows());
    }
    const told = { ...end, ...(usage === undefined ? {} : { usage }) };
    const soonMs = this.#isEnding ? Math.min(withinMs, RELEASE_WITHIN_MS) : withinMs;
    const published = await this.#commit(part, snapshot, told, soonMs, rows);
    if (published === "committed") this.#index(part, rows);
    return published;
  }

  /** Commits a part that somebody else wrote; `own`: rows cut for it, of which the others are kept. */
  async #adopt(found: StoredPart, own: readonly PartRow[]): Promise<Published> {
    const { work, clock, ports, settings, progress } = this.#context;
    const settled = ordinalsIn(work, found.rows);
    const read = (from: { ordinal: number; position: number | null }) => ports.read(settings(), work, from);
    const base = this.#committed;
    const snapshot = await this.#insist("the source", () =>
      checkpointAfter(base, settled, read, clock.now()),
    );
    if (snapshot === undefined) return this.#failure();
    const part = describePart({ ...found, chunk: work.chunk, n: this.#next, key: this.#key() });
    const usage = usageOfRows(found.rows);
    const end = { release: false, ...(usage === undefined ? {} : { usage }) };
    const rows = () => found.rows;
    const published = await this.#commit(part, snapshot, end, RELEASE_WITHIN_MS, rows);
    if (published !== "committed") return published;
    for (const ordinal of settled) this.#adopted.add(ordinal);
    const waiting = rowsOf(this.#rows.take());
    const kept = [...own, ...waiting].filter((row) => !settled.has(ordinalOf(work, row.index)));
    for (const row of kept) this.add(row);
    const keptOrdinals = ordinalsIn(work, kept);
    progress.adopt(snapshot, (ordinal) => keptOrdinals.has(ordinal));
    this.#index(part, rows);
    return "adopted";
  }

  async #commit(
    part: PartMeta | null,
    snapshot: Snapshot,
    end: { readonly release: boolean; readonly trouble?: string; readonly usage?: Usage },
    withinMs: number,
    rows: () => readonly PartRow[],
  ): Promise<Published> {
    const { fence, work, signal, settings } = this.#context;
    if (signal.aborted) return "lost";
    const { reduce } = settings().spec;
    const totals = part === null || reduce == null ? {} : { totals: reduceRows(reduce, rows()) };
    const commit = { fence, chunk: work.chunk, part, snapshot, ...end, ...totals };
    const heard = await this.#context.commit(commit, withinMs);
    if (heard !== "committed") {
      this.#context.lost();
      return "lost";
    }
    this.#committed = snapshot;
    if (part !== null) this.#next += 1;
    return "committed";
  }

  #index(part: PartMeta, rows: () => readonly PartRow[]): void {
    const { ports, settings, indexed, background, turns } = this.#context;
    if (part.failed === 0 && !settings().child) return;
    const work = turns
      .take(() => ports.indexPart(settings(), part, rows()))
      .then(
        () => indexed(part.chunk, part.n),
        // D1 refuses: the part stays unindexed and the Run has it indexed later.
        () => {},
      );
    background(work);
  }

  /** Undefined: refused for good or lost; `#trouble` tells which. */
  async #insist<T>(what: string, act: () => Promise<T>): Promise<T | undefined> {
    try {
      const result = await insist(what, act, this.#context);
      if (result.kind === "ok") return result.value;
      if (result.kind === "refused") this.#trouble = result.trouble;
    } catch (fault) {
      this.#trouble = messageOf(fault);
      this.#context.block(this.#trouble);
    }
    return undefined;
  }

  #failure(): Published {
    return this.#trouble === null ? "lost" : "refused";
  }

  #refuse(trouble: string): Published {
    this.#trouble = trouble;
    return "refused";
  }

  #key(): string {
    const { work, settings } = this.#context;
    return partKey(settings().run, work.chunk, this.#next);
  }
}

const noRows = (): readonly PartRow[] => [];
