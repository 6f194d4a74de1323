import { describe, expect, it } from "vitest";
import type { Row } from "../../src/core/row.ts";
import type { RunView } from "../../src/core/run/runView.ts";
import { answer, call, rowsOf } from "./callApi.ts";
import { ended, fifty, numbers, SLOW, start } from "./runsOverApi.ts";

describe("steering a run", () => {
  const source = { kind: "items", items: numbers(20) };

  it("pauses, resumes, cancels, and says when it cannot", async () => {
    const { id } = await start({ source, ...SLOW });
    const paused = await answer<RunView>(await call("POST", `/v1/runs/${id}/pause`));
    expect([paused.status, paused.body.status, paused.body.why]).toEqual([
      200,
      "paused",
      "paused: by request",
    ]);
    const resumed = await answer<RunView>(await call("POST", `/v1/runs/${id}/resume`));
    expect(["planning", "running"]).toContain(resumed.body.status);
    expect((await call("POST", `/v1/runs/${id}/cancel`)).status).toBe(200);
    expect((await ended(id)).status).toBe("cancelled");
    const refused = await answer(await call("POST", `/v1/runs/${id}/pause`));
    expect([refused.status, refused.body.error.code]).toEqual([409, "conflict"]);
  });

  it("changes limits key by key, and null restores the default", async () => {
    const { id } = await start({ source, ...SLOW, maxParallelism: 5 });
    const changed = await answer<RunView>(
      await call("PATCH", `/v1/runs/${id}`, { quota: { requests: "2/h" }, pacing: { jitterMs: 5 } }),
    );
    expect(changed.body.spec).toMatchObject({
      quota: { requests: "2/h" },
      maxParallelism: 5,
      pacing: { minIntervalMs: 0, jitterMs: 5 },
    });
    const restored = await answer<RunView>(await call("PATCH", `/v1/runs/${id}`, { maxParallelism: null }));
    expect(restored.body.spec.maxParallelism).toBe(10);
    await call("POST", `/v1/runs/${id}/cancel`);
  });

  it.each([
    [{ colour: "red" }, "colour"],
    [{ quota: { requests: "fast" } }, "quota.requests"],
    [{ maxParallelism: 0 }, "maxParallelism"],
    [{ task: { url: "https://x/{{item}}" } }, "task"],
    [[], undefined],
  ])("refuses the change %j", async (change, path) => {
    const { status, body } = await answer(await call("PATCH", "/v1/runs/r_000000000000000000", change));
    expect([status, body.error.code]).toEqual([400, "invalid"]);
    if (path !== undefined) expect(body.error.path).toBe(path);
  });
});

