/**
 * The runtime of a process that drives runs, looked after: one that hangs or dies by itself is started again.
 *
 * A task that never yields stops the runtime's only thread, one that exhausts memory ends it, and either would do
 * so again. So the next start tells the runs what became of the former one, and they find the item that did it
 * (`core/run/takeover.ts`). Address and token stay the same: whoever talks to this Weir notices a pause. A restart for
 * nothing costs nothing but repeated calls.
 *
 * Invariants: the former runtime is gone before the next starts; each start has a greater generation.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { TASK_LINES_KEPT } from "../../core/limits.ts";
import { DiskWatch } from "../diskRoom.ts";
import { type Embedded, type EmbeddedOptions, startEmbedded } from "../runtime/embedded.ts";
import type { StateFolder } from "../runtime/stateFolder.ts";
import { everyMinute } from "./everyMinute.ts";
import { stopTogether } from "./jobControl.ts";
import type { Ownership } from "./owner.ts";
import { endProcess, isAlive } from "./processes.ts";
import { Pulse } from "./pulse.ts";
import { recordedWorkerd } from "./watchdog.ts";

/** Looked at this often. */
const LOOK_MS = 500;
/** Starts in a row that may fail. */
const STARTS = 10;
/** An item costs five starts before it is found. Who needs more than this has another trouble. */
const MAX_RESTARTS = 100;
const END_MS = 5000;
/** A wall clock that parts from the monotonic one by more than this between two looks was set. */
const CLOCK_SET_MS = 5000;
const CLOCK_SET = "works with a clock that was set";

export interface Runtime {
  readonly address: string;
  readonly token: string;
  /** Null while it answers or can be expected to; else why it never will again. */
  lost(): string | null;
  /** `tell` gets a sentence for every restart, and the lines that tasks say. Replaces the former listener. */
  listen(tell: (sentence: string) => void): void;
  stop(): Promise<void>;
}

export interface RuntimeOptions {
  readonly port: number;
  /** Null makes a new one. */
  readonly token: string | null;
  readonly repairs: boolean;
  /** False: it is only read from, and gone in a moment. */
  readonly drives: boolean;
  /** True: it stays, and schedules fire in it. */
  readonly drivesSchedules: boolean;
}

/** Starts the runtime and looks after it. Throws as `startEmbedded` does. */
export async function startRuntime(
  folder: StateFolder,
  ownership: Ownership,
  options: RuntimeOptions,
): Promise<Runtime> {
  const { generation } = ownership;
  const voice = new Voice();
  const embedded = await startEmbedded(folder, {
    ...options,
    generation,
    succeeds: [],
    blameless: false,
    taskSaid: (line) => voice.say(line),
  });
  const supervisor = new Supervisor(folder, ownership, embedded, options.drivesSchedules, voice);
  if (options.drives) void supervisor.watch();
  return supervisor;
}

/** What is said to a person: the first lines are kept until somebody listens. */
class Voice {
  #kept: string[] = [];
  #tell: ((line: string) => void) | null = null;

