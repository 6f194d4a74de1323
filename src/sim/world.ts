/** The simulated world: the Run, the queues, the invocations that consume them, the target; and what happens to them. */
import { isCosted } from "../core/limiter/budget.ts";
import { effectiveRate } from "../core/limiter/quota.ts";
import { SLICE_FIRST_MS, SLICE_LOCAL_MS, SLICE_MAX_MS, SLICES_LOCAL_MOST } from "../core/limits.ts";
import type { SyncAnswer, SyncRequest } from "../core/protocol.ts";
import { limitDefaults, patch, resume } from "../core/run/run.ts";
import { Invocation } from "../lane/invocation.ts";
import { Tally } from "../lane/report.ts";
import { planted } from "./bugs.ts";
import { Calls } from "./calls.ts";
import { Checks } from "./checks/checks.ts";
import { Coverage } from "./coverage.ts";
import { Errands } from "./errands.ts";
import { EventLoop } from "./eventLoop.ts";
import { Faults } from "./faults.ts";
import { lanePorts } from "./lanePorts.ts";
import { Network } from "./network.ts";
import { lanesOfOne, type SimOptions } from "./options.ts";
import { Process } from "./process.ts";
import { type Consumed, type Message, Queues } from "./queues.ts";
import { Random } from "./random.ts";
import { RunProcess } from "./runProcess.ts";
import { Storage } from "./storage.ts";
import { inputOf, MOST_OUTPUT, Target } from "./target.ts";
import { Timeline } from "./timeline.ts";
import { MARK } from "./trace.ts";
import type { Watch } from "./watch.ts";

/** A timer is late by this when it is late at all; a busy processor's share of a timer otherwise. */
const LATE_MS = 200;
const TIMER_LATE_MS = 1;

interface Consumer {
  readonly calls: Calls;
  /** The queue learns that the process is gone. */
  readonly died: () => void;
}

export class World {
  readonly loop = new EventLoop();
  readonly options: SimOptions;
  readonly faults: Faults;
  readonly storage: Storage;
  readonly checks: Checks;
  readonly run: RunProcess;
  readonly target: Target;
  readonly timeline = new Timeline();
  readonly coverage = new Coverage();
  readonly queues: Queues;
  readonly #watch: Watch;
  readonly #random: Random;
  readonly #network: Network;
  readonly #errands: Errands;
  readonly #consumers = new Map<Process, Consumer>();
  #invocations = 0;
  #sliceMs = SLICE_FIRST_MS;

