/** The main job, smaller: ids through a strictly limited target, judged by what the target saw. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RunView } from "../../../src/core/run/runView.ts";
import type { ArrivalLog } from "../../support/arrivals.ts";
import { neededBurst } from "../../support/neededBurst.ts";
import { spawnTarget } from "../../support/spawnTarget.ts";
import type { Target } from "../../support/targetOptions.ts";
import { type Finished, idLines, Workspace } from "../../support/weir.ts";

const IDS = 3000;
const CHUNK = 40;
const RATE_PER_SECOND = 1000;
/**
 * In three seconds the start weighs, and a busy machine loses permits and asks again: 0.07 on a quiet one, 0.13 beside
 * two busy processes. The figure for 20,000 ids is measured by `npm run bench -- --only main`, the protocol's own
 * by the virtual lanes of test/lane/lanes.test.ts.
 */
const MOST_REQUESTS_PER_CALL = 0.2;
/** rate × (50 ms grace + 25 ms clock error) + 1 */
const MOST_NEEDED_BURST = 76;

describe("the main job", () => {
  let workspace: Workspace;
  let target: Target;
  let ended: Finished;
  let log: ArrivalLog;

  beforeAll(async () => {
    workspace = new Workspace();
    target = await spawnTarget({
      limit: { ratePerSecond: RATE_PER_SECOND, burst: 100 },
      latencyMs: [25, 75],
    });
    workspace.write("ids.txt", idLines(IDS));
    const flags = ["--rate", `${RATE_PER_SECOND}/s`, "--parallel", "100", "--chunk", String(CHUNK), "--json"];
    const url = `${target.url}/v1/users/{{item}}`;
    ended = await workspace.weir([
      "run",
      "--input",
      "ids.txt",
      "--url",
      url,
      "--out",
      "rows.jsonl",
      ...flags,
    ]);
    log = await target.log();
  });
  afterAll(async () => {
    await workspace.close();
    await target.close();
  });

  test("ends with exit code 0 and one JSON document on stdout", () => {
    expect(ended, ended.stderr).toMatchObject({ exitCode: 0 });
    const run = JSON.parse(ended.stdout) as RunView;
    expect(run).toMatchObject({
      status: "completed",
      counts: { items: IDS, done: IDS, ok: IDS, failed: 0 },
      chunks: { total: IDS / CHUNK, done: IDS / CHUNK },
    });
    expect(run.counts.attempts + run.counts.throttled).toBe(log.ids.length);
  });

  test("writes one row for every id, in item order", () => {
    const rows = workspace.rows("rows.jsonl");
    expect(rows.map((row) => row.index)).toEqual(Array.from({ length: IDS }, (_, i) => i));
    expect(rows.every((row) => row.ok && row.item === `u_${row.index}`)).toBe(true);
    expect(rows[17]).toMatchObject({ status: 200, attempts: 1, value: { id: "u_17" } });
  });

  test("calls every id once when nothing goes wrong", () => {
    const accepted = log.ids.filter((_, i) => log.statuses[i] === 200);
    expect(new Set(accepted).size).toBe(IDS);
    expect(accepted).toHaveLength(IDS);
  });

  test("never needs a larger burst at the target than grace and clock error allow", () => {
    expect(neededBurst(log.atMs, RATE_PER_SECOND)).toBeLessThanOrEqual(MOST_NEEDED_BURST);
    expect(log.statuses.filter((status) => status === 429)).toEqual([]);
  });

  test("asks the run object for many calls at once", () => {
    const run = JSON.parse(ended.stdout) as RunView;
    expect(run.coordinatorRequests / log.ids.length).toBeLessThanOrEqual(MOST_REQUESTS_PER_CALL);
  });

  test("names the run first on stderr, and the run can be read afterwards", async () => {
    const run = JSON.parse(ended.stdout) as RunView;
    expect(ended.stderr.split("\n", 1)[0]).toContain(run.id);
    expect(await workspace.status(run.id)).toMatchObject({ id: run.id, status: "completed" });
    const results = await workspace.weir(["results", run.id]);
    expect(results.stdout).toBe(workspace.read("rows.jsonl"));
  });
});
