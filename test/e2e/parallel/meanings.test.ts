/** What answers mean, by rules and without: the real command against a target that speaks as real ones do. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RunView } from "../../../src/core/run/runView.ts";
import { type Arrival, type Server, startServer } from "../../support/oneTry.ts";
import { type Finished, type TestRow, Workspace } from "../../support/weir.ts";

interface Said {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly afterMs?: number;
}

const OK: Said = { body: { total: 7 } };

/** Calls of `/paid/…` that are left. */
let credits = 10;

/** What the target says of `/<mode>/<id>` the n-th time. */
function say(mode: string, id: number, n: number): Said {
  switch (mode) {
    case "limit403":
      return n === 1 ? { status: 403, headers: { "retry-after": "1" }, body: { message: "wait" } } : OK;
    case "secondary":
      return n === 1 ? { status: 403, body: { message: "You have exceeded a secondary rate limit." } } : OK;
    case "slowdown":
      return n === 1 ? { status: 503, body: { Code: "SlowDown" } } : OK;
    case "gql":
      return n === 1 ? { body: { errors: [{ message: "slow", extensions: { code: "THROTTLED" } }] } } : OK;
    case "gqlbad":
      return { body: { data: null, errors: [{ message: "no such product" }] } };
    case "pending":
      return n < 3 ? { status: 202 } : OK;
    case "never":
      return { status: 202 };
    case "locked":
      return n === 1 ? { status: 423 } : OK;
    case "own":
      return id % 4 === 0 ? { status: 403, body: { message: "not yours" } } : OK;
    case "all":
      return { status: 403, body: { message: "closed" } };
    case "paid":
      return credits-- > 0 ? OK : { status: 402, body: { error: { message: "Insufficient credits" } } };
    case "inuse":
      if (n === 1) return { ...OK, afterMs: 3000 };
      return n === 2 ? { status: 409, body: { message: "a request with this key is under way" } } : OK;
    default:
      return { status: 404 };
  }
}

const MIXED = ["limit403", "secondary", "slowdown", "gql", "gqlbad", "pending", "never", "locked"];
const RULES = [
  { when: { pointer: "/errors/0/extensions/code", equals: "THROTTLED" }, is: "throttled" },
  { when: { pointer: "/errors", exists: true }, is: "failed", message: "/errors/0/message" },
  { when: { status: ["202"] }, is: "again" },
];

