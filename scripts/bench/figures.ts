/** The figures that most scenes print, in one order. */
import type { Figure } from "./journal.ts";
import type { Measured } from "./measuredRun.ts";

/** Rate, evenness and messages: what the target saw. */
export const RATE_FIGURES: readonly Figure<Measured>[] = [
  ["share of the allowed rate used, %", (run) => 100 * run.share, 2],
  ["calls answered 429", (run) => run.throttled, 0],
  ["needed burst, calls", (run) => run.arrivals.neededBurst, 1],
  ["most in any 10 ms", (run) => run.arrivals.mostIn[10], 0],
  ["most in any 100 ms", (run) => run.arrivals.mostIn[100], 0],
  ["most in any 1 s", (run) => run.arrivals.mostIn[1000], 0],
  ["most in any 10 s", (run) => run.arrivals.mostIn[10_000], 0],
  ["most in flight at the target", (run) => run.inFlight, 0],
  ["coordinator requests per call", (run) => run.run.coordinatorRequests / run.arrivals.calls, 3],
];

/** Every id once. */
export const ROW_FIGURES: readonly Figure<Measured>[] = [
  ["rows", (run) => run.rows?.count ?? Number.NaN, 0],
  ["rows lost", (run) => run.rows?.lost ?? Number.NaN, 0],
  ["rows doubled", (run) => run.rows?.doubled ?? Number.NaN, 0],
];

/** What it took of the machine. */
export const PLACE_FIGURES: readonly Figure<Measured>[] = [
  ["CPU of the process tree, ms per call", (run) => run.cpuMsPerCall, 2],
  ["peak memory of the process tree, MB", (run) => run.tree.peakRss / 1e6, 0],
  ["of it not shared with files, MB", (run) => run.tree.peakAnonymous / 1e6, 0],
  ["CPU of the target, % of a core", (run) => 100 * run.targetCpu, 0],
];
