import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { NO_TRIES } from "../../src/core/tries.ts";
import { judge } from "../../src/lane/items/verdict.ts";
import { rowOf } from "../../src/lane/rows/rows.ts";
import { createEgress } from "../../src/tasks/calls/egress.ts";
import { messageOf } from "../../src/tasks/faults.ts";
import { batchOutcomeOf, outcomeOf } from "../../src/tasks/ownOutcome.ts";
import type { Task } from "../../src/tasks/task.ts";
import { OpenPermits } from "../support/oneTry.ts";

const CALLED = { called: true };
const RETRY = { maxAttempts: 5, baseDelayMs: 1, maxDelayMs: 2, maxThrottles: 3 } as never;

function failure(message: string) {
  return { kind: "permanent", errorKind: "task", message, called: true };
}

describe("what a task of one's own returns", () => {
  it.each<[string, unknown, string]>([
    ["nothing", undefined, "the task returned undefined, not an outcome"],
    ["a bare value", "done", 'the task returned "done", not an outcome'],
    [
      "no kind",
      { value: 1 },
      "the task returned an outcome of kind undefined; there are ok, throttled, transient, again, permanent",
    ],
    ["a BigInt", { kind: "ok", value: { id: 1n } }, "the task's value is not JSON: it has a BigInt at /id"],
    ["a Map", { kind: "ok", value: new Map() }, "the task's value is not JSON: it has a Map"],
  ])("fails for good when it is %s", (_, returned, message) => {
    expect(outcomeOf(returned, CALLED)).toEqual(failure(message));
  });

  it.each([
    [
      { kind: "ok", value: { a: 1 } },
      { kind: "ok", value: { a: 1 } },
    ],
    [{ kind: "ok" }, { kind: "ok", value: null }],
    [
      { kind: "ok", value: { at: new Date(0), none: undefined } },
      { kind: "ok", value: { at: "1970-01-01T00:00:00.000Z" } },
    ],
    [
      { kind: "ok", value: 1, status: "200" },
      { kind: "ok", value: 1 },
    ],
    [
      { kind: "ok", value: 1, status: 201, usage: { inputTokens: 1, outputTokens: Number.NaN } },
      { kind: "ok", value: 1, status: 201 },
    ],
    [
      { kind: "throttled" },
      { kind: "throttled", message: "the task said throttled, and not why", retryAfterMs: null },
    ],
    [
      { kind: "transient", message: "later", errorKind: "odd", retryAfterMs: Number.NaN },
      { kind: "transient", message: "later", errorKind: "task", retryAfterMs: null },
    ],
    [
      { kind: "permanent", message: "no", errorKind: "http", status: 404, called: false },
      { kind: "permanent", message: "no", errorKind: "http", status: 404, called: false },
    ],
    [
      { kind: "permanent", message: "no", detail: { odd: 1 }, errorKind: "http", called: true },
      { kind: "permanent", message: "no", errorKind: "http", called: true },
    ],
    [{ kind: "permanent", message: { no: 1 } }, failure("the task said permanent, and not why")],
  ])("%j is taken as %j", (returned, outcome) => {
    expect(outcomeOf(returned, CALLED)).toEqual(outcome);
  });

  it.each<[unknown, unknown]>([
    [
      undefined,
      { kind: "whole", outcome: failure("the task returned undefined, not an outcome of its items") },
    ],
    [
      { kind: "each", outcomes: [{ kind: "ok", value: 1 }] },
      { kind: "whole", outcome: failure("the task gave 1 outcome for 2 items") },
    ],
    [
      { kind: "each", outcomes: [undefined, { kind: "ok", value: 2n }] },
      {
        kind: "each",
        outcomes: [
          failure("the task returned undefined, not an outcome"),
          failure("the task's value is not JSON: it has a BigInt"),
        ],
      },
    ],
    [
      { kind: "whole", outcome: { kind: "ok" } },
      { kind: "whole", outcome: failure("the task gave one value for all items") },
    ],
  ])("for several items %o is taken as %o", (returned, outcome) => {
    expect(batchOutcomeOf(returned, 2, CALLED)).toEqual(outcome);
  });

  it("can be judged and written as a row of JSON, whatever it is", () => {
    const outcome = fc.record(
      {
        kind: fc.constantFrom("ok", "throttled", "transient", "again", "permanent", "other"),
        value: fc.anything({ withBigInt: true, withMap: true, withDate: true }),
        message: fc.anything(),
        status: fc.anything(),
        retryAfterMs: fc.anything(),
        errorKind: fc.anything(),
        usage: fc.anything(),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.oneof(outcome, fc.anything({ withBigInt: true })), (returned) => {
        const taken = outcomeOf(returned, CALLED);
        const verdict = judge(taken, NO_TRIES, {
          retry: RETRY,
          targetDown: false,
          isSuspect: false,
          wasReached: true,
          random: 0.5,
        });
        if (verdict.kind === "again") {
          expect(Number.isFinite(verdict.inMs)).toBe(true);
          return;
        }
        const { line } = rowOf(
          { index: 0, ordinal: 0, position: 0, value: "a" },
          verdict.settled,
          (text) => text,
        );
        expect(JSON.parse(line)).toMatchObject({ index: 0, item: "a" });
      }),
      { numRuns: 500 },
    );
  });
});

