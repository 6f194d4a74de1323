/** Hours and deadlines over REST: refused by the field's name, planned, kept by a real Run, and changed while it goes. */
import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import type { RunView } from "../../src/core/run/runView.ts";
import { answer, call, until } from "./callApi.ts";
import { ended, numbers, SLOW, start, USERS, view } from "./runsOverApi.ts";

const source = { kind: "items", items: numbers(20) };
/** The ids that end in 7 fail. */
const task = { kind: "http", url: USERS };

/** A window that is shut for hours to come, and one that has been open for hours. */
const hours = (fromHour: number, toHour: number) => {
  const time = (hour: number) => `${String((new Date().getUTCHours() + hour + 24) % 24).padStart(2, "0")}:00`;
  return { from: time(fromHour), to: time(toHour) };
};
const shut = () => hours(6, 12);
const open = () => hours(-3, 6);

describe("a run with hours", () => {
  it("makes no call outside of them, and goes on when they are changed", async () => {
    const { id, spec } = await start({ source, task, window: shut() });
    expect(spec.window).toEqual({ ...shut(), timeZone: "UTC", days: null });
    const waiting = await until(async () => {
      const run = await view(id);
      return run.why.startsWith("outside its window: no call leaves until ") && run;
    });
    expect([waiting.counts.calls, waiting.lanes.live]).toEqual([0, 0]);
    const changed = await answer<RunView>(await call("PATCH", `/v1/runs/${id}`, { window: open() }));
    expect([changed.status, changed.body.spec.window?.from]).toEqual([200, open().from]);
    expect((await ended(id)).counts).toMatchObject({ done: 20, ok: 18 });
  });

  it("sleeps until they begin: its alarm rings then, and not before", async () => {
    const window = shut();
    const { id } = await start({ source, task, window });
    const stub = env.RUN.getByName(id);
    await until(async () => (await view(id)).why.startsWith("outside its window"));
    // What the run was made with: a look that somebody works on it.
    await runDurableObjectAlarm(stub);
    const alarmMs = await runInDurableObject(stub, (_, { storage }) => storage.getAlarm());
    const opens = new Date(alarmMs ?? 0);
    expect(`${String(opens.getUTCHours()).padStart(2, "0")}:${opens.getUTCMinutes()}`).toBe(
      window.from.replace(":00", ":0"),
    );
    expect((alarmMs ?? 0) - Date.now()).toBeGreaterThan(4 * 3_600_000);
    await call("POST", `/v1/runs/${id}/cancel`);
  });

  it("keeps them whichever instant its schedule starts it at, and its deadline counts from then", async () => {
    const spec = { source, task, window: shut(), deadline: "2h" };
    const made = await answer<{ id: string }>(
      await call("POST", "/v1/schedules", { cron: "0 0 1 1 *", spec }),
    );
    expect(made.status).toBe(201);
    const fired = await answer<{ run: string }>(await call("POST", `/v1/schedules/${made.body.id}/fire`, {}));
    const run = await until(async () => {
      const seen = await view(fired.body.run);
      return seen.why.startsWith("outside its window") && seen;
    });
    expect(run.counts.calls).toBe(0);
    expect(Date.parse(run.deadline?.at ?? "") - Date.parse(run.createdAt)).toBe(2 * 3_600_000);
    expect(run.deadline?.missedBySeconds).toBeGreaterThan(2 * 3600);
    await call("POST", `/v1/runs/${run.id}/cancel`);
    await ended(run.id);
    await call("DELETE", `/v1/schedules/${made.body.id}`);
  });

  it("can be told to call at any time", async () => {
    const { id } = await start({ source, task, window: { ...shut(), timeZone: "UTC" } });
    const changed = await answer<RunView>(await call("PATCH", `/v1/runs/${id}`, { window: null }));
    expect(changed.body.spec.window).toBeNull();
    expect((await ended(id)).counts.done).toBe(20);
  });

  it("is paused and cancelled as any other", async () => {
    const { id } = await start({ source, task, window: shut() });
    expect((await call("POST", `/v1/runs/${id}/pause`)).status).toBe(200);
    expect((await view(id)).why).toBe("paused: by request");
    expect((await call("POST", `/v1/runs/${id}/resume`)).status).toBe(200);
    expect((await call("POST", `/v1/runs/${id}/cancel`)).status).toBe(200);
    expect((await ended(id)).status).toBe("cancelled");
  });

  it.each([
    [{ window: { from: "25:00" } }, "window.from"],
    [{ window: { from: "08:00", to: "08:00" } }, "window.to"],
    [{ window: { timeZone: "Berlin" } }, "window.timeZone"],
    [{ window: { days: "mon" } }, "window.days"],
    [{ window: { hours: 5 } }, "window.hours"],
    [{ deadline: 5 }, "deadline"],
    [{ deadline: "2020-01-01T00:00Z" }, "deadline"],
  ])("is refused with %j", async (change, path) => {
    const { status, body } = await answer(await call("POST", "/v1/runs", { source, task, ...change }));
    expect([status, body.error.code, body.error.path]).toEqual([400, "invalid", path]);
  });
});

