/**
 * The simulated world: the Run, the queues, the invocations that consume them, the target; and what befalls them.
 */
import { SLICE_FIRST_MS, SLICE_LOCAL_MS, SLICE_MAX_MS } from "../core/limits.ts";
import type { SyncRequest } from "../core/protocol.ts";
import { isWorking, patch, pause, resume } from "../core/run/run.ts";
import { SPEC_DEFAULTS } from "../core/spec.ts";
import type { TaskOutcome } from "../tasks/task.ts";
import { planted } from "./bugs.ts";
import { Checks } from "./checks.ts";
import { Errands } from "./errands.ts";
import { EventLoop } from "./eventLoop.ts";
import { Invocation } from "./invocation.ts";
import { type Heard, Network } from "./network.ts";
import type { SimOptions } from "./options.ts";
import { Process, type Wait } from "./process.ts";
import { type Consumed, type Message, Queues } from "./queues.ts";
import { Random } from "./random.ts";
import { RunProcess } from "./runProcess.ts";
import { Storage } from "./storage.ts";
import { Target } from "./target.ts";
import { Timeline } from "./timeline.ts";
import type { Watch } from "./watch.ts";
import { Weather } from "./weather.ts";

/** What is folded into the trace. */
const MARK = {
  call: 1,
  sync: 2,
  answer: 3,
  restart: 4,
  death: 5,
  crash: 6,
  steering: 7,
  message: 8,
} as const;

/** A timer is late by this when it is late at all; a busy processor's share of a timer otherwise. */
const LATE_MS = 200;
const TIMER_LATE_MS = 1;

interface Consumer {
  readonly process: Process;
  readonly died: () => void;
  /** Ends the calls under way. */
  readonly calls: Set<() => void>;
}

export class World {
  readonly loop = new EventLoop();
  readonly options: SimOptions;
  readonly weather: Weather;
  readonly storage: Storage;
  readonly checks: Checks;
  readonly host: RunProcess;
  readonly target: Target;
  readonly timeline = new Timeline();
  readonly #watch: Watch;
  readonly #random: Random;
  readonly #network: Network;
  readonly #queues: Queues;
  readonly #errands: Errands;
  readonly #consumers = new Map<Process, Consumer>();
  #invocations = 0;
  #generation = 1;
  #sliceMs = SLICE_FIRST_MS;

