/** One row of the bench's table of limits: a target with a limit of its own, what the run is told of it, and for how long. */
import type { TargetOptions } from "../../test/support/targetOptions.ts";
import { interruptAfter, type Meddling, measureRun } from "./measuredRun.ts";

export interface LimitRow {
  readonly name: string;
  /** What the run knows of it, as flags of `weir run`. */
  readonly flags: readonly string[];
  readonly target: TargetOptions;
  /** Calls per second that the target takes for ever. */
  readonly truePerSecond: number;
  /** The run is interrupted so long after its first call. */
  readonly seconds: number;
  /** The limit changes: so long after the first call, to these options and so many calls per second. */
  readonly changes?: readonly {
    readonly atS: number;
    readonly target: Partial<TargetOptions>;
    readonly truePerSecond: number;
  }[];
  /** Spans that are looked at, in seconds from the first call. */
  readonly spans: readonly (readonly [fromS: number, toS: number])[];
}

export interface SpanFigures {
  /** Accepted calls, as a share of what the target would have taken: above 1 where a burst was used. */
  readonly used: number;
  /** Share of the calls that were refused. */
  readonly refused: number;
}

const ITEMS = 1_000_000;
const ANSWERED = 200;

/** Plays a row once; a figure for each of its spans. */
export async function playRow(row: LimitRow): Promise<readonly SpanFigures[]> {
  const { log } = await measureRun({
    ids: ITEMS,
    range: true,
    flags: row.flags,
    target: { latencyMs: [25, 75], ...row.target },
    ratePerSecond: row.truePerSecond,
    during: async (meddling) => {
      await Promise.all([interruptAfter(row.seconds * 1000)(meddling), change(row, meddling)]);
    },
  });
  const firstMs = log.atMs[0] ?? 0;
  return row.spans.map(([fromS, toS]) => {
    let accepted = 0;
    let refused = 0;
    for (const [i, atMs] of log.atMs.entries()) {
      const atS = (atMs - firstMs) / 1000;
      if (atS < fromS || atS >= toS) continue;
      if (log.statuses[i] === ANSWERED) accepted += 1;
      else if (log.statuses[i] !== 0) refused += 1;
    }
    return { used: accepted / allowed(row, fromS, toS), refused: refused / Math.max(1, accepted + refused) };
  });
}

async function change({ changes = [] }: LimitRow, { target, calls, wait }: Meddling): Promise<void> {
  await calls(1);
  let passedS = 0;
  for (const { atS, target: to } of changes) {
    await wait((atS - passedS) * 1000);
    passedS = atS;
    await target.set(to);
  }
}

/** Calls that the target would have taken, its burst apart. */
function allowed({ truePerSecond, changes = [] }: LimitRow, fromS: number, toS: number): number {
  const steps = [{ atS: 0, truePerSecond }, ...changes];
  return steps.reduce((sum, step, i) => {
    const endS = Math.min(toS, steps[i + 1]?.atS ?? toS);
    return sum + step.truePerSecond * Math.max(0, endS - Math.max(fromS, step.atS));
  }, 0);
}
