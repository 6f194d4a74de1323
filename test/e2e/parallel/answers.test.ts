/** What each kind of answer does to its item: retried, delayed, failed, and run again by `weir retry`. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RunView } from "../../../src/core/run/runView.ts";
import type { ArrivalLog } from "../../support/arrivals.ts";
import type { Fault, FaultRule } from "../../support/faults.ts";
import { spawnTarget } from "../../support/spawnTarget.ts";
import type { Target } from "../../support/targetOptions.ts";
import { type Finished, parseRows, type TestRow, Workspace } from "../../support/weir.ts";

const status = (code: number, headers: Record<string, string> = {}): Fault => ({
  do: "status",
  status: code,
  headers,
});
const rule = (id: string, steps: Fault[], after: FaultRule["after"] = "ok"): FaultRule => ({
  ids: `^${id}$`,
  steps,
  after,
});

const RULES = [
  rule("gone", [status(404)], "repeat"),
  rule("wobbly", [status(500), status(500)]),
  rule("hopeless", [status(500)], "repeat"),
  rule("later", [status(429, { "retry-after": "2" })]),
  rule("unlucky", [status(429), status(429), status(429), status(429), status(429)]),
  rule("cut", [{ do: "drop" }, { do: "drop" }]),
  rule("half", [{ do: "closeMidBody" }]),
  rule("stuck", [{ do: "hang" }, { do: "hang" }]),
];
const ITEMS = [
  ...RULES.map(({ ids }) => ids.slice(1, -1)),
  ...Array.from({ length: 40 }, (_, i) => `u_${i}`),
];
const TIMEOUT_MS = 400;
const BASE_DELAY_MS = 200;

describe("answers", () => {
  let workspace: Workspace;
  let target: Target;
  let ended: Finished;
  let log: ArrivalLog;
  let rows: Map<unknown, TestRow>;
  let run: RunView;

  beforeAll(async () => {
    workspace = new Workspace();
    await workspace.dev();
    target = await spawnTarget({ rules: RULES });
    workspace.write(
      "spec.json",
      JSON.stringify({
        source: { kind: "items", items: ITEMS },
        task: { kind: "http", url: `${target.url}/v1/users/{{item}}`, timeoutMs: TIMEOUT_MS },
        chunkSize: 4,
        maxParallelism: 12,
        quota: { requests: "100/s" },
        retry: { maxAttempts: 3, baseDelayMs: BASE_DELAY_MS },
      }),
    );
    ended = await workspace.weir(["run", "spec.json", "--out", "rows.jsonl", "--json"]);
    log = await target.log();
    rows = new Map(workspace.rows("rows.jsonl").map((row) => [row.item, row]));
    run = JSON.parse(ended.stdout) as RunView;
  });
  afterAll(async () => {
    await workspace.close();
    await target.close();
  });

  const callsOf = (id: string) => log.atMs.filter((_, i) => log.ids[i] === id);
  const gapsOf = (id: string) => {
    const calls = callsOf(id);
    return calls.slice(1).map((atMs, i) => atMs - (calls[i] as number));
  };

  test("leave exactly one row for every item, and exit code 3 when some failed", () => {
    expect(ended.exitCode, ended.stderr).toBe(3);
    expect(run.status).toBe("completed-with-failures");
    expect(workspace.rows("rows.jsonl").map((row) => row.item)).toEqual(ITEMS);
  });

  test.each([
    ["a 404 fails at once", "gone", { ok: false, status: 404, attempts: 1, throttles: 0 }, 1],
    ["a 500 is tried again", "wobbly", { ok: true, attempts: 3, throttles: 0 }, 3],
    ["a 500 for ever fails after maxAttempts", "hopeless", { ok: false, status: 500, attempts: 3 }, 3],
    ["a 429 spends no attempt", "later", { ok: true, attempts: 1, throttles: 1 }, 2],
    // The script published for this job drops an id after five 429s and says nothing.
    ["five 429s in a row lose nothing", "unlucky", { ok: true, attempts: 1, throttles: 5 }, 6],
    // At once and without an attempt where the connection may have been used before.
    ["a closed connection is tried again", "cut", { ok: true }, 3],
    ["an answer cut in half is tried again", "half", { ok: true, attempts: 2 }, 2],
    ["a call that hangs is tried again after its timeout", "stuck", { ok: true, attempts: 3 }, 3],
  ])("%s", (_, item, row, calls) => {
    expect(rows.get(item)).toMatchObject(row);
    expect(callsOf(item)).toHaveLength(calls);
  });

  test("Retry-After: 2 keeps that item away for at least 2 s", () => {
    expect(gapsOf("later")[0]).toBeGreaterThanOrEqual(2000);
  });

  test("delays grow: at least half of base, then half of twice base", () => {
    const [first, second] = gapsOf("wobbly") as [number, number];
    expect(first).toBeGreaterThanOrEqual(BASE_DELAY_MS / 2);
    expect(second).toBeGreaterThanOrEqual(BASE_DELAY_MS);
    const [timedOutFirst, timedOutSecond] = gapsOf("stuck") as [number, number];
    // 20 ms: the timeout runs on the caller's clock from before the call arrives.
    expect(timedOutFirst).toBeGreaterThanOrEqual(TIMEOUT_MS + BASE_DELAY_MS / 2 - 20);
    expect(timedOutSecond).toBeGreaterThanOrEqual(TIMEOUT_MS + BASE_DELAY_MS - 20);
  });

  test("the counts add up to the calls that the target saw", () => {
    expect(run.counts.calls).toBe(log.ids.length);
    expect(run.counts.throttled).toBe(6);
  });

  test("weir failures lists what is left, and weir retry runs exactly that", async () => {
    const left = await workspace.weir(["failures", run.id]);
    expect(parseRows(left.stdout)).toMatchObject([
      { item: "gone", error: { kind: "http", retryable: false } },
      { item: "hopeless", error: { kind: "http", retryable: true } },
    ]);

    await target.set({ rules: [] });
    const retried = await workspace.weir(["retry", run.id, "--json"]);
    expect(retried.exitCode, retried.stderr).toBe(0);
    const child = JSON.parse(retried.stdout) as RunView;
    expect(child).toMatchObject({ parentRunId: run.id, counts: { items: 2, ok: 2 } });
    expect((await target.log()).ids.slice(log.ids.length).sort()).toEqual(["gone", "hopeless"]);

    const indexes = parseRows((await workspace.weir(["results", child.id])).stdout).map((row) => row.index);
    expect(indexes).toEqual([ITEMS.indexOf("gone"), ITEMS.indexOf("hopeless")]);
    expect((await workspace.weir(["failures", run.id])).stdout).toBe("");
  });
});
