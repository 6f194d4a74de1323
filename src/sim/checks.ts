/**
 * The checkers of a simulation, one per invariant, told of everything that happens.
 *
 * They keep books of their own, from what the target, the storage and the requests show; what the Run believes is
 * what they judge. The first violation ends the simulation.
 */
import type { SyncAnswer, SyncRequest } from "../core/protocol.ts";
import type { Run } from "../core/run/run.ts";
import { FairnessCheck } from "./checkFairness.ts";
import { FenceCheck } from "./checkFences.ts";
import { ParallelismCheck } from "./checkParallelism.ts";
import { RateCheck } from "./checkRate.ts";
import { RowCheck } from "./checkRows.ts";
import type { EventLoop } from "./eventLoop.ts";
import type { SimOptions } from "./options.ts";
import type { Storage } from "./storage.ts";

export class Checks {
  readonly rate: RateCheck;
  readonly parallelism: ParallelismCheck;
  readonly rows: RowCheck;
  readonly fences = new FenceCheck();
  readonly fairness: FairnessCheck;

  constructor(loop: EventLoop, options: SimOptions, storage: Storage) {
    this.rate = new RateCheck(loop, options.spec);
    this.parallelism = new ParallelismCheck(loop, options.spec);
    this.rows = new RowCheck(options.items, storage);
    this.fairness = new FairnessCheck();
  }

  /** What is configured has changed. */
  configured(run: Run): void {
    this.rate.configured(run.state.spec);
    this.parallelism.configured(run.state.spec);
  }

  beforeSync(run: Run, request: SyncRequest): void {
    this.fences.before(run, request);
  }

  afterSync(run: Run, request: SyncRequest, answer: SyncAnswer): void {
    const committed = this.fences.after(run, request, answer);
    for (const part of committed) this.rows.committed(part);
    this.rows.counted(run.state.counts);
  }
}
