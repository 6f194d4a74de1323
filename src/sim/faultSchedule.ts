/** What happens to a simulated world while faults last: deaths, stalls, clocks that are set, people who steer. */
import { LEASE_TTL_MS } from "../core/limits.ts";
import { isWorking, patch, pause } from "../core/run/run.ts";
import { SPEC_DEFAULTS } from "../core/spec.ts";
import type { Process } from "./process.ts";
import { Random } from "./random.ts";
import { MARK } from "./trace.ts";
import type { World } from "./world.ts";

const SALT = 0x27d4eb2f;

/** Call it once, before anything happens. */
export function scheduleFaults(world: World): void {
  new FaultSchedule(world, new Random(Math.imul(world.options.seed + 1, SALT))).begin();
}

class FaultSchedule {
  readonly #world: World;
  readonly #random: Random;
  #generation = 1;

  constructor(world: World, random: Random) {
    this.#world = world;
    this.#random = random;
  }

  begin(): void {
    const { faults } = this.#world.options;
    const every = this.#world.faults.every.bind(this.#world.faults);
    every(faults.deaths, () => this.#someProcess((process) => this.#world.kill(process)));
    every(faults.freezes, (dwellMs) => this.#someProcess((process) => this.#freeze([process], dwellMs)));
    every(faults.stalls, (dwellMs) => this.#stall(dwellMs));
    every(faults.clockSteps, () => this.#setClock());
    every(faults.runRestarts, () => this.#restart());
    every(faults.crashes, (dwellMs) => this.#crash(dwellMs));
    every(faults.steering, (dwellMs) => this.#steer(dwellMs));
  }

  #someProcess(act: (process: Process) => void): void {
    const { processes } = this.#world;
    if (processes.length > 0) act(this.#random.pick(processes));
  }

  #freeze(processes: readonly Process[], forMs: number): void {
    for (const process of processes) process.freeze(this.#world.loop.nowMs + forMs);
    // Until then the Run counts what its calls have reserved.
    if (forMs >= LEASE_TTL_MS) this.#world.checks.budget.disturbed();
  }

  /** Embedded all lanes share one event loop. */
  #stall(forMs: number): void {
    const { processes, coverage, options } = this.#world;
    if (processes.length === 0) return;
    coverage.count("stalls");
    if (options.place === "embedded") this.#freeze(processes, forMs);
    else this.#someProcess((process) => this.#freeze([process], forMs));
  }

  /**
   * Embedded there is one machine; deployed the Run is on one, and each process on another. The Run's alone is not set
   * where its lanes are far away: a step shorter than a round trip contradicts nothing that they know, and shifts what
   * they take for the middle of it for as long as they live.
   */
  #setClock(): void {
    const { options, processes, run, coverage, loop } = this.#world;
    const { clockStepMs } = options.faults;
    const byMs = Math.round(this.#random.between(-clockStepMs, clockStepMs));
    coverage.count(byMs > 0 ? "clockForward" : "clockBack");
    loop.mark(MARK.clock, byMs);
    const isFar = options.faults.distanceMs > 0;
    const isRuns = options.place === "embedded" || (!isFar && this.#random.chance(0.3));
    if (isRuns) run.setClock(byMs);
    if (options.place === "embedded") for (const process of processes) process.setClock(byMs);
    else if (!isRuns) this.#someProcess((process) => process.setClock(byMs));
    const of = options.place === "embedded" ? "all" : isRuns ? "run" : "lanes";
    this.#world.checks.clockSet({ byMs, of });
  }

  #restart(generation?: string): void {
    const { wallStepMs } = this.#world.options.faults;
    this.#world.loop.mark(MARK.restart, 0);
    this.#world.run.restart(this.#random.between(-wallStepMs, wallStepMs), generation);
    this.#world.checks.budget.disturbed();
  }

  /** Everything on the machine dies; the next process resumes the run after a while. */
  #crash(dwellMs: number): void {
    const { loop, queues, processes } = this.#world;
    loop.mark(MARK.crash, 0);
    queues.lose();
    for (const process of processes) this.#world.kill(process);
    this.#generation += 1;
    this.#restart(String(this.#generation));
    loop.after(dwellMs, () => this.#world.resume());
  }

  #steer(dwellMs: number): void {
    const { run, loop, checks, options } = this.#world;
    if (!isWorking(run.run)) return;
    loop.mark(MARK.steering, 0);
    const act = this.#random.whole(0, 2);
    if (act === 0) {
      run.change((state) => {
        pause(state, "by request");
      });
      loop.after(dwellMs, () => run.run.state.status === "paused" && this.#world.resume());
      return;
    }
    const requests = options.spec.quota?.requests ?? null;
    const factor = this.#random.pick([0.3, 0.5, 1, 2]);
    const change =
      act === 1 && requests !== null
        ? { quota: { requests: `${Math.max(1, Math.round(Number.parseFloat(requests) * factor))}/s` } }
        : { maxParallelism: Math.max(1, Math.round(options.spec.maxParallelism * factor)) };
    run.change((state, nowMs) => {
      patch(state, change, SPEC_DEFAULTS, { nowMs, wallMs: nowMs });
    });
    checks.configured(run.run);
  }
}
