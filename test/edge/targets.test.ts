import { evictDurableObject } from "cloudflare:test";
import { env as bindings } from "cloudflare:workers";
import { describe, expect, test, vi } from "vitest";
import type { RunView } from "../../src/core/run/runView.ts";
import type { PermitsAnswer } from "../../src/core/target/targetProtocol.ts";
import type { TargetView } from "../../src/core/target/targetView.ts";
import type { Env } from "../../src/objects/env.ts";
import { type Answer, answer, call, until } from "./callApi.ts";
import { ended, numbers, SLOW, start, USERS, view } from "./runsOverApi.ts";

vi.setConfig({ testTimeout: 60_000 });

const env = bindings as unknown as Env;
const items = (count: number) => ({ source: { kind: "items", items: numbers(count) } });

async function set(name: string, limits: object): Promise<TargetView> {
  const { status, body } = await answer<TargetView & Answer>(
    await call("PUT", `/v1/targets/${name}`, limits),
  );
  expect([status, body.error]).toEqual([200, undefined]);
  return body;
}
const show = async (name: string) =>
  (await answer<TargetView>(await call("GET", `/v1/targets/${name}`))).body;
const permits = async (name: string, ask: object) =>
  (await answer<PermitsAnswer>(await call("POST", `/v1/targets/${name}/permits`, ask))).body;
const cancel = async (id: string) => {
  await call("POST", `/v1/runs/${id}/cancel`);
  await ended(id);
};

