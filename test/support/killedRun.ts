/**
 * One run of the real command, killed as a whole process tree again and again and resumed each time.
 *
 * The moments are random in the time since the command started: they fall into its start, its planning, its calls
 * and its commits. What came of it is told by the target's log and the results file alone.
 */
import type { ArrivalLog } from "./arrivals.ts";
import { isAlive, killAll } from "./processTree.ts";
import type { Target, TargetStats } from "./targetOptions.ts";
import { until } from "./until.ts";
import { type Finished, idLines, type TestRow, type WeirProcess, type Workspace } from "./weir.ts";

export interface KilledRun {
  readonly ids: number;
  readonly kills: number;
  /** Limits and whatever else the command is given, besides input, URL and `--out`. */
  readonly flags: readonly string[];
  /** A kill comes at most this long after the command was started. */
  readonly withinMs: number;
  /** 0 ≤ x < 1; decides the moments. */
  readonly random: () => number;
}

export interface Killed {
  /** The last start of the command, which nobody killed. */
  readonly ended: Finished;
  readonly rows: readonly TestRow[];
  readonly log: ArrivalLog;
  readonly stats: TargetStats;
  /** Times that a kill met a living tree. */
  readonly kills: number;
  /** From start to kill, ms. */
  readonly moments: readonly number[];
}

/** Starts the run, kills and resumes it, and lets the last start end by itself. */
export async function killAndResume(
  workspace: Workspace,
  target: Target,
  options: KilledRun,
): Promise<Killed> {
  workspace.write("ids.txt", idLines(options.ids));
  const url = `${target.url}/v1/users/{{item}}`;
  const args = ["run", "--input", "ids.txt", "--url", url, "--out", "rows.jsonl", ...options.flags];
  const moments: number[] = [];
  let running = workspace.start(args);
  // From here on there is a run that can be resumed.
  await running.runId();
  for (let kill = 0; kill < options.kills; kill++) {
    const atMs = Math.round(options.random() * options.withinMs);
    if (!(await killAt(workspace, running, atMs))) break;
    moments.push(atMs);
    running = workspace.start([...args, "--resume"]);
  }
  const ended = await running.finished();
  return {
    ended,
    rows: ended.exitCode === 0 ? workspace.rows("rows.jsonl") : [],
    log: await target.log(),
    stats: await target.stats(),
    kills: moments.length,
    moments,
  };
}

/** Calls made again for an id that had been answered: what the kills cost the target. */
export function repeatedCalls(log: ArrivalLog): number {
  return log.ids.length - new Set(log.ids).size;
}

/** Ids among `0 … ids-1` that do not have exactly one row. */
export function wrongRows(rows: readonly TestRow[], ids: number): number {
  const times = new Uint8Array(ids);
  for (const { index } of rows) times[index] = Math.min(2, (times[index] ?? 1) + 1);
  return times.filter((n) => n !== 1).length;
}

/** False when the command had ended before. */
async function killAt(workspace: Workspace, running: WeirProcess, afterMs: number): Promise<boolean> {
  const atMs = performance.now() + afterMs;
  await until("the moment of the kill", () => performance.now() >= atMs || running.child.exitCode !== null);
  if (running.child.exitCode !== null) return false;
  const tree = running.tree();
  workspace.note(tree);
  killAll(tree);
  await until("the tree to be gone", () => tree.every((pid) => !isAlive(pid)));
  return true;
}
