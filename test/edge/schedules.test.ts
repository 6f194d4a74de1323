import { createScheduledController, evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env as bindings } from "cloudflare:workers";
import { describe, expect, test, vi } from "vitest";
import type { RunView } from "../../src/core/run/runView.ts";
import type { FireView, ScheduleView } from "../../src/core/schedule/scheduleView.ts";
import worker from "../../src/index.ts";
import type { Env } from "../../src/objects/env.ts";
import { silence } from "../support/silenced.ts";
import { type Answer, answer, call, until } from "./callApi.ts";
import { USERS } from "./runsOverApi.ts";

vi.setConfig({ testTimeout: 60_000 });

const env = bindings as unknown as Env;
const NEVER = "https://target.test/never/{{item}}";
const QUICK = { source: { kind: "items", items: ["a", "b"] }, task: { kind: "http", url: USERS } };
/** Ends only when it is cancelled. */
const SLOW = { ...QUICK, task: { kind: "http", url: NEVER }, quota: { requests: "1/h" } };
/** Comes once a year: nothing fires by itself while a test looks. */
const YEARLY = "0 0 29 2 *";

async function add(schedule: object): Promise<ScheduleView> {
  const { status, body } = await answer<ScheduleView & Answer>(
    await call("POST", "/v1/schedules", { cron: YEARLY, spec: QUICK, ...schedule }),
  );
  expect([status, body.error]).toEqual([201, undefined]);
  return body;
}
const show = async (id: string) =>
  (await answer<ScheduleView>(await call("GET", `/v1/schedules/${id}`))).body;
const fire = async (id: string, at?: string) =>
  (await answer<FireView>(await call("POST", `/v1/schedules/${id}/fire`, at === undefined ? {} : { at })))
    .body;
const history = async (id: string) =>
  (await answer<{ runs: FireView[] }>(await call("GET", `/v1/schedules/${id}/runs`))).body.runs;
const tick = () => worker.scheduled(createScheduledController({ cron: "* * * * *" }), env);
const idle = (id: string) =>
  until(async () => {
    const view = await show(id);
    return view.open.length === 0 && view;
  });