  say(line: string): void {
    if (this.#tell !== null) this.#tell(line);
    else if (this.#kept.length < TASK_LINES_KEPT) this.#kept.push(line);
  }

  listen(tell: (line: string) => void): void {
    for (const line of this.#kept) tell(line);
    this.#kept = [];
    this.#tell = tell;
  }
}

class Supervisor implements Runtime {
  readonly address: string;
  readonly token: string;
  readonly #folder: StateFolder;
  readonly #disk: DiskWatch;
  readonly #ownership: Ownership;
  readonly #endCron: () => void;
  readonly #endJobControl: () => void;
  readonly #drivesSchedules: boolean;
  readonly #stopping = new AbortController();
  /** Generations whose runtime hung or died. */
  readonly #former: string[] = [];
  #wallOffsetMs = wallOffsetMs();
  #embedded: Embedded;
  #pulse: Pulse | null;
  #generation: string;
  #restarting: Promise<void> | null = null;
  #isWatching = false;
  #lost: string | null = null;
  readonly #voice: Voice;

  constructor(
    folder: StateFolder,
    ownership: Ownership,
    embedded: Embedded,
    drivesSchedules: boolean,
    voice: Voice,
  ) {
    this.#voice = voice;
    this.#drivesSchedules = drivesSchedules;
    this.address = embedded.address;
    this.token = embedded.token;
    this.#folder = folder;
    this.#disk = new DiskWatch(folder.path);
    this.#ownership = ownership;
    this.#embedded = embedded;
    this.#pulse = pulseOf(embedded);
    this.#generation = ownership.generation;
    ownership.announce({ address: this.address, token: this.token, workerd: embedded.workerd });
    this.#endCron = everyMinute(() => this.#tick());
    this.#endJobControl = stopTogether(() => this.#embedded.workerd);
    // What fell due while nobody was here does not wait for the next minute.
    if (drivesSchedules) this.#tick();
  }

  lost(): string | null {
    if (this.#lost !== null || this.#isWatching) return this.#lost;
    return this.#hasDied() ? `the runtime has ended; ${this.#folder.workerdLog} may say why` : null;
  }

  listen(tell: (sentence: string) => void): void {
    this.#voice.listen(tell);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#endCron();
    this.#endJobControl();
    await this.#restarting;
    await this.#embedded.stop();
  }

  /** Until stopped or lost. Never rejects. */
  async watch(): Promise<void> {
    this.#isWatching = true;
    while (!this.#isStopping && this.#lost === null) {
      await this.#pause();
      const news = this.#disk.news(performance.now());
      if (news !== null) this.#voice.say(news);
      const trouble = await this.#trouble();
      if (trouble === null || this.#isStopping) continue;
      this.#restarting = this.#restart(trouble).catch((error: unknown) => {
        this.#lost = `the runtime ${trouble} and was not started again: ${reasonOf(error)}`;
      });
      await this.#restarting;
    }
  }

  get #isStopping(): boolean {
    return this.#stopping.signal.aborted;
  }

  /** What is wrong with it, as a predicate; null when nothing is. */
  async #trouble(): Promise<string | null> {
    if (this.#hasDied()) return "has died";
    // Measured: timers of workerd that run when the clock is set back ring when the old time comes again.
    if (this.#wasClockSet()) return CLOCK_SET;
    return (await this.#pulse?.hasStopped()) ? "does not yield any more" : null;
  }

  async #restart(trouble: string): Promise<void> {
    if (this.#former.length >= MAX_RESTARTS) throw new Error(`there were ${MAX_RESTARTS} restarts`);
    const isRequest = this.#embedded.isComputingRequest();
    const blameless = trouble === CLOCK_SET || isRequest;
    const search = blameless ? "" : ", and looking for the item that did it";
    const cause = isRequest ? " over a request to its API" : "";
    this.#voice.say(`the runtime ${trouble}${cause}: starting it again${search}`);
    for (let start = 1; !this.#isStopping; start++) {
      await this.#endFormer();
      try {
        await this.#startNext(blameless);
        return;
      } catch (error) {
        // The item may have been called before the start was over; a port may be free in a moment.
        if (start >= STARTS) throw error;
        await this.#pause();
      }
    }
  }

  async #endFormer(): Promise<void> {
    await this.#embedded.stop();
    const left = recordedWorkerd(this.#folder);
    if (left !== null && isAlive(left)) throw new Error(`the former one (pid ${left.pid}) does not end`);
  }

  /** The former runtime is gone. */
  async #startNext(blameless: boolean): Promise<void> {
    this.#former.push(this.#generation);
    this.#generation = this.#ownership.nextGeneration();
    this.#embedded = await this.#startLooking({
      generation: this.#generation,
      succeeds: this.#former,
      blameless,
      port: Number(new URL(this.address).port),
      token: this.token,
      drivesSchedules: this.#drivesSchedules,
      repairs: false,
      taskSaid: (line) => this.#voice.say(line),
    });
    this.#pulse = pulseOf(this.#embedded);
    this.#ownership.announce({ workerd: this.#embedded.workerd });
    // Runs that nobody looks at go on as well.
    this.#tick();
  }

  #tick(): void {
    void this.#embedded.tick().catch(() => {});
  }

  /** A run may go on while the runtime starts, with the very item that makes it hang: then that start is ended. */
  async #startLooking(options: EmbeddedOptions): Promise<Embedded> {
    const started = new AbortController();
    void this.#endHanging(started.signal);
    try {
      return await startEmbedded(this.#folder, options);
    } finally {
      started.abort();
    }
  }

  async #endHanging(until: AbortSignal): Promise<void> {
    let pulse: Pulse | null = null;
    while (!until.aborted) {
      await sleep(LOOK_MS, undefined, { ref: false, signal: until }).catch(() => {});
      const starting = recordedWorkerd(this.#folder);
      if (starting === null || until.aborted) continue;
      pulse ??= new Pulse(starting, null);
      if (await pulse.hasStopped()) await endProcess(starting, END_MS);
    }
  }

  #wasClockSet(): boolean {
    const offsetMs = wallOffsetMs();
    const wasSet = Math.abs(offsetMs - this.#wallOffsetMs) > CLOCK_SET_MS;
    this.#wallOffsetMs = offsetMs;
    return wasSet;
  }

  async #pause(): Promise<void> {
    await sleep(LOOK_MS, undefined, { ref: false, signal: this.#stopping.signal }).catch(() => {});
  }

  #hasDied(): boolean {
    const { workerd } = this.#embedded;
    return workerd !== null && !isAlive(workerd);
  }
}

function wallOffsetMs(): number {
  return Date.now() - performance.now();
}

function pulseOf({ workerd, address }: Embedded): Pulse | null {
  return workerd === null ? null : new Pulse(workerd, address);
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