  constructor(options: SimOptions, watch: Watch = {}) {
    const { loop, coverage } = this;
    const random = new Random(options.seed);
    this.options = options;
    this.#watch = watch;
    this.#random = random.fork();
    this.faults = new Faults(loop, random.fork(), options.faults);
    this.target = new Target(options.target, options.items, random.fork(), {
      countsTokens: isCosted(options.spec),
      areApart: options.hosts?.areApart === true,
    });
    const usageOf = (item: number) => this.target.usageOf(item);
    this.storage = new Storage(loop, this.faults, random.fork(), options, { coverage, usageOf });
    this.checks = new Checks(loop, options, this);
    this.#network = new Network(loop, this.faults, random.fork(), options, {
      coverage,
      checks: this.checks,
    });
    this.queues = new Queues(loop, this.faults, random.fork(), options, (message, done) =>
      this.#consume(message, done),
    );
    this.run = new RunProcess(loop, random.fork(), options, {
      checks: this.checks,
      bugs: planted(options.bug),
      send: (queue, kind) => this.queues.send({ queue, kind }),
    });
    this.#errands = new Errands(this.run, this.storage, this.#network);
  }

  /** Faults end; people let a paused run go on, and give it more where its budget is used up. */
  clear(): void {
    this.faults.end();
    for (const process of this.processes) process.thaw();
    const { status, reason } = this.run.run.state;
    if (status === "paused" && reason?.startsWith("the budget") === true) this.coverage.count("budgetPauses");
    if (this.options.spec.budget != null) this.#liftBudget();
    if (status === "paused") this.resume();
  }

  get processes(): readonly Process[] {
    return [...this.#consumers.keys()];
  }

  /** The process ends without a word, and its calls with it. */
  kill(process: Process): void {
    const consumer = this.#consumers.get(process);
    if (consumer === undefined) return;
    this.loop.mark(MARK.death, 0);
    process.kill();
    consumer.calls.cut();
    this.checks.budget.disturbed();
    consumer.died();
  }

  resume(): void {
    this.run.change((run, nowMs) => {
      resume(run, this.run.generation, nowMs);
    });
  }

  #liftBudget(): void {
    this.run.change((run, nowMs) => {
      patch(run, { budget: null }, limitDefaults(run), { nowMs, wallMs: nowMs });
    });
    this.checks.configured(this.run.run);
  }

  #consume(message: Message, done: (consumed: Consumed) => void): void {
    this.loop.mark(MARK.message, message.queue);
    const process = this.#process();
    const calls = this.#calls(process);
    const end = (consumed: Consumed) => {
      this.#consumers.delete(process);
      done(consumed);
    };
    this.#consumers.set(process, { calls, died: () => end("died") });
    const acked = () => {
      if (process.isAlive) end("acked");
    };
    if (message.kind === "work")
      this.#invocation(process, calls, message.queue).run().then(acked, this.#failed);
    else this.#errands.work(message.kind, process).then(acked, acked);
  }

  readonly #failed = (fault: unknown): void => this.loop.fail(fault);

  #invocation(process: Process, calls: Calls, queue: number): Invocation {
    this.#invocations += 1;
    const { generation } = this.run;
    return new Invocation({
      clock: process.clock,
      sync: (request) => this.#network.ask(process, request, (heard) => this.#answer(heard)),
      ports: lanePorts(process, this.storage, calls),
      id: `i${this.#invocations}`,
      queue,
      generation,
      lanes: (maxParallelism) => lanesOfOne(this.options, generation, maxParallelism),
      sliceMs: this.#nextSliceMs(),
      mayStay: this.#staysWhileAlone(queue),
      tally: new Tally(),
    });
  }

  #answer(request: SyncRequest): SyncAnswer {
    this.loop.mark(MARK.sync, request.seq);
    this.#watch.asked?.(this.loop.nowMs);
    const answer = this.loop.guard(() => this.run.sync(request));
    this.loop.mark(MARK.answer, answer.grant.kind === "granted" ? answer.grant.count : -1);
    if (answer.leases.some(({ helps }) => helps !== undefined)) this.coverage.count("sideLanes");
    return answer;
  }

  #calls(process: Process): Calls {
    const { loop, target, checks, options } = this;
    const { hosts, spec } = options;
    const hasCost = isCosted(spec);
    return new Calls({
      ...{ loop, process, target, checks },
      needOf: (item) => hosts && { host: `h${item % hosts.count}`, spacingMs: 0, isApart: hosts.areApart },
      costOf: (item) => (hasCost ? { input: inputOf(item), output: MOST_OUTPUT } : undefined),
      waited: (ms) => this.#waited(ms),
      arrived: (items, cost) => this.#arrived(items, cost),
      kill: () => this.kill(process),
      bug: options.bug,
    });
  }

  #waited(ms: number): void {
    const perSecond = effectiveRate(this.run.run.state.quota);
    const everyMs = perSecond === null ? 0 : 1000 / perSecond;
    this.loop.guard(() => {
      this.checks.fairness.waited(ms, everyMs * this.run.run.semaphore.live.size, this.loop.nowMs);
    });
  }

  #arrived(
    items: readonly number[],
    { isThrottled, tokens }: { isThrottled: boolean; tokens: number },
  ): void {
    const { nowMs } = this.loop;
    this.loop.mark(MARK.call, items[0] ?? -1);
    this.loop.guard(() => this.checks.called(items[0] ?? -1, tokens));
    if (isThrottled) this.checks.fairness.disturbed(nowMs);
    if (items.length > 1) this.coverage.count("batchCalls");
    if (this.options.hosts !== undefined) this.coverage.count("hostCalls");
    if (isCosted(this.options.spec)) this.coverage.count("costedCalls");
    this.timeline.called(nowMs, isThrottled);
    this.#watch.called?.(nowMs);
  }

  #staysWhileAlone(queue: number): () => Promise<boolean> {
    let slices = 1;
    return async () => {
      slices += 1;
      const isEmbedded = this.options.place === "embedded";
      return isEmbedded && slices <= SLICES_LOCAL_MOST && this.queues.backlog(queue) === 0;
    };
  }

  #nextSliceMs(): number {
    if (this.options.place === "embedded") return SLICE_LOCAL_MS * this.#random.between(1, 1.5);
    const ms = this.#sliceMs;
    this.#sliceMs = Math.min(SLICE_MAX_MS, 2 * ms);
    return ms * this.#random.between(0.75, 1);
  }

  #process(): Process {
    const random = this.#random.fork();
    const { clockOffsetMs, clockDrift, clockLagMs } = this.options.faults;
    return new Process(this.loop, random, {
      offsetMs: Math.round(random.between(0, 2 * clockOffsetMs)),
      drift: random.between(-clockDrift, clockDrift),
      timerLateMs: () =>
        random.chance(this.faults.now.timerLate)
          ? random.between(0, LATE_MS)
          : random.between(0, TIMER_LATE_MS),
      lagMs: () => (clockLagMs > 0 ? random.between(0, clockLagMs) : 0),
      isRaw: this.options.bug === "raw-clock",
    });
  }
}