/** As if nobody had been there for that long. */
async function away(id: string, ms: number): Promise<void> {
  const stub = env.SCHEDULE.getByName(id);
  await runInDurableObject(stub, (_, { storage }) => {
    storage.sql.exec("UPDATE state SET state = json_set(state, '$.seenMs', ?)", Date.now() - ms);
  });
  await evictDurableObject(stub);
  await env.DB.prepare("UPDATE schedules SET wake_at_ms = 0 WHERE id = ?1").bind(id).run();
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** An expression that came once in the last day, that long ago, and its instant. */
function came(agoMs: number): { cron: string; at: string } {
  const at = new Date(Math.floor((Date.now() - agoMs) / MINUTE) * MINUTE);
  return { cron: `${at.getUTCMinutes()} ${at.getUTCHours()} * * *`, at: at.toISOString() };
}

describe("a schedule", () => {
  test("is created, listed, changed, paused, resumed and deleted", async () => {
    const made = await add({ name: "nightly", cron: "30 2 * * 1-5", timeZone: "Europe/Berlin" });
    expect(made).toMatchObject({
      name: "nightly",
      status: "active",
      overlap: "skip",
      catchUpMs: 3_600_000,
      pauseAfterFailures: 3,
      watermark: null,
      open: [],
      last: null,
      spec: QUICK,
    });
    expect(made.next).toHaveLength(5);
    const listed = await answer<{ schedules: ScheduleView[] }>(await call("GET", "/v1/schedules"));
    const { spec: _, ...withoutSpec } = made;
    expect(listed.body.schedules).toContainEqual(withoutSpec);
    const changed = await answer<ScheduleView>(
      await call("PATCH", `/v1/schedules/${made.id}`, { overlap: "queue-one", name: null, cron: YEARLY }),
    );
    expect(changed.body).toMatchObject({
      name: null,
      overlap: "queue-one",
      timeZone: "Europe/Berlin",
      cron: YEARLY,
    });
    const paused = await answer<ScheduleView>(await call("POST", `/v1/schedules/${made.id}/pause`));
    expect(paused.body).toMatchObject({ status: "paused", why: "paused: by request", next: [] });
    await call("POST", `/v1/schedules/${made.id}/resume`);
    expect(await show(made.id)).toMatchObject({ status: "active" });
    expect((await call("DELETE", `/v1/schedules/${made.id}`)).status).toBe(204);
    expect((await call("GET", `/v1/schedules/${made.id}`)).status).toBe(404);
    expect((await call("DELETE", `/v1/schedules/${made.id}`)).status).toBe(404);
  });
});

describe("a fire", () => {
  test("by the tick starts one run, however often the tick comes; the run is told its instant", async () => {
    const { cron, at } = came(10 * MINUTE);
    const spec = { ...QUICK, name: "of {{scheduledAt}} since {{ watermark }}" };
    const { id } = await add({ cron, spec, watermark: "2026-01-01" });
    await away(id, HOUR);
    await Promise.all([tick(), tick(), tick()]);
    await tick();
    const done = await idle(id);
    expect(done).toMatchObject({
      watermark: at,
      failuresInRow: 0,
      last: { scheduledAt: at, cause: "cron", outcome: "completed", watermark: "2026-01-01T00:00:00.000Z" },
    });
    const runs = await history(id);
    expect(runs).toHaveLength(1);
    const run = await answer<RunView>(await call("GET", `/v1/runs/${runs[0]?.run}`));
    expect(run.body).toMatchObject({
      name: `of ${at} since 2026-01-01T00:00:00.000Z`,
      status: "completed",
      counts: { ok: 2 },
    });
    await away(id, HOUR);
    await tick();
    expect(await history(id)).toEqual(runs);
  });

  test("that came while nobody was there is made up for within catchUpMs, else noted as missed", async () => {
    const { cron, at } = came(2 * HOUR);
    for (const [catchUpMs, outcome] of [
      [HOUR, "missed"],
      [3 * HOUR, "completed"],
    ] as const) {
      const { id } = await add({ cron, catchUpMs });
      await away(id, 5 * HOUR);
      await tick();
      await idle(id);
      expect(await history(id)).toMatchObject([{ scheduledAt: at, outcome }]);
    }
  });

  test("of several that were missed only the newest runs, and the others are told", async () => {
    const { at } = came(2 * HOUR);
    const minute = new Date(at).getUTCMinutes();
    const { id } = await add({ cron: `${minute} * * * *`, catchUpMs: 5 * HOUR });
    await away(id, 4 * HOUR);
    await tick();
    await idle(id);
    const [newest, others] = await history(id);
    expect(newest?.outcome).toBe("completed");
    expect(others).toMatchObject({
      outcome: "missed",
      run: null,
      why: expect.stringMatching(/^[34] earlier/),
    });
  });

  test("that was decided, and whose run was not made before a crash, starts that one run", async () => {
    const { id } = await add({ overlap: "queue-one" });
    const at = "2026-03-01T00:00:00.000Z";
    const open = {
      scheduledAtMs: Date.parse(at),
      cause: "cron",
      outcome: "starting",
      why: null,
      run: null,
      watermarkMs: null,
      watermarkEpoch: 0,
      firedAtMs: Date.parse(at),
      startedAtMs: null,
      endedAtMs: null,
    };
    const stub = env.SCHEDULE.getByName(id);
    await runInDurableObject(stub, (_, { storage }) => {
      const text = JSON.stringify([open]);
      storage.sql.exec("UPDATE state SET state = json_set(state, '$.open', json(?))", text);
    });
    await evictDurableObject(stub);
    await env.DB.prepare("UPDATE schedules SET wake_at_ms = 0 WHERE id = ?1").bind(id).run();
    await tick();
    await idle(id);
    const [only, ...more] = await history(id);
    expect([only?.outcome, only?.scheduledAt, more.length]).toEqual(["completed", at, 0]);
    expect((await fire(id, at)).run).toBe(only?.run);
  });

  test("by hand of an instant that has its run gives that run", async () => {
    const { id } = await add({});
    const first = await fire(id, "2026-01-01T00:00Z");
    expect(first).toMatchObject({
      cause: "manual",
      outcome: "running",
      scheduledAt: "2026-01-01T00:00:00.000Z",
    });
    await idle(id);
    expect(await fire(id, "2026-01-01T01:00+01:00")).toMatchObject({ run: first.run, outcome: "completed" });
    expect(await history(id)).toHaveLength(1);
  });

  test("for an instant that has not come yet is refused, and moves nothing", async () => {
    const { id } = await add({});
    const at = new Date(Date.now() + HOUR).toISOString();
    const refused = await answer<Answer>(await call("POST", `/v1/schedules/${id}/fire`, { at }));
    expect([refused.status, refused.body.error.path]).toEqual([400, "at"]);
    expect(refused.body.error.message).toContain("must not lie in the future");
    expect([(await show(id)).watermark, await history(id)]).toEqual([null, []]);
  });

  test("for an instant before the watermark is skipped where the spec asks for what came since", async () => {
    const task = { kind: "http", url: `${USERS}?since={{watermark}}&until={{scheduledAt}}` };
    const { id } = await add({ spec: { ...QUICK, task }, watermark: "2026-02-01T00:00Z" });
    const early = await fire(id, "2026-01-01T00:00Z");
    expect(early).toMatchObject({ outcome: "skipped", run: null });
    expect(early.why).toContain("the watermark is later, 2026-02-01T00:00:00.000Z");
    await call("PATCH", `/v1/schedules/${id}`, { watermark: "2025-12-01T00:00Z" });
    expect(await fire(id, "2026-01-01T00:00Z")).toMatchObject({
      outcome: "running",
      watermark: "2025-12-01T00:00:00.000Z",
    });
    expect((await idle(id)).watermark).toBe("2026-01-01T00:00:00.000Z");
  });

  test("whose run cannot be made says why, counts as failed, and may be fired again", async () => {
    const spec = { ...QUICK, source: { kind: "input", name: "not-there-yet.txt", format: "lines" } };
    const { id } = await add({ spec, pauseAfterFailures: 2 });
    const refused = await fire(id, "2026-01-01");
    expect(refused).toMatchObject({
      outcome: "refused",
      run: null,
      why: expect.stringContaining("not-there-yet"),
    });
    expect(await show(id)).toMatchObject({ failuresInRow: 1, status: "active", watermark: null });
    await fire(id, "2026-01-02");
    expect(await show(id)).toMatchObject({ status: "paused", why: "paused: 2 runs in a row failed" });
    await call("PUT", "/v1/inputs/not-there-yet.txt", "a\nb\n");
    expect(await fire(id, "2026-01-02")).toMatchObject({ outcome: "running" });
    expect(await idle(id)).toMatchObject({ watermark: "2026-01-02T00:00:00.000Z", failuresInRow: 0 });
  });

  test("of a run that completes with failed rows moves the watermark only where the schedule says so", async () => {
    const spec = { ...QUICK, source: { kind: "items", items: ["a", "7"] } };
    for (const advanceWithFailures of [false, true]) {
      const { id } = await add({ spec, advanceWithFailures });
      await fire(id, "2026-01-01");
      const done = await idle(id);
      expect(done.last?.outcome).toBe("completed-with-failures");
      expect(done.watermark).toBe(advanceWithFailures ? "2026-01-01T00:00:00.000Z" : null);
    }
  });
});

describe("overlap", () => {
  const four = ["2026-01-01", "2026-01-02", "2026-01-03", "2026-01-04"];
  const outcomes = async (id: string) => (await history(id)).reverse().map((one) => one.outcome);
  const cancelAll = async (id: string) => {
    for (const { run } of (await show(id)).open)
      if (run !== null) await call("POST", `/v1/runs/${run}/cancel`);
  };

  test("skip leaves out what comes while a run has not ended", async () => {
    const { id } = await add({ spec: SLOW });
    for (const at of four) await fire(id, at);
    expect(await outcomes(id)).toEqual(["running", "skipped", "skipped", "skipped"]);
    const [run] = (await show(id)).open;
    await call("POST", `/v1/runs/${run?.run}/pause`);
    expect((await show(id)).why).toBe(`run ${run?.run} has not ended (paused: by request)`);
    await cancelAll(id);
    await idle(id);
  });

  test("queue-one runs the latest of those that had to wait, as soon as the run before it has ended", async () => {
    const { id } = await add({ spec: SLOW, overlap: "queue-one" });
    for (const at of four) await fire(id, at);
    expect(await outcomes(id)).toEqual(["running", "skipped", "skipped", "waiting"]);
    await call("PATCH", `/v1/schedules/${id}`, { spec: QUICK });
    await cancelAll(id);
    // No tick: the run that ends tells its schedule.
    const done = await idle(id);
    expect(await outcomes(id)).toEqual(["cancelled", "skipped", "skipped", "completed"]);
    expect(done.watermark).toBe("2026-01-04T00:00:00.000Z");
  });

  test("cancel-running ends the run that is under way and starts the new one after it", async () => {
    const { id } = await add({ spec: SLOW, overlap: "cancel-running" });
    await fire(id, four[0]);
    await call("PATCH", `/v1/schedules/${id}`, { spec: QUICK });
    await fire(id, four[1]);
    await idle(id);
    expect(await outcomes(id)).toEqual(["cancelled", "completed"]);
  });

  test("allow lets runs go side by side", async () => {
    const { id } = await add({ spec: SLOW, overlap: "allow" });
    for (const at of four) await fire(id, at);
    expect(await outcomes(id)).toEqual(["running", "running", "running", "running"]);
    await cancelAll(id);
    await idle(id);
  });
});

describe("what cannot be a schedule", () => {
  test.each([
    ["four fields", { cron: "0 3 * *" }, "cron", /has 4 fields.*accepted are five/],
    ["a nickname", { cron: "@daily" }, "cron", /has 1 field;/],
    ["an impossible minute", { cron: "61 * * * *" }, "cron", /Invalid value for minute: 61/],
    ["a day that never comes", { cron: "0 0 31 2 *" }, "cron", /never comes/],
    ["an unknown zone", { timeZone: "Mars/Base" }, "timeZone", /IANA names/],
    ["an offset for a zone", { timeZone: "+02:00" }, "timeZone", /IANA names/],
    ["an unknown overlap", { overlap: "queue" }, "overlap", /skip, queue-one, cancel-running, allow/],
    ["an endless catch-up", { catchUpMs: 1e12 }, "catchUpMs", /whole number from 0/],
    ["a watermark that is not an instant", { watermark: "yesterday" }, "watermark", /2026-01-01T00:00Z/],
    ["a spec that is wrong", { spec: { ...QUICK, chunkSize: 0 } }, "spec.chunkSize", /from 1 to/],
    [
      "an unknown insertion",
      { spec: { ...QUICK, task: { kind: "http", url: "https://x.test/{{when}}" } } },
      "spec.task.url",
      /when/,
    ],
    [
      "a watermark that is used and not given",
      { spec: { ...QUICK, name: "{{watermark}}" } },
      "watermark",
      /is missing/,
    ],
    ["an unknown key", { zone: "UTC" }, "zone", /is unknown; accepted are/],
  ])("%s is refused by its field, with the reason", async (_, wrong, path, says) => {
    const body = { cron: YEARLY, spec: QUICK, ...wrong };
    const refused = await answer(await call("POST", "/v1/schedules", body));
    expect([refused.status, refused.body.error.path]).toEqual([400, path]);
    expect(refused.body.error.message).toMatch(says);
  });

  test("a change is checked together with what stays", async () => {
    const { id } = await add({});
    const refused = await answer(
      await call("PATCH", `/v1/schedules/${id}`, { spec: { ...QUICK, name: "{{watermark}}" } }),
    );
    expect([refused.status, refused.body.error.path]).toEqual([400, "watermark"]);
  });

  test("an Idempotency-Key gives the same schedule for the same body, and a conflict for another one", async () => {
    const key = { "idempotency-key": "once" };
    const body = { cron: YEARLY, spec: QUICK };
    const make = async (sent: object) => answer(await call("POST", "/v1/schedules", sent, key));
    const [first, second] = [await make(body), await make(body)];
    expect([first.status, second.body.id]).toEqual([201, first.body.id]);
    expect((await make({ ...body, name: "other" })).status).toBe(409);
  });
});

describe("the list in D1", () => {
  test("is there again after a reindex, and what was due meanwhile fires", async () => {
    const { cron, at } = came(10 * MINUTE);
    const { id } = await add({ cron });
    await away(id, HOUR);
    await env.DB.prepare("DELETE FROM schedules").run();
    await tick();
    expect(await history(id)).toEqual([]);
    const done = await answer<{ schedules: number }>(await call("POST", "/v1/reindex"));
    expect(done.body.schedules).toBeGreaterThan(0);
    await tick();
    await idle(id);
    expect(await history(id)).toMatchObject([{ scheduledAt: at, outcome: "completed" }]);
  });

  describe("while it is away", () => {
    silence(/D1_ERROR: no such table: schedules/);

    test("a schedule can be changed: it follows when D1 is back", async () => {
      const { id } = await add({});
      await env.DB.prepare("ALTER TABLE schedules RENAME TO schedules_away").run();
      try {
        expect((await call("POST", `/v1/schedules/${id}/pause`)).status).toBe(200);
        expect((await call("POST", "/v1/schedules", { cron: YEARLY, spec: QUICK })).status).toBe(503);
      } finally {
        await env.DB.prepare("ALTER TABLE schedules_away RENAME TO schedules").run();
      }
      await until(async () => {
        const row = await env.DB.prepare("SELECT wake_at_ms AS wake FROM schedules WHERE id = ?1")
          .bind(id)
          .first<{ wake: number | null }>();
        return row?.wake === null;
      });
    });
  });
});