  constructor(options: SimOptions, watch: Watch = {}) {
    const random = new Random(options.seed);
    this.options = options;
    this.#watch = watch;
    this.#random = random.fork();
    this.weather = new Weather(this.loop, random.fork(), options.faults);
    this.storage = new Storage(this.loop, this.weather, random.fork(), options);
    this.checks = new Checks(this.loop, options, this.storage);
    this.target = new Target(options.target, options.items, random.fork());
    this.#network = new Network(this.loop, this.weather, random.fork(), options);
    this.#queues = new Queues(this.loop, this.weather, random.fork(), options, (message, done) =>
      this.#consume(message, done),
    );
    this.host = new RunProcess(this.loop, random.fork(), options, {
      checks: this.checks,
      bugs: planted(options.bug),
      send: (queue, kind) => this.#queues.send({ queue, kind }),
    });
    this.#errands = new Errands(this.host, this.storage, this.#network);
    this.#befall();
  }

  /** Ends the bad weather; people let a paused run go on. */
  clear(): void {
    this.weather.clear();
    for (const { process } of this.#consumers.values()) process.thaw();
    if (this.host.run.state.status === "paused") this.#resume();
  }

  lanesLive(): number {
    return this.host.run.semaphore.live.size;
  }

  ask(request: SyncRequest): Wait<Heard> {
    return this.#network.ask(request, (heard) => {
      this.loop.mark(MARK.sync, heard.seq);
      this.#watch.asked?.(this.loop.nowMs);
      const answer = this.host.sync(heard);
      this.loop.mark(MARK.answer, answer.grant.kind === "granted" ? answer.grant.count : -1);
      return answer;
    });
  }

  /** A call leaves; the result cuts it. `end` hears the outcome in the caller's process. */
  call(caller: Invocation, item: number, end: (outcome: TaskOutcome) => void): () => void {
    const { process } = caller;
    const calls = this.#consumers.get(process)?.calls;
    let isOpen = false;
    let isCut = false;
    const close = (): void => {
      isCut = true;
      calls?.delete(close);
      if (isOpen) this.checks.parallelism.ended();
      isOpen = false;
    };
    const leave = (): void => {
      if (isCut || !process.isAlive) return;
      isOpen = true;
      this.checks.rate.called();
      this.checks.parallelism.called();
      const { outcome, latencyMs, kills } = this.target.call(item, this.loop.nowMs);
      const isThrottled = outcome.kind === "throttled";
      this.timeline.called(this.loop.nowMs, isThrottled);
      this.#watch.called?.(this.loop.nowMs);
      if (isThrottled) this.checks.fairness.refused(this.loop.nowMs);
      this.loop.mark(MARK.call, item);
      this.loop.after(latencyMs, () => {
        if (isOpen) this.checks.parallelism.ended();
        isOpen = false;
        calls?.delete(close);
        if (kills) this.#kill(process);
        else process.deliver(() => isCut || end(outcome));
      });
    };
    calls?.add(close);
    const lagMs = process.options.lagMs();
    if (lagMs > 0) this.loop.after(lagMs, leave);
    else leave();
    return close;
  }

  #consume(message: Message, done: (consumed: Consumed) => void): void {
    this.loop.mark(MARK.message, message.queue);
    const process = this.#process();
    const end = (consumed: Consumed) => {
      this.#consumers.delete(process);
      done(consumed);
    };
    this.#consumers.set(process, { process, died: () => end("died"), calls: new Set() });
    const work = message.kind === "work" ? this.#invocation(process, message.queue).run() : null;
    process.spawn(work ?? this.#errands.run(message.kind, process), () => end("acked"));
  }

  #invocation(process: Process, queue: number): Invocation {
    this.#invocations += 1;
    return new Invocation({
      world: this,
      process,
      random: this.#random.fork(),
      id: `i${this.#invocations}`,
      queue,
      generation: this.host.generation,
      sliceMs: this.#nextSliceMs(),
    });
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
    return new Process(this.loop, {
      offsetMs: Math.round(random.between(0, 2 * clockOffsetMs)),
      drift: random.between(-clockDrift, clockDrift),
      timerLateMs: () =>
        random.chance(this.weather.faults.timerLate)
          ? random.between(0, LATE_MS)
          : random.between(0, TIMER_LATE_MS),
      lagMs: () => (clockLagMs > 0 ? random.between(0, clockLagMs) : 0),
    });
  }

  /** Arranges what befalls the world while the weather lasts. */
  #befall(): void {
    const { weather } = this;
    const { faults } = this.options;
    weather.every(faults.deaths, () => this.#someConsumer((process) => this.#kill(process)));
    weather.every(faults.freezes, (dwellMs) =>
      this.#someConsumer((process) => process.freeze(this.loop.nowMs + dwellMs)),
    );
    weather.every(faults.runRestarts, () => {
      this.loop.mark(MARK.restart, 0);
      this.host.restart(this.#wallStepMs());
    });
    weather.every(faults.crashes, (dwellMs) => this.#crash(dwellMs));
    weather.every(faults.steering, (dwellMs) => this.#steer(dwellMs));
  }

  #someConsumer(act: (process: Process) => void): void {
    const processes = [...this.#consumers.keys()];
    if (processes.length > 0) act(this.#random.pick(processes));
  }

  #kill(process: Process): void {
    const consumer = this.#consumers.get(process);
    if (consumer === undefined) return;
    this.loop.mark(MARK.death, 0);
    process.kill();
    for (const close of [...consumer.calls]) close();
    consumer.died();
  }

  /** Everything on the machine dies; the next process resumes the run after a while. */
  #crash(dwellMs: number): void {
    this.loop.mark(MARK.crash, 0);
    this.#queues.lose();
    for (const process of [...this.#consumers.keys()]) this.#kill(process);
    this.#generation += 1;
    this.host.restart(this.#wallStepMs(), String(this.#generation));
    this.loop.after(dwellMs, () => this.#resume());
  }

  #wallStepMs(): number {
    const { wallStepMs } = this.options.faults;
    return this.#random.between(-wallStepMs, wallStepMs);
  }

  #resume(): void {
    this.host.change((run, nowMs) => {
      resume(run, this.host.generation, nowMs);
    });
  }

  #steer(dwellMs: number): void {
    if (!isWorking(this.host.run)) return;
    this.loop.mark(MARK.steering, 0);
    const act = this.#random.whole(0, 2);
    if (act === 0) {
      this.host.change((run) => {
        pause(run, "by request");
      });
      this.loop.after(dwellMs, () => this.host.run.state.status === "paused" && this.#resume());
      return;
    }
    const requests = this.options.spec.quota?.requests ?? null;
    const factor = this.#random.pick([0.3, 0.5, 1, 2]);
    const change =
      act === 1 && requests !== null
        ? { quota: { requests: `${Math.max(1, Math.round(Number.parseFloat(requests) * factor))}/s` } }
        : { maxParallelism: Math.max(1, Math.round(this.options.spec.maxParallelism * factor)) };
    this.host.change((run, nowMs) => {
      patch(run, change, SPEC_DEFAULTS, { nowMs, wallMs: nowMs });
    });
    this.checks.configured(this.host.run);
  }
}
