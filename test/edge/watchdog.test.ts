import {
  abortAllDurableObjects,
  createScheduledController,
  evictDurableObject,
  runInDurableObject,
} from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import worker from "../../src/index.ts";
import { answer, call } from "./callApi.ts";

async function startSlowRun(): Promise<string> {
  const spec = {
    source: { kind: "items", items: ["a", "b"] },
    task: { kind: "http", url: "https://target.test/never/{{item}}" },
    quota: { requests: "1/h" },
  };
  return (await answer(await call("POST", "/v1/runs", spec))).body.id;
}

describe("watchdog", () => {
  it("gives a run that lost its alarm a new one", async () => {
    const id = await startSlowRun();
    const stub = env.RUN.getByName(id);
    await runInDurableObject(stub, (_, state) => state.storage.deleteAlarm());
    await evictDurableObject(stub);
    expect(await alarmOf(id)).toBeNull();
    await worker.scheduled(createScheduledController({ cron: "* * * * *" }), env);
    expect(await alarmOf(id)).not.toBeNull();
    await call("POST", `/v1/runs/${id}/cancel`);
  });
});

describe("a Run that restarts", () => {
  it("is asked again: the request that met the restart is answered", async () => {
    const id = await startSlowRun();
    await abortAllDurableObjects();
    const statuses = await Promise.all(
      [1, 2, 3].map(async () => (await call("GET", `/v1/runs/${id}`)).status),
    );
    expect(statuses).toEqual([200, 200, 200]);
    await call("POST", `/v1/runs/${id}/cancel`);
  });
});

function alarmOf(id: string): Promise<number | null> {
  return runInDurableObject(env.RUN.getByName(id), (_, state) => state.storage.getAlarm());
}
