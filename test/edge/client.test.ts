/** The typed client against the API: what it sends is taken, what it promises comes, and its types are the API's. */
import { env, exports } from "cloudflare:workers";
import { describe, expect, test } from "vitest";
import type { z } from "zod";
import type { showInput } from "../../src/api/routes/inputs.ts";
import type { planSchema } from "../../src/api/routes/plans.ts";
import type { reportSchema } from "../../src/api/routes/report.ts";
import type { runSchema } from "../../src/api/schemas.ts";
import type { RunView } from "../../src/core/run/runView.ts";
import { ApiError, createClient, isEnded } from "../../src/package/client.ts";
import type { Input, Plan, Report } from "../../src/package/clientAnswers.ts";
import { ORIGIN } from "./callApi.ts";

const weir = createClient({
  url: `${ORIGIN}/`,
  token: env.WEIR_TOKEN ?? "",
  pollMs: 50,
  fetch: ((url: string, init: RequestInit) => exports.default.fetch(new Request(url, init))) as typeof fetch,
});

const spec = {
  name: "of the client",
  source: { kind: "items", items: ["1", "2", "7"] },
  task: { kind: "http", url: "https://outside.test/users/{{item}}" },
};

describe("the client", () => {
  test("makes a run, once for a key", async () => {
    const key = { idempotencyKey: crypto.randomUUID() };
    const run = await weir.runs.create(spec, key);
    expect((await weir.runs.create(spec, key)).id).toBe(run.id);
    expect(await weir.runs.get(run.id)).toMatchObject({ id: run.id, name: "of the client" });
    expect((await weir.runs.list({ limit: 100 })).runs.map(({ id }) => id)).toContain(run.id);
    expect(isEnded(await weir.runs.cancel(run.id)) || !isEnded(run)).toBe(true);
  });

  test("gives the rows of a run as they come, and its failures", async () => {
    const { id } = await weir.runs.create(spec);
    await weir.runs.pause(id).catch(() => null);
    for await (const row of weir.runs.results(id)) expect(row.index).toBeGreaterThanOrEqual(0);
    for await (const row of weir.runs.failures(id, { kinds: ["http"] })) expect(row.ok).toBe(false);
    expect(await weir.runs.failureGroups(id)).toEqual(expect.any(Array));
    await weir.runs.cancel(id);
  });

  test("plans, stores inputs and keeps schedules", async () => {
    expect(await weir.plan(spec)).toMatchObject({ items: 3, firstRequest: { method: "GET" } });
    const name = "of-the-client.txt";
    expect(await weir.inputs.store(name, "a\nb\n")).toMatchObject({ name, items: 2 });
    expect((await weir.inputs.list()).inputs.map((input) => input.name)).toContain(name);
    await weir.inputs.delete(name);
    const schedule = await weir.schedules.create({ cron: "0 3 * * *", spec });
    expect(await weir.schedules.pause(schedule.id)).toMatchObject({ status: "paused" });
    expect((await weir.schedules.fires(schedule.id)).runs).toEqual([]);
    await weir.schedules.delete(schedule.id);
    expect(await weir.isHealthy()).toBe(true);
  });

  test("throws what is wrong with a body, field by field", async () => {
    const wrong = weir.runs.create({ ...spec, chunkSize: 0, maxParallelism: -1 });
    await expect(wrong).rejects.toThrow(/^chunkSize: /);
    const error = await wrong.catch((fault: unknown) => fault);
    expect(error).toBeInstanceOf(ApiError);
    expect(error).toMatchObject({ status: 400, code: "invalid", requestId: expect.any(String) });
    expect((error as ApiError).problems.map(({ path }) => path)).toEqual(["chunkSize", "maxParallelism"]);
    await expect(weir.runs.get("r_1k2m3n4p5abcdefghj")).rejects.toMatchObject({
      status: 404,
      code: "not_found",
    });
  });

  test("has the types by which the API answers", () => {
    // Compiled is proved: each takes what the API's schema says.
    const taken = {
      input: (view: ReturnType<typeof showInput>): Input => view,
      plan: (view: z.infer<typeof planSchema>): Plan => view,
      report: (view: z.infer<typeof reportSchema>): Report => view,
      status: (view: z.infer<typeof runSchema>): Pick<RunView, "id" | "status" | "rate" | "lanes"> => view,
    };
    expect(Object.keys(taken)).toHaveLength(4);
  });
});
