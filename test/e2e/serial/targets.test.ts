/** Two runs under one target with the real command, in one `weir dev`. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { SharedWeir } from "../../support/sharedWeir.ts";
import { until } from "../../support/until.ts";

const RATE = 200;
const CALLS = 1200;
/** More than `RATE × 0.075 + 2` at once means that shares were given out twice. */
const BURST = 40;

describe("runs under one target", () => {
  let weir: SharedWeir;
  beforeEach(async () => {
    weir = await SharedWeir.start(["--rate", `${RATE}/s`, "--reserve", "10%"], {
      limit: { ratePerSecond: RATE, burst: BURST },
      latencyMs: [10, 30],
    });
  });
  afterEach(() => weir.close());

  test("are never throttled together, have a row for every item, and keep the target until they end", async () => {
    const first = weir.run("a", CALLS, ["--weight", "2"]);
    const second = weir.run("b", CALLS);
    const runs = [await first.runId(), await second.runId()];
    const both = await until("both to hold a share", async () => {
      const seen = await weir.target();
      return seen.holders.filter(({ share }) => (share.perSecond ?? 0) > 1).length === 2 && seen;
    });
    expect(both.limits.perSecond).toBe(RATE);
    const given = both.holders.reduce((sum, { share }) => sum + (share.perSecond ?? 0), 0);
    expect(given + (both.reservedPerSecond ?? 0)).toBeLessThanOrEqual(RATE + 1e-3);
    const refused = await weir.workspace.weir(["target", "remove", "crm"]);
    expect(refused.exitCode).toBe(2);
    for (const run of runs) expect(refused.stderr).toContain(run);
    const { sendInMs } = await weir.permits({ count: 1, waitMs: 5000 });
    expect(sendInMs).toHaveLength(1);

    for (const run of [first, second]) {
      const { exitCode, stderr } = await run.finished();
      expect(exitCode, stderr).toBe(0);
    }
    for (const who of ["a", "b"]) expect(weir.workspace.rows(`${who}.jsonl`)).toHaveLength(CALLS);
    const { statuses } = await weir.outside.log();
    expect(statuses.filter((status) => status === 429)).toEqual([]);
    expect(await weir.workspace.weir(["target", "remove", "crm"])).toMatchObject({ exitCode: 0 });
    expect((await weir.workspace.weir(["target", "list"])).stdout).toBe("no targets\n");
  });

  test("need a target that is there: the mistake is named, and nothing is started", async () => {
    const { exitCode, stderr } = await weir.run("c", 10, ["--target", "other"]).finished();
    expect(exitCode).toBe(2);
    expect(stderr).toContain('--target: there is no target "other"');
  });
});