describe("what answers mean", () => {
  let workspace: Workspace;
  let server: Server;
  const times = new Map<string, number>();

  beforeAll(async () => {
    workspace = new Workspace();
    await workspace.dev();
    server = await startServer(({ url }, response) => {
      const [, mode = "", id = ""] = url.split("/");
      const n = (times.get(url) ?? 0) + 1;
      times.set(url, n);
      const { status = 200, headers = {}, body, afterMs = 0 } = say(mode, Number(id), n);
      setTimeout(() => {
        response.writeHead(status, { "content-type": "application/json", ...headers });
        response.end(body === undefined ? "" : JSON.stringify(body));
      }, afterMs);
    });
  });
  afterAll(async () => {
    await workspace.close();
    await server.close();
  });

  const run = (name: string, spec: object): Promise<Finished> => {
    workspace.write(`${name}.json`, JSON.stringify(spec));
    return workspace.weir(["run", `${name}.json`, "--out", `${name}.jsonl`, "--json"]);
  };
  const ids = (n: number) => ({ kind: "range", from: 1, to: n + 1 });
  const to = (mode: string) => ({ kind: "http", url: `${server.origin}/${mode}/{{item}}` });
  const runOf = ({ stdout }: Finished) => JSON.parse(stdout) as RunView;
  const arrivals = (mode: string): Arrival[] =>
    server.arrivals.filter(({ url }) => url.startsWith(`/${mode}/`));

  describe("in one run with rules", () => {
    let rows: Map<string, TestRow[]>;
    let ended: Finished;

    beforeAll(async () => {
      const items = MIXED.flatMap((mode) => [1, 2, 3].map((id) => ({ mode, id })));
      ended = await run("mixed", {
        source: { kind: "items", items },
        task: { kind: "http", url: `${server.origin}/{{item.mode}}/{{item.id}}`, answers: RULES },
        chunkSize: 8,
        retry: { baseDelayMs: 100, maxAgain: 4 },
      });
      rows = Map.groupBy(workspace.rows("mixed.jsonl"), ({ item }) => (item as { mode: string }).mode);
    });

    test("every item has its row, and some failed", () => {
      expect(ended.exitCode, ended.stderr).toBe(3);
      expect([...rows.values()].map((of) => of.length)).toEqual(MIXED.map(() => 3));
    });

    test.each([
      ["a 403 that says to wait is throttled", "limit403", { ok: true, attempts: 1, throttles: 1 }],
      [
        "a 403 with the words of a rate limit is throttled",
        "secondary",
        { ok: true, attempts: 1, throttles: 1 },
      ],
      ["a 503 with SlowDown is throttled", "slowdown", { ok: true, attempts: 1, throttles: 1 }],
      ["a 200 that a rule calls throttled is", "gql", { ok: true, attempts: 1, throttles: 1 }],
      [
        "a 202 is asked for again and spends nothing",
        "pending",
        { ok: true, attempts: 1, value: { total: 7 } },
      ],
      ["a 423 is asked for again without a rule", "locked", { ok: true, attempts: 1 }],
    ])("%s", (_rule, mode, row) => {
      expect(rows.get(mode)).toMatchObject([row, row, row]);
    });

    test("an error inside a 200 is a failed row with the target's words", () => {
      const error = { kind: "http", message: "no such product", retryable: false };
      expect(rows.get("gqlbad")?.[0]).toMatchObject({ ok: false, status: 200, attempts: 1, error });
    });

    test("what is never ready is a failed row that says how often it was asked", () => {
      const message = "202 Accepted: not ready, asked 4 times (retry.maxAgain is 4)";
      expect(rows.get("never")?.[0]).toMatchObject({ ok: false, error: { message, retryable: true } });
      expect(times.get("/never/1")).toBe(4);
    });
  });

  test("a 409 after a call that was not answered is tried again with the same key", async () => {
    const task = { ...to("inuse"), method: "POST", idempotencyHeader: "idempotency-key", timeoutMs: 1000 };
    const ended = await run("inuse", { source: ids(3), task, retry: { baseDelayMs: 200 } });
    expect(ended.exitCode, ended.stderr).toBe(0);
    expect(workspace.rows("inuse.jsonl")).toMatchObject([1, 2, 3].map(() => ({ ok: true, attempts: 3 })));
    const keys = new Set(arrivals("inuse").map(({ url, headers }) => `${url} ${headers["idempotency-key"]}`));
    expect(keys.size).toBe(3);
  });

  test("items that are forbidden themselves fail and never pause the run, nor its retry", async () => {
    const ended = await run("own", { source: ids(120), task: to("own"), chunkSize: 40 });
    expect(ended.exitCode, ended.stderr).toBe(3);
    expect(runOf(ended).counts).toMatchObject({ ok: 90, failed: 30 });
    const retried = await workspace.weir(["retry", runOf(ended).id, "--json"]);
    expect(retried.exitCode, retried.stderr).toBe(3);
    expect(runOf(retried).counts).toMatchObject({ items: 30, failed: 30 });
  });

  test("a target that refuses all pauses the run with what it says, and a resume lets it end", async () => {
    const spec = { source: ids(30), task: to("all"), chunkSize: 10, tolerate: { failureRate: 1 } };
    const paused = await run("all", spec);
    expect(paused.exitCode, paused.stderr).toBe(5);
    const view = runOf(paused);
    expect(view.counts.failed).toBe(0);
    expect(view.why).toContain(
      "the target refuses every call (403 Forbidden: closed), and the spec sends no credentials",
    );
    const resumed = await workspace.weir(["run", "--resume", view.id, "--json"]);
    expect(resumed.exitCode, resumed.stderr).toBe(3);
    expect(runOf(resumed).counts).toMatchObject({ done: 30, failed: 30 });
  });

  test("credits that are used up pause the run, which says so, and no item has failed", async () => {
    const ended = await run("paid", { source: ids(60), task: to("paid"), chunkSize: 20 });
    expect(ended.exitCode, ended.stderr).toBe(5);
    expect(runOf(ended).why).toContain("used up (402 Payment Required: Insufficient credits)");
    expect(runOf(ended).counts.failed).toBe(0);
  });
});
