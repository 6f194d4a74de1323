/** The first items go alone, somebody opens the gate, and the end is told to whoever asked for it. */
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { RunView } from "../../../src/core/run/runView.ts";
import { spawnTarget } from "../../support/spawnTarget.ts";
import type { Target } from "../../support/targetOptions.ts";
import { until } from "../../support/until.ts";
import { Workspace } from "../../support/weir.ts";

const IDS = 60;
const SMOKE_ITEMS = 12;
/** For commands that have to work on their run themselves. */
const OWN = ["--state", "own"];

/** Its `weir dev` works on the runs; each test has a folder of its own. */
let home: Workspace;
let workspace: Workspace;
let target: Target;

beforeAll(async () => {
  home = new Workspace();
  await home.dev();
});
afterAll(() => home.close());
beforeEach(async () => {
  workspace = home.beside();
  target = await spawnTarget();
});
afterEach(async () => {
  await workspace.close();
  await target.close();
});

function writeSpec(change: object): void {
  const spec = {
    source: { kind: "items", items: Array.from({ length: IDS }, (_, i) => `u_${i}`) },
    task: { kind: "http", url: `${target.url}/v1/users/{{item}}` },
    chunkSize: 10,
    maxParallelism: 8,
    quota: { requests: "200/s" },
    ...change,
  };
  workspace.write("spec.json", JSON.stringify(spec));
}

async function expectEveryIdOnce(): Promise<void> {
  const { ids } = await target.log();
  expect(new Set(ids).size).toBe(IDS);
  expect(ids).toHaveLength(IDS);
  const rows = workspace.rows("rows.jsonl");
  expect(rows.map((row) => row.index)).toEqual(Array.from({ length: IDS }, (_, i) => i));
}

test("a smoke stage with a gate for people ends the command with 5, and goes on after weir approve", async () => {
  writeSpec({ smoke: { items: SMOKE_ITEMS, gate: "manual" } });
  const waiting = await workspace.weir(["run", "spec.json", "--out", "rows.jsonl", "--json", ...OWN]);
  expect(waiting.exitCode, waiting.stderr).toBe(5);
  const { id, status, counts } = JSON.parse(waiting.stdout) as RunView;
  expect([status, counts.done]).toEqual(["awaiting-approval", SMOKE_ITEMS]);
  expect(waiting.stderr).toContain(`weir approve ${id}`);

  const early = await workspace.weir(["run", "--resume", id, "--out", "rows.jsonl", ...OWN]);
  expect(early.exitCode, early.stderr).toBe(5);

  const approved = await workspace.weir(["approve", id, ...OWN]);
  expect(approved, approved.stderr).toMatchObject({ exitCode: 0 });
  expect(approved.stdout).toContain(`weir run --resume ${id}`);
  expect((await target.stats()).calls, "nothing but the smoke stage was called").toBe(SMOKE_ITEMS);

  const resumed = await workspace.weir(["run", "--resume", id, "--out", "rows.jsonl", ...OWN]);
  expect(resumed.exitCode, resumed.stderr).toBe(0);
  await expectEveryIdOnce();
});

