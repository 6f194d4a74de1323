/**
 * The checkers of a simulation, one per invariant, which see everything that happens.
 *
 * They keep books of their own, from what the target, the storage and the requests show; what the Run believes is
 * what they judge. The first violation ends the simulation.
 */
import type { SyncAnswer, SyncRequest } from "../../core/protocol.ts";
import type { Run } from "../../core/run/run.ts";
import type { EventLoop } from "../eventLoop.ts";
import type { SimOptions } from "../options.ts";
import type { Storage } from "../storage.ts";
import { MOST_INPUT, MOST_OUTPUT, type Target } from "../target.ts";
import { BudgetCheck } from "./budget.ts";
import { FairnessCheck } from "./fairness.ts";
import { FenceCheck } from "./fences.ts";
import { HostCheck } from "./hosts.ts";
import { LeaseCheck } from "./leases.ts";
import { OverloadCheck } from "./overload.ts";
import { ParallelismCheck } from "./parallelism.ts";
import { RateCheck } from "./rate.ts";
import { RowCheck } from "./rows.ts";
import { type ClockStep, SetClocks } from "./setClocks.ts";
import { TokenCheck } from "./tokens.ts";
import { Violation } from "./violation.ts";

export class Checks {
  readonly rate: RateCheck;
  readonly hosts: HostCheck;
  readonly tokens: TokenCheck;
  readonly budget: BudgetCheck;
  readonly parallelism: ParallelismCheck;
  readonly rows: RowCheck;
  readonly fences = new FenceCheck();
  readonly fairness = new FairnessCheck();
  readonly leases = new LeaseCheck();
  readonly overload = new OverloadCheck();
  readonly #clocks = new SetClocks();
  readonly #loop: EventLoop;

  constructor(
    loop: EventLoop,
    options: SimOptions,
    world: { readonly storage: Storage; readonly target: Target },
  ) {
    const { spec, items, hosts } = options;
    this.#loop = loop;
    this.rate = new RateCheck(loop, spec, this.#clocks);
    this.hosts = new HostCheck(spec, hosts?.count ?? 0, this.#clocks);
    this.tokens = new TokenCheck(spec, MOST_INPUT + MOST_OUTPUT);
    this.budget = new BudgetCheck(loop, spec, MOST_OUTPUT);
    this.parallelism = new ParallelismCheck(loop, spec);
    this.rows = new RowCheck(items, world.storage, world.target);
  }

  /** What is configured has changed. */
  configured(run: Run): void {
    this.rate.configured(run.state.spec);
    this.budget.configured(run.state.spec);
    this.parallelism.configured(run.state.spec);
  }

  /** The clock of a machine was set. */
  clockSet(step: ClockStep): void {
    this.#clocks.set(step, this.#loop.nowMs);
    this.leases.clockSet(this.#loop.nowMs);
    this.budget.disturbed();
  }

  /** A call has reached the target, for this item first, and was answered with so many tokens; 0: it used none. */
  called(item: number, tokens: number): void {
    const { nowMs } = this.#loop;
    const passedMs = this.#clocks.takePassedMs(nowMs);
    this.rate.called(passedMs);
    this.parallelism.called();
    this.hosts.called(item, nowMs, passedMs);
    this.tokens.called(tokens, nowMs, passedMs);
    this.budget.called(tokens);
  }

  beforeSync(run: Run, request: SyncRequest): void {
    for (const { trouble } of request.commits)
      if (trouble?.startsWith("a lane failed") === true) throw new Violation("no lane fails", trouble);
    this.fences.before(run, request);
  }

  afterSync(run: Run, request: SyncRequest, answer: SyncAnswer): void {
    const committed = this.fences.after(run, request, answer);
    for (const part of committed) this.rows.committed(part);
    this.rows.counted(run.state.counts);
    // What lanes are sent counts: one that does not learn of an outage gives up its turn.
    if (answer.circuit === "open") this.fairness.disturbed(this.#loop.nowMs);
  }
}
