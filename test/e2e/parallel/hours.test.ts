/** Hours, deadlines and ramps through the real command and the real runtime. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RunView } from "../../../src/core/run/runView.ts";
import { type AnswerServer, answerServer } from "../../support/answerServer.ts";
import { until } from "../../support/until.ts";
import { idLines, Workspace } from "../../support/weir.ts";

const SECRET = { WEIR_SECRET_WEBHOOK: "a-secret-of-some-length" };

let workspace: Workspace;
let target: AnswerServer;
let notices: RunView[];

beforeAll(async () => {
  workspace = new Workspace();
  notices = [];
  target = await answerServer(({ url, body }) => {
    if (url === "/done") notices.push(JSON.parse(body) as RunView);
    return {};
  });
  await workspace.dev(SECRET);
});
afterAll(async () => {
  await workspace.close();
  await target[Symbol.asyncDispose]();
});

/** Flags of a run of `items` ids, whose calls go to a path of their own. */
function flags(name: string, items: number): string[] {
  workspace.write(`${name}.txt`, idLines(items));
  return ["--input", `${name}.txt`, "--url", `${target.url}/${name}/{{item}}`];
}

/** Hours that begin and end so many hours from now. */
function hours(fromHour: number, toHour: number): string {
  const time = (hour: number) => `${String((new Date().getUTCHours() + hour + 24) % 24).padStart(2, "0")}:00`;
  return `${time(fromHour)}-${time(toHour)}`;
}

describe("hours", () => {
  test("hold a run back until they are changed, and say until when", async () => {
    const running = workspace.start([
      "run",
      ...flags("held", 30),
      "--window",
      hours(6, 9),
      "--out",
      "held.jsonl",
    ]);
    const run = await running.runId();
    const shut = await until("the run to wait", async () => {
      const view = await workspace.status(run);
      return view.why.startsWith("outside its window: no call leaves until ") && view;
    });
    expect(shut).toMatchObject({ status: "running", counts: { calls: 0 }, lanes: { live: 0 } });
    expect(target.callsOf("/held/u_0")).toEqual([]);
    const set = await workspace.weir(["set", run, "--window", hours(-2, 6)]);
    expect(set.exitCode, set.stderr).toBe(0);
    const ended = await running.finished();
    expect(ended.exitCode, ended.stderr).toBe(0);
    expect(workspace.rows("held.jsonl")).toHaveLength(30);
  });

  test("that begin while a run goes end its calls within two seconds, and no row is lost", async () => {
    const running = workspace.start(["run", ...flags("cut", 120), "--rate", "20/s", "--out", "cut.jsonl"]);
    const run = await running.runId();
    await until("some calls", () => target.callsOf("/cut/u_20").length > 0);
    expect((await workspace.weir(["set", run, "--window", hours(6, 9), "--days", "mon-sun"])).exitCode).toBe(
      0,
    );
    await until("its lanes to end", async () => (await workspace.status(run)).lanes.live === 0);
    const before = await workspace.status(run);
    expect(before.counts.done).toBeLessThan(120);
    expect(before.why).toMatch(/^outside its window/);
    expect((await workspace.weir(["set", run, "--window", "none"])).exitCode).toBe(0);
    const ended = await running.finished();
    expect(ended.exitCode, ended.stderr).toBe(0);
    expect(workspace.rows("cut.jsonl").map(({ index }) => index)).toEqual([...Array(120).keys()]);
    for (let id = 0; id < 120; id++) expect(target.callsOf(`/cut/u_${id}`), `u_${id}`).toHaveLength(1);
  });
});

describe("a deadline", () => {
  test("that is missed is in why, the closing line, the notice and the exit code", async () => {
    const spec = {
      source: { kind: "range", from: 0, to: 60 },
      task: { kind: "http", url: `${target.url}/late/{{item}}` },
      quota: { requests: "20/s" },
      deadline: "1s",
      onComplete: { url: `${target.url}/done` },
    };
    workspace.write("late.json", JSON.stringify(spec));
    const running = workspace.start(["run", "late.json", "--json"], SECRET);
    const run = await running.runId();
    const early = await until("the run to say so", async () => {
      const view = await workspace.status(run);
      return view.deadline?.missedBySeconds != null && view;
    });
    expect(early.why).toMatch(/the deadline, .*Z, (will be|was) missed by/);
    const ended = await running.finished();
    expect(ended.exitCode, ended.stderr).toBe(6);
    expect(ended.stderr).toMatch(/^deadline .*Z: missed by \d+ s$/m);
    expect((JSON.parse(ended.stdout) as RunView).deadline?.missedBySeconds).toBeGreaterThanOrEqual(1);
    expect(notices[0]?.deadline?.missedBySeconds).toBeGreaterThanOrEqual(1);
  });

  test("that is kept ends with 0, and the plan says which rate it takes", async () => {
    const given = [...flags("kept", 30), "--rate", "200/s", "--deadline", "1h"];
    const plan = await workspace.weir(["plan", ...given]);
    expect(plan.exitCode, plan.stderr).toBe(0);
    expect(plan.stdout).toMatch(
      /^deadline .*Z: met, with 59 min \d+ s to spare; it takes .*\/s and 1 lane at least$/m,
    );
    const ended = await workspace.weir(["run", ...given]);
    expect(ended.exitCode, ended.stderr).toBe(0);
    expect(ended.stderr).toMatch(/^deadline .*Z: met$/m);
  });
});

describe("a simulation", () => {
  test("begins now, waits for the hours, and judges the deadline", async () => {
    const given = ["simulate", "--items", "300", "--rate", "10/s", "--deadline", "1h"];
    const held = await workspace.weir([...given, "--window", hours(3, 9)]);
    expect(held.exitCode, held.stderr).toBe(0);
    expect(held.stdout).toMatch(/^completed after [23] h/m);
    expect(held.stdout).toMatch(/^deadline .*Z: missed by [12] h/m);
    const free = await workspace.weir(given);
    expect(free.stdout).toMatch(/^deadline .*Z: met$/m);
  });
});

describe("a ramp", () => {
  test("begins with a share of the rate and climbs to all of it", async () => {
    const spec = {
      source: { kind: "range", from: 0, to: 100 },
      task: { kind: "http", url: `${target.url}/ramp/{{item}}` },
      quota: { requests: "20/s" },
      ramp: { from: "50%", step: "25%", everyMs: 1500, maxLatencyGrowth: 100 },
    };
    workspace.write("ramp.json", JSON.stringify(spec));
    const plan = await workspace.weir(["plan", "ramp.json"]);
    expect(plan.stdout).toContain(
      "ramp, if each step is clean: 10/s with 5 lanes, 15/s with 8 lanes after 2 s, 20/s with 10 lanes after 3 s",
    );
    const ended = await workspace.weir(["run", "ramp.json", "--json"]);
    expect(ended.exitCode, ended.stderr).toBe(0);
    const { ramp } = JSON.parse(ended.stdout) as RunView;
    expect(ramp?.steps.map(({ share, because }) => [share, because])).toEqual([
      [0.5, null],
      [0.75, null],
      [1, null],
    ]);
    const calls = [...Array(100).keys()].flatMap((id) => target.callsOf(`/ramp/${id}`)).sort((a, b) => a - b);
    const raisedMs = Date.parse(ramp?.steps[1]?.at ?? "");
    // What was allowed until the first step, and a burst at its bound.
    const allowed = (10 * (raisedMs - calls[0]!)) / 1000 + 10 * 0.075 + 2;
    expect(calls.filter((ms) => ms < raisedMs).length).toBeLessThanOrEqual(allowed);
  });
});
