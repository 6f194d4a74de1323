/** Waits that a target asks for, in every form and any header, through the real command. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { RunView } from "../../../src/core/run/runView.ts";
import { answerServer } from "../../support/answerServer.ts";
import { until } from "../../support/until.ts";
import { Workspace } from "../../support/weir.ts";

const WAIT_MS = 3000;

let workspace: Workspace;
beforeEach(() => {
  workspace = new Workspace();
});
afterEach(async () => {
  await workspace.close();
});

/** What the first call of an id is answered with: wait for `WAIT_MS`, from now on. */
const FORMS: Readonly<Record<string, () => Record<string, string>>> = {
  seconds: () => ({ "retry-after": "3" }),
  epoch: () => ({ "retry-after": String(Math.ceil((Date.now() + WAIT_MS) / 1000)) }),
  epochms: () => ({ "retry-after": String(Date.now() + WAIT_MS) }),
  iso: () => ({ "retry-after": new Date(Date.now() + WAIT_MS).toISOString() }),
  date: () => ({ "retry-after": new Date(Date.now() + WAIT_MS + 999).toUTCString() }),
  duration: () => ({ "retry-after": "3s" }),
  words: () => ({ "retry-after": "3 seconds" }),
  ms: () => ({ "retry-after-ms": "3000" }),
  reset: () => ({ "x-ratelimit-remaining": "0", "x-ratelimit-reset": "3" }),
  resetat: () => ({ "x-rate-limit-reset": String(Math.ceil((Date.now() + WAIT_MS) / 1000)) }),
  draft: () => ({ ratelimit: '"default";r=0;t=3' }),
};

function specOf(url: string, items: readonly string[], retry: Record<string, unknown>): string {
  return JSON.stringify({
    source: { kind: "items", items },
    task: { kind: "http", url: `${url}/{{item}}` },
    chunkSize: 1,
    maxParallelism: items.length,
    retry,
  });
}

async function viewOf(id: string): Promise<RunView> {
  const { stdout } = await workspace.weir(["status", id, "--json"]);
  return JSON.parse(stdout) as RunView;
}

describe("a wait that is asked for", () => {
  test("is kept in every form that says it plainly, and loses no item", async () => {
    const ids = Object.keys(FORMS);
    await using target = await answerServer(({ url, call }) =>
      call > 1 ? {} : { status: 429, headers: FORMS[url.slice(1)]?.() ?? {}, body: {} },
    );
    workspace.write("spec.json", specOf(target.url, ids, { maxThrottles: 2, baseDelayMs: 10 }));
    const done = await workspace.weir(["run", "spec.json", "--out", "rows.jsonl"]);
    expect(done.exitCode, done.stderr).toBe(0);
    for (const row of workspace.rows("rows.jsonl")) expect([row.attempts, row.throttles]).toEqual([1, 1]);
    for (const id of ids) {
      const [first = 0, second = 0] = target.callsOf(`/${id}`);
      // A date has whole seconds, so what is left of one may be missing.
      expect(second - first, id).toBeGreaterThanOrEqual(WAIT_MS - 1000);
    }
  });

  test("outlasts maxThrottles where a window was announced", async () => {
    let opensMs = 0;
    await using target = await answerServer(() => {
      if (opensMs === 0) opensMs = Date.now() + 5000;
      if (Date.now() >= opensMs) return {};
      return { status: 429, headers: { "x-ratelimit-reset": String(Math.ceil(opensMs / 1000)) }, body: {} };
    });
    const retry = { maxThrottles: 1, maxRetryAfterMs: 1000, baseDelayMs: 10 };
    workspace.write("spec.json", specOf(target.url, ["a", "b", "c"], retry));
    const done = await workspace.weir(["run", "spec.json", "--out", "rows.jsonl"]);
    expect(done.exitCode, done.stderr).toBe(0);
    expect(workspace.rows("rows.jsonl").map(({ ok }) => ok)).toEqual([true, true, true]);
  });

  test("of a day is kept for an hour, says so, and is shortened while it goes", async () => {
    await using target = await answerServer(({ call }) =>
      call > 1 ? {} : { status: 429, headers: { "retry-after": "86400" }, body: {} },
    );
    workspace.write("spec.json", specOf(target.url, ["a"], {}));
    const run = workspace.start(["run", "spec.json", "--out", "rows.jsonl"]);
    const id = await run.runId();
    await until("the item waits", () => (run.stderr.includes("waiting until") ? true : null));
    expect(run.stderr).toMatch(/(?:59 min|1 h)[^\n]* left[^\n]*the target asks for it \(retry-after\)/);
    const { why, eta } = await viewOf(id);
    expect(why).toMatch(/^waiting until [\d-]* ?\d\d:\d\d:\d\dZ: the target asks for it \(retry-after\)/);
    expect(Date.parse(eta ?? "")).toBeGreaterThan(Date.now() + 3_000_000);
    const set = await workspace.weir(["set", id, "--max-retry-after", "1s"]);
    expect(set.exitCode, set.stderr).toBe(0);
    const done = await run.finished();
    expect(done.exitCode, done.stderr).toBe(0);
    expect(workspace.rows("rows.jsonl")).toMatchObject([{ ok: true, attempts: 1, throttles: 1 }]);
  });
});