describe("a deadline", () => {
  it("that cannot be kept is in the run's JSON at once, and moves with a change", async () => {
    const { id } = await start({ source, ...SLOW, deadline: "2h" });
    const late = await until(async () => {
      const run = await view(id);
      return run.deadline?.missedBySeconds != null && run;
    });
    // Twenty calls an hour apart.
    expect(late.deadline?.missedBySeconds).toBeGreaterThan(16 * 3600);
    expect(late.deadline?.neededPerSecond).toBeGreaterThan(0);
    expect(late.why).toMatch(/; the deadline, .*Z, will be missed by about 1[78] h/);
    const past = await answer(await call("PATCH", `/v1/runs/${id}`, { deadline: "2020-01-01T00:00Z" }));
    expect([past.status, past.body.error.code]).toEqual([409, "conflict"]);
    const moved = await answer<RunView>(await call("PATCH", `/v1/runs/${id}`, { deadline: "30h" }));
    expect(moved.body.deadline).toMatchObject({ missedBySeconds: null });
    const none = await answer<RunView>(await call("PATCH", `/v1/runs/${id}`, { deadline: null }));
    expect(none.body.deadline).toBeNull();
    await call("POST", `/v1/runs/${id}/cancel`);
  });

  it("is not taken over by a retry, and the hours are", async () => {
    const parent = await start({ source, task, window: { ...open(), days: null }, deadline: "1h" });
    await ended(parent.id);
    const retried = await answer<RunView>(await call("POST", `/v1/runs/${parent.id}/retry`, {}));
    expect([retried.status, retried.body.spec.deadline, retried.body.spec.window?.from]).toEqual([
      201,
      null,
      open().from,
    ]);
    await call("POST", `/v1/runs/${retried.body.id}/cancel`);
  });
});

describe("a plan", () => {
  it("counts the hours, and says which rate and lanes a deadline takes", async () => {
    const spec = { source, task, quota: { requests: "1/min" }, maxParallelism: 5 };
    const ask = async (change: object) => {
      const { status, body } = await answer<Record<string, unknown> & { error?: unknown }>(
        await call("POST", "/v1/plans", { ...spec, ...change }),
      );
      expect([status, body.error]).toEqual([200, undefined]);
      return body;
    };
    const plain = await ask({});
    expect([plain.window, plain.deadline]).toEqual([null, null]);
    expect(plain.etaSeconds).toBeLessThan(20 * 60);
    const night = await ask({ window: shut(), deadline: "2h" });
    expect(night.window).toMatchObject({ isOpen: false, changesAt: expect.stringMatching(/:00:00\.000Z$/) });
    expect(night.etaSeconds).toBeGreaterThan(5 * 3600);
    expect(night.deadline).toMatchObject({ isKnown: true, perSecond: null, lanes: null });
    const tight = await ask({ deadline: "10s" });
    expect(tight.deadline).toMatchObject({ missedBySeconds: expect.any(Number), perSecond: 2.05, lanes: 1 });
    const kept = await ask({ deadline: "1h" });
    expect(kept.deadline).toMatchObject({ missedBySeconds: null, isKnown: true });
  });
});
