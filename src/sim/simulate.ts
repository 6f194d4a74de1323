/**
 * A simulation: the product's own lanes and the driver of its Run in a small world. Faults first (nothing bad may ever
 * happen), then none (the run must come to an end, or report what is pending). One seed decides everything, and no real
 * time passes: between two events only promises go on.
 */

import { Violation } from "./checks/violation.ts";
import type { Feature } from "./coverage.ts";
import { scheduleFaults } from "./faultSchedule.ts";
import type { SimOptions } from "./options.ts";
import type { Timeline } from "./timeline.ts";
import type { Watch } from "./watch.ts";
import { World } from "./world.ts";

export interface SimReport {
  readonly options: SimOptions;
  /** The same options give the same one. */
  readonly hash: string;
  readonly violation: { readonly rule: string; readonly message: string; readonly atMs: number } | null;
  /** How long the run took. */
  readonly tookMs: number;
  readonly events: number;
  readonly status: string;
  /** The run's own sentence. */
  readonly why: string;
  readonly calls: number;
  readonly throttled: number;
  readonly ok: number;
  readonly failed: number;
  readonly neededBurst: number;
  /** Most calls under way at once. */
  readonly mostUnderWay: number;
  readonly coordinatorRequests: number;
  readonly timeline: Timeline;
  readonly coverage: Readonly<Record<Feature, number>>;
}

/** The rate may take so long to grow back before turns are judged. */
const SETTLED_MS = 120_000;
/** So many events an item, and some: a run that spins instead of waiting passes it. */
const EVENTS_PER_ITEM = 400;
const EVENTS_BESIDES = 20_000_000;

export async function simulate(options: SimOptions, watch: Watch = {}): Promise<SimReport> {
  const world = new World(options, watch);
  scheduleFaults(world);
  let violation: SimReport["violation"] = null;
  try {
    await play(world);
  } catch (fault) {
    const { rule, message } =
      fault instanceof Violation ? fault : { rule: "assertion", message: String((fault as Error).stack) };
    violation = { rule, message, atMs: world.loop.nowMs };
  }
  return reportOf(world, violation);
}

async function play(world: World): Promise<void> {
  const { options, loop, run, checks } = world;
  const mostEvents = EVENTS_BESIDES + EVENTS_PER_ITEM * options.items;
  const isOver = (): boolean => {
    if (loop.events > mostEvents) throw new Violation("progress", `no progress: ${run.pending()}`);
    return run.isEnded || (options.isForPeople && run.isWaiting);
  };
  await loop.run(options.safetyMs, isOver);
  if (!isOver()) {
    world.clear();
    const settledMs =
      Math.max(options.safetyMs, ...options.target.outages.map(({ toMs }) => toMs)) + SETTLED_MS;
    loop.at(settledMs, () => {
      checks.fairness.isJudging = !options.isForPeople;
    });
    const goesOn = await loop.run(options.safetyMs + options.livenessMs, isOver);
    if (!isOver()) {
      const how = goesOn
        ? `not ended ${options.livenessMs / 1000} s after the faults`
        : "nothing is scheduled";
      throw new Violation("liveness", `${how}: ${run.pending()}`);
    }
  }
  if (run.isEnded) checks.rows.completed(run.ledger);
}

function reportOf(world: World, violation: SimReport["violation"]): SimReport {
  const { options, loop, run, checks, target, timeline, coverage } = world;
  const { counts, status, coordinatorRequests } = run.run.state;
  return {
    options,
    hash: loop.hash,
    violation,
    tookMs: loop.nowMs,
    events: loop.events,
    status,
    why: run.why(),
    calls: target.calls,
    throttled: target.throttled,
    ok: counts.ok,
    failed: counts.failed,
    neededBurst: checks.rate.neededBurst,
    mostUnderWay: checks.parallelism.most,
    coordinatorRequests,
    timeline,
    coverage: coverage.counts,
  };
}