describe("a target", () => {
  test("is made, listed, changed and removed", async () => {
    const made = await set("t-made", { requests: "1000/s", burst: 50, maxParallelism: 200, reserve: 0.1 });
    expect(made).toMatchObject({
      name: "t-made",
      ...{ requests: "1000/s", burst: 50, tokens: null, maxParallelism: 200, reserve: 0.1 },
      limits: { perSecond: 1000, tokensPerSecond: null, lanes: 200 },
      ...{ holders: [], runs: [], pausedUntil: null },
      why: "1,000/s, 200 calls at once are in force as configured; no run calls it now",
    });
    const { body } = await answer<{ targets: TargetView[] }>(await call("GET", "/v1/targets?limit=1000"));
    expect(body.targets.find(({ name }) => name === "t-made")).toEqual(made);
    const changed = await answer<TargetView>(
      await call("PATCH", "/v1/targets/t-made", { requests: "500/s", maxParallelism: null }),
    );
    expect(changed.body).toMatchObject({ requests: "500/s", burst: 50, maxParallelism: null, reserve: 0.1 });
    expect((await call("DELETE", "/v1/targets/t-made")).status).toBe(204);
    expect((await call("GET", "/v1/targets/t-made")).status).toBe(404);
    expect((await call("DELETE", "/v1/targets/t-made")).status).toBe(404);
    expect((await call("PATCH", "/v1/targets/t-made", { requests: "5/s" })).status).toBe(404);
    expect((await call("POST", "/v1/targets/t-made/permits", {})).status).toBe(404);
  });

  test("that was removed can be made again at once, and is listed", async () => {
    await set("t-again", { requests: "5/s" });
    for (const requests of ["6/s", "7/s"]) {
      expect((await call("DELETE", "/v1/targets/t-again")).status).toBe(204);
      expect(await set("t-again", { requests })).toMatchObject({ requests, runs: [] });
      expect(await show("t-again")).toMatchObject({ requests });
    }
    const { body } = await answer<{ targets: TargetView[] }>(await call("GET", "/v1/targets?limit=1000"));
    expect(body.targets.map(({ name }) => name)).toContain("t-again");
  });

  test("that keeps nothing for programs says so in the place of permits, and takes their 429s", async () => {
    await set("t-no-reserve", { requests: "5/s" });
    const asked = await answer(await call("POST", "/v1/targets/t-no-reserve/permits", { count: 1 }));
    expect([asked.status, asked.body.error.message]).toEqual([
      409,
      "the target t-no-reserve keeps nothing for programs: weir target set t-no-reserve --reserve 10%",
    ]);
    expect((await call("POST", "/v1/targets/t-no-reserve/permits", { count: 0 })).status).toBe(200);
  });

  test.each([
    ["nothing that it limits", {}, "requests"],
    ["a burst without a rate", { maxParallelism: 5, burst: 5 }, "burst"],
    ["a rate that is none", { requests: "fast" }, "requests"],
    ["a reserve of all", { requests: "5/s", reserve: 1 }, "reserve"],
    ["no lanes", { maxParallelism: 0 }, "maxParallelism"],
    ["a key that no target has", { requests: "5/s", rate: "5/s" }, "rate"],
  ])("is refused with %s, by the field's name", async (_, limits, path) => {
    const { status, body } = await answer(await call("PUT", "/v1/targets/t-refused", limits));
    expect([status, body.error.code, body.error.path]).toEqual([400, "invalid", path]);
  });

  test("needs a name that a path can hold", async () => {
    const { status, body } = await answer(await call("PUT", "/v1/targets/-no", { requests: "5/s" }));
    expect([status, body.error.path]).toEqual([400, "name"]);
  });

  test("that is not there is an error when a run is made or planned, and a schedule's fire says so", async () => {
    const spec = { ...items(3), task: { kind: "http", url: USERS }, quota: { target: "t-none" } };
    for (const path of ["/v1/runs", "/v1/plans"]) {
      const { status, body } = await answer(await call("POST", path, spec));
      expect([status, body.error.path]).toEqual([400, "quota.target"]);
      expect(body.error.message).toContain("weir target set t-none");
    }
  });

  test("gives a run its share, and the run works to its end", async () => {
    await set("t-run", { requests: "200/s", maxParallelism: 4 });
    const run = await start({
      ...items(60),
      task: { kind: "http", url: USERS },
      quota: { target: "t-run" },
      maxParallelism: 10,
    });
    const done = await ended(run.id);
    expect(done.counts).toMatchObject({ done: 60 });
    expect(done.lanes.max).toBeLessThanOrEqual(10);
    await until(async () => (await show("t-run")).runs.length === 0);
    expect((await call("DELETE", "/v1/targets/t-run")).status).toBe(204);
  });

  test("says who holds what, and cannot be removed while runs that name it have not ended", async () => {
    await set("t-used", { requests: "100/s" });
    const spec = { ...items(5), ...SLOW, quota: { target: "t-used" }, maxParallelism: 2 };
    const heavy = await start({ ...spec, share: { weight: 3 } });
    const light = await start(spec);
    const seen = await until(async () => {
      const target = await show("t-used");
      return target.holders.length === 2 && target;
    });
    expect([...seen.runs].sort()).toEqual([heavy.id, light.id].sort());
    expect(seen.holders.find(({ run }) => run === heavy.id)?.weight).toBe(3);
    const given = seen.holders.reduce((sum, { share }) => sum + (share.perSecond ?? 0), 0);
    expect(given).toBeLessThanOrEqual(100);
    const { status, body } = await answer(await call("DELETE", "/v1/targets/t-used"));
    expect([status, body.error.code]).toEqual([409, "conflict"]);
    expect(body.error.message).toContain(heavy.id);
    expect(body.error.message).toContain(light.id);
    await cancel(heavy.id);
    await cancel(light.id);
    expect((await call("DELETE", "/v1/targets/t-used")).status).toBe(204);
  });

  test("keeps its runs and what they hold through a restart of its object", async () => {
    await set("t-evicted", { requests: "100/s" });
    const run = await start({ ...items(5), ...SLOW, quota: { target: "t-evicted" } });
    await until(async () =>
      (await show("t-evicted")).holders.some(({ share }) => (share.perSecond ?? 0) > 0),
    );
    await evictDurableObject(env.TARGET.getByName("t-evicted"));
    const after = await show("t-evicted");
    expect(after.runs).toEqual([run.id]);
    expect(after.holders.map((holder) => holder.run)).toEqual([run.id]);
    await cancel(run.id);
  });

  test("changes the share of its runs within 3 s, and a run keeps its target", async () => {
    await set("t-changed", { requests: "100/s" });
    const run = await start({ ...items(5), ...SLOW, quota: { target: "t-changed" } });
    const limit = async () => (await view(run.id)).rate.limitPerSecond;
    await until(async () => ((await limit()) ?? 0) > 0);
    await call("PATCH", "/v1/targets/t-changed", { requests: "20/s" });
    await until(async () => ((await limit()) ?? 100) <= 20, 3000);
    const moved = await call("PATCH", `/v1/runs/${run.id}`, { quota: { target: "t-used" } });
    expect(moved.status).toBe(409);
    const { body } = await answer<RunView>(
      await call("PATCH", `/v1/runs/${run.id}`, { quota: { requests: "5/s" }, share: { weight: 2 } }),
    );
    expect(body.spec).toMatchObject({
      quota: { target: "t-changed", requests: "5/s" },
      share: { weight: 2 },
    });
    await until(async () => ((await limit()) ?? 100) <= 5, 3000);
    await cancel(run.id);
  });

  test("gives programs permits from its reserve, and waits as long as they were asked to", async () => {
    await set("t-permits", { requests: "100/s", reserve: 0.5 });
    const first = await permits("t-permits", { count: 3, waitMs: 5000 });
    expect(first.sendInMs).toHaveLength(3);
    expect(first.askAgainInMs).toBeNull();
    const none = await permits("t-permits", {
      count: 0,
      throttled: 1,
      retryAfterMs: 30_000,
      epoch: first.epoch,
    });
    expect(none.sendInMs).toEqual([]);
    const paused = await permits("t-permits", { waitMs: 100 });
    expect(paused.sendInMs).toEqual([]);
    expect(paused.askAgainInMs).toBeGreaterThan(25_000);
    const seen = await show("t-permits");
    expect(seen.pausedUntil).not.toBeNull();
    expect(seen.limits.perSecond).toBeLessThan(100);
    const { status, body } = await answer(await call("POST", "/v1/targets/t-permits/permits", { count: -1 }));
    expect([status, body.error.path]).toEqual([400, "count"]);
  });

  test("is found again by reindex when its row is lost", async () => {
    await set("t-lost", { requests: "100/s" });
    await env.DB.prepare("DELETE FROM targets WHERE name = 't-lost'").run();
    const { body } = await answer<{ targets: number }>(await call("POST", "/v1/reindex"));
    expect(body.targets).toBeGreaterThan(0);
    const list = await answer<{ targets: TargetView[] }>(await call("GET", "/v1/targets?limit=1000"));
    expect(list.body.targets.map(({ name }) => name)).toContain("t-lost");
  });
});