test("the rows of a smoke stage are shown before it is approved, which happens once", async () => {
  writeSpec({ smoke: { items: SMOKE_ITEMS, gate: "manual" } });
  const waiting = await workspace.weir(["run", "spec.json", "--out", "rows.jsonl", "--json"]);
  expect(waiting.exitCode, waiting.stderr).toBe(5);
  const { id } = JSON.parse(waiting.stdout) as RunView;
  const shown = await workspace.weir(["approve", id, "--show"]);
  expect(shown.exitCode, shown.stderr).toBe(0);
  expect(shown.stdout.match(/ok {6}200 {2}"u_\d+" {2}\{/g)).toHaveLength(SMOKE_ITEMS);
  expect(shown.stdout).toContain("awaiting-approval");
  expect(await workspace.weir(["approve", id])).toMatchObject({ exitCode: 0 });
  const again = await workspace.weir(["approve", id]);
  expect(again).toMatchObject({ exitCode: 2, stderr: expect.stringContaining("does not await approval") });
});

test("a smoke stage whose items fail waits at its automatic gate", async () => {
  writeSpec({ smoke: { items: SMOKE_ITEMS, gate: "auto", maxFailureRate: 0.1 } });
  await target.set({ missingShare: 1 });
  const waiting = await workspace.weir(["run", "spec.json"]);
  expect(waiting.exitCode, waiting.stderr).toBe(5);
  expect(waiting.stderr).toContain(`${SMOKE_ITEMS} of ${SMOKE_ITEMS} items failed`);
  expect((await target.stats()).calls).toBe(SMOKE_ITEMS);
});

test("weir plan and --smoke say that the first items go alone; the flag asks for approval", async () => {
  writeSpec({});
  const planned = await workspace.weir(["plan", "spec.json", "--smoke", "5"]);
  expect(planned.stdout).toContain("smoke stage: the first 5 items go alone, then it waits for approval");
  const waiting = await workspace.weir(["run", "spec.json", "--smoke", "5"]);
  expect(waiting.exitCode, waiting.stderr).toBe(5);
  expect((await target.stats()).calls).toBe(5);
});

test("a smoke stage whose items are fine opens its automatic gate by itself", async () => {
  writeSpec({ smoke: { items: SMOKE_ITEMS, gate: "auto" } });
  const ended = await workspace.weir(["run", "spec.json", "--out", "rows.jsonl"]);
  expect(ended.exitCode, ended.stderr).toBe(0);
  await expectEveryIdOnce();
});

describe("the notice of a run's end", () => {
  const SECRET = "a-webhook-secret";
  const env = { WEIR_SECRET_WEBHOOK: SECRET };
  let receiver: Server;
  let received: { readonly body: string; readonly headers: IncomingHttpHeaders }[];
  let answers: number[];

  beforeEach(async () => {
    received = [];
    answers = [];
    receiver = createServer(async (request, response) => {
      const pieces: Buffer[] = [];
      for await (const piece of request) pieces.push(piece as Buffer);
      const body = Buffer.concat(pieces).toString();
      received.push({ body, headers: request.headers });
      response.writeHead(answers.shift() ?? 204).end();
    }).listen(0, "127.0.0.1");
    await once(receiver, "listening");
    const { port } = receiver.address() as AddressInfo;
    writeSpec({ onComplete: { url: `http://127.0.0.1:${port}/done` } });
  });
  afterEach(() => {
    receiver.closeAllConnections();
    receiver.close();
  });

  test("is sent again until it is taken, signed, without the spec, before the command ends", async () => {
    answers = [500];
    const ended = await workspace.weir(["run", "spec.json", "--json", ...OWN], env);
    expect(ended.exitCode, ended.stderr).toBe(0);
    const run = JSON.parse(ended.stdout) as RunView;
    expect(run.onComplete).toMatchObject({ state: "delivered", attempts: 2, status: 204 });
    expect(received).toHaveLength(2);
    const signed = (text: string) => `sha256=${createHmac("sha256", SECRET).update(text).digest("hex")}`;
    for (const { body, headers } of received) {
      const timestamp = Number(headers["x-weir-timestamp"]);
      expect(Math.abs(Date.now() / 1000 - timestamp)).toBeLessThan(300);
      expect(headers["x-weir-signature"]).toBe(signed(body));
      expect(headers["x-weir-signature-v2"]).toBe(signed(`${timestamp}.${body}`));
      const told = JSON.parse(body) as Partial<RunView>;
      expect(told).toMatchObject({ id: run.id, status: "completed", counts: { done: IDS } });
      expect(told.spec).toBeUndefined();
    }
    expect(ended.stdout + ended.stderr).not.toContain(SECRET);
  });

  test("that nobody takes is left by Ctrl-C; the run has ended all the same", async () => {
    answers = Array.from({ length: 10 }, () => 503);
    const running = workspace.start(["run", "spec.json", "--out", "rows.jsonl", ...OWN], env);
    await until("the command to say that it waits", () => running.stderr.includes("notifying http"));
    running.interrupt();
    const ended = await running.finished();
    expect(ended.exitCode, ended.stderr).toBe(0);
    expect(ended.stderr).toContain("is not delivered yet");
    expect(workspace.rows("rows.jsonl")).toHaveLength(IDS);
  });

  test("is refused before the start when its secret is missing", async () => {
    const refused = await workspace.weir(["run", "spec.json", ...OWN]);
    expect(refused.exitCode).toBe(2);
    expect(refused.stderr).toContain("WEIR_SECRET_WEBHOOK");
    expect((await target.stats()).calls).toBe(0);
  });
});