describe("a row", () => {
  const item = { index: 3, ordinal: 3, position: 3, value: "a" };
  const row = (value: unknown) => {
    const settled = { attempts: 1, throttles: 0, result: { ok: true, value: value as never } } as const;
    return rowOf(item, settled, (text) => text);
  };

  it.each<[unknown, RegExp]>([
    [{ a: 1n }, /BigInt/],
    [() => 1, /has no JSON/],
    [
      {
        toJSON: () => {
          throw new Error("not today");
        },
      },
      /not today/,
    ],
  ])("is a failed one where the value %o cannot be written", (value, why) => {
    const { ok, line } = row(value);
    expect(ok).toBe(false);
    expect(JSON.parse(line)).toMatchObject({
      ok: false,
      error: { kind: "task", message: expect.stringMatching(why) },
    });
  });
});

describe("a task of one's own", () => {
  const settings = {
    version: 1,
    run: "run",
    root: "run",
    itemSource: { kind: "items" },
    child: false,
    spec: { source: { kind: "items" }, task: { kind: "own" }, allowPrivate: false },
  } as never;
  const signal = new AbortController().signal;

  async function run(does: () => unknown) {
    const task = { kind: "own", urls: () => [], secrets: () => [], run: does } as unknown as Task<
      unknown,
      unknown
    >;
    const egress = createEgress({ env: {}, settings, task });
    return egress.run({ task, client: undefined, item: "a", index: 0, permits: new OpenPermits(), signal });
  }

  it.each<[string, () => unknown, string]>([
    ["throws an error", () => Promise.reject(new Error("no such column")), "no such column"],
    [
      "throws at once",
      () => {
        throw new TypeError("x is not a function");
      },
      "x is not a function",
    ],
    ["throws an object", () => Promise.reject({ code: 7 }), '{"code":7}'],
    [
      "throws what has no text",
      () => Promise.reject(Object.assign(Object.create(null), { a: 1n })),
      "something was thrown that has no text",
    ],
    ["returns nothing", async () => undefined, "the task returned undefined, not an outcome"],
  ])("that %s has a failed row of kind task", async (_, does, message) => {
    expect(await run(does)).toMatchObject({ kind: "permanent", errorKind: "task", message, called: false });
  });

  it("that throws an error has the first lines of the stack in the row's detail, bounded", async () => {
    const fault = new TypeError("x is not a function");
    const { detail } = (await run(() => Promise.reject(fault))) as { readonly detail?: string };
    const lines = detail?.split("\n") ?? [];
    expect(lines[0]).toBe("TypeError: x is not a function");
    expect(lines[1]).toMatch(/^\s+at .*ownOutcome\.test\.ts/);
    expect(lines.length).toBeLessThanOrEqual(6);
    const long = (await run(() => Promise.reject(new Error("y".repeat(100_000))))) as { detail?: string };
    expect(long.detail?.length).toBeLessThanOrEqual(1024);
    const odd = Object.defineProperty(new Error("no"), "stack", {
      get: () => {
        throw new Error("not this one either");
      },
    });
    expect(await run(() => Promise.reject(odd))).toMatchObject({ errorKind: "task", message: "no" });
  });

  it("may throw anything: its text is found, or said to be missing", () => {
    fc.assert(
      fc.property(
        fc.anything({ withBigInt: true, withNullPrototype: true }),
        (thrown) => typeof messageOf(thrown) === "string",
      ),
    );
  });
});