describe("a retry", () => {
  it("runs exactly what is still failed, under the same indexes", async () => {
    const parent = await fifty();
    const { status, body: child } = await answer<RunView>(
      await call("POST", `/v1/runs/${parent.id}/retry`, {
        task: { url: "https://target.test/healed/{{item}}" },
      }),
    );
    expect([status, child.parentRunId]).toEqual([201, parent.id]);
    expect((await ended(child.id)).counts).toMatchObject({ items: 5, ok: 5, failed: 0 });
    const rows = await rowsOf(await call("GET", `/v1/runs/${child.id}/results`));
    expect(rows.map((row) => row.index)).toEqual([7, 17, 27, 37, 47]);
    const left = await answer<{ failures: Row[] }>(await call("GET", `/v1/runs/${parent.id}/failures`));
    expect(left.body.failures).toEqual([]);
    const own = await answer<{ failures: Row[] }>(
      await call("GET", `/v1/runs/${parent.id}/failures?own=true`),
    );
    expect(own.body.failures).toHaveLength(5);
    const nothing = await answer(await call("POST", `/v1/runs/${parent.id}/retry`));
    expect([nothing.status, nothing.body.error.code]).toEqual([409, "conflict"]);
    expect(nothing.body.error.message).toContain("nothing to retry");
  });

  it("waits for the run to end, and for an earlier retry", async () => {
    const source = { kind: "items", items: numbers(3) };
    const going = await start({ source, ...SLOW });
    expect((await call("POST", `/v1/runs/${going.id}/retry`)).status).toBe(409);
    await call("POST", `/v1/runs/${going.id}/cancel`);
    await ended(going.id);
    const first = await answer<RunView>(await call("POST", `/v1/runs/${going.id}/retry`));
    expect(first.status).toBe(201);
    const second = await answer(await call("POST", `/v1/runs/${going.id}/retry`));
    const { id } = first.body;
    expect([second.status, second.body.error.message]).toEqual([
      409,
      expect.stringContaining(`: wait for it, or weir cancel ${id}`),
    ]);
    await call("POST", `/v1/runs/${id}/pause`);
    for (const action of ["retry", "resume"]) {
      const { body } = await answer(await call("POST", `/v1/runs/${going.id}/${action}`));
      expect(body.error.message).toContain(`is paused: weir run --resume ${id} or weir cancel ${id}`);
    }
    expect((await call("DELETE", `/v1/runs/${going.id}`)).status).toBe(409);
    await call("POST", `/v1/runs/${first.body.id}/cancel`);
    await ended(first.body.id);
  });

  it("is not paused by the share of failures that its parent had, unless it says so itself", async () => {
    const tolerate = { failureRate: 0.2, over: 100 };
    const { id } = await fifty({ tolerate });
    const task = { url: "https://target.test/fail/{{item}}" };
    const child = await answer<RunView>(await call("POST", `/v1/runs/${id}/retry`, { task }));
    expect(child.body.spec.tolerate.failureRate).toBe(1);
    const restored = await call("PATCH", `/v1/runs/${child.body.id}`, { tolerate: null });
    expect((await answer<RunView>(restored)).body.spec.tolerate.failureRate).toBe(1);
    await call("POST", `/v1/runs/${child.body.id}/cancel`);
    await ended(child.body.id);
    const own = { task, tolerate: { failureRate: 0.9 } };
    const strict = await answer<RunView>(await call("POST", `/v1/runs/${id}/retry`, own));
    expect(strict.body.spec.tolerate).toEqual({ failureRate: 0.9, over: 1000, then: "pause" });
    await call("POST", `/v1/runs/${strict.body.id}/cancel`);
    await ended(strict.body.id);
  });

  it.each([
    [{ kinds: ["nope"] }, "kinds.0"],
    [{ tolerate: { failureRate: 2 } }, "tolerate.failureRate"],
    [{ colour: "red" }, "colour"],
    [{ task: { url: "nowhere" } }, "task.url"],
  ])("refuses %j", async (change, path) => {
    const { id } = await fifty();
    const { status, body } = await answer(await call("POST", `/v1/runs/${id}/retry`, change));
    expect([status, body.error.path]).toEqual([400, path]);
  });
});

describe("deleting a run", () => {
  it("is refused before its end, and then leaves nothing", async () => {
    const going = await start({ source: { kind: "items", items: numbers(3) }, ...SLOW });
    expect((await call("DELETE", `/v1/runs/${going.id}`)).status).toBe(409);
    await call("POST", `/v1/runs/${going.id}/cancel`);
    const { id } = await fifty();
    expect((await call("DELETE", `/v1/runs/${id}`)).status).toBe(204);
    for (const path of ["", "/results", "/failures", "/manifest", "/chunks"]) {
      expect((await call("GET", `/v1/runs/${id}${path}`)).status).toBe(404);
    }
    const { body } = await answer<{ runs: RunView[] }>(await call("GET", "/v1/runs?limit=1000"));
    expect(body.runs.map((run) => run.id)).not.toContain(id);
    expect((await call("DELETE", `/v1/runs/${id}`)).status).toBe(404);
  });
});
