/** A task of one's own whose promise never settles ends all the same: its item gets a row, its lane goes on. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { MAX_LOCAL_CALL_TIMEOUT_MS, TASK_SILENT_MS, TASK_STOPS_WITHIN_MS } from "../../src/core/limits.ts";
import { NO_TRIES } from "../../src/core/tries.ts";
import { judge } from "../../src/lane/items/verdict.ts";
import { createEgress } from "../../src/tasks/calls/egress.ts";
import { closeInTime, openInTime } from "../../src/tasks/calls/patience.ts";
import type { Permits } from "../../src/tasks/calls/permits.ts";
import {
  CannotOpen,
  LaneStopped,
  type OutgoingRequest,
  type Task,
  type TaskContext,
} from "../../src/tasks/task.ts";
import { OpenPermits } from "../support/oneTry.ts";

const NEVER = new Promise<never>(() => {});
const RETRY = { maxAttempts: 5, baseDelayMs: 1, maxDelayMs: 2, maxThrottles: 3 } as never;
const SILENT = {
  kind: "permanent",
  errorKind: "task",
  message: "the task did not settle: it made no call for 4 min, and what it waits for does not come",
};
const SILENT_ROW = { kind: "task", message: SILENT.message, retryable: false };

const REQUEST: OutgoingRequest = {
  url: ["http://target.test/"],
  method: "GET",
  headers: {},
  body: null,
  timeoutMs: 10_000,
};

type Act = (context: TaskContext) => Promise<unknown>;

/** One try of a task that does `act`; the target answers at once. */
function begin(
  act: Act,
  { permits = new OpenPermits() as Permits, signal = new AbortController().signal } = {},
) {
  const task = {
    kind: "own",
    urls: () => ["http://target.test/"],
    secrets: () => [],
    run: (_: unknown, context: TaskContext) => act(context),
    batch: () => 2,
    runBatch: (_: unknown, context: TaskContext) => act(context),
  } as unknown as Task<unknown, unknown>;
  const spec = { task: {}, allowPrivate: false } as never;
  const egress = createEgress({
    env: {},
    settings: { version: 1, run: "run", root: "run", spec, itemSource: { kind: "range" }, child: false },
    task,
    way: async () => new Response("an answer"),
  });
  const one = { task, client: undefined, permits, signal };
  let ended: unknown = null;
  const keep = (outcome: unknown) => {
    ended = outcome;
  };
  egress.run({ ...one, item: 1, index: 0 }).then(keep, keep);
  return {
    ended: () => ended,
    batch: () => egress.runBatch({ ...one, items: [0, 1].map((index) => ({ item: index, index })) }),
  };
}

describe("a task whose promise never settles", () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });
  const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

  it("without a call is a failed row of kind task, and its item is not tried again", async () => {
    const attempt = begin(() => NEVER);
    await pass(TASK_SILENT_MS - 1);
    expect(attempt.ended()).toBeNull();
    await pass(1);
    expect(attempt.ended()).toEqual({ ...SILENT, called: false });
    const judging = { retry: RETRY, wasReached: true, targetDown: false, isSuspect: false, random: 0 };
    const verdict = judge(attempt.ended() as never, NO_TRIES, { ...judging, othersRecover: false } as never);
    expect(verdict).toMatchObject({ kind: "row", settled: { result: { ok: false, error: SILENT_ROW } } });
    expect(vi.getTimerCount()).toBe(0);
  });

  it("after a call, and with its answer unread, is given the call's own limit more", async () => {
    const attempt = begin(async (context) => {
      await context.fetch(REQUEST);
      await NEVER;
    });
    await pass(TASK_SILENT_MS + 9_999);
    expect(attempt.ended()).toBeNull();
    await pass(1);
    expect(attempt.ended()).toEqual({ ...SILENT, called: true });
    expect(vi.getTimerCount()).toBe(0);
  });

  it("in a call of its own that never ends is given the longest call's limit", async () => {
    const permits = new OpenPermits();
    const attempt = begin((context) => context.call(() => NEVER), { permits });
    await pass(MAX_LOCAL_CALL_TIMEOUT_MS + TASK_SILENT_MS - 1);
    expect(attempt.ended()).toBeNull();
    await pass(1);
    expect(attempt.ended()).toEqual({ ...SILENT, called: true });
    expect(permits).toMatchObject({ used: 1, ended: 1 });
  });

  it("for several items is one outcome for all of them", async () => {
    const outcome = begin(() => NEVER).batch();
    await pass(TASK_SILENT_MS);
    expect(await outcome).toEqual({ kind: "whole", outcome: { ...SILENT, called: false } });
  });

  it("is waited for as long as it waits for a permit, and as long again from then on", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const open = new OpenPermits();
    const permits = { take: () => promise.then(() => open.take()) };
    const attempt = begin(
      async (context) => {
        const answer = await context.fetch(REQUEST);
        return { kind: "ok", value: await answer.text() };
      },
      { permits },
    );
    await pass(100 * TASK_SILENT_MS);
    expect(attempt.ended()).toBeNull();
    resolve();
    await pass(0);
    expect(attempt.ended()).toEqual({ kind: "ok", value: "an answer" });
    expect(vi.getTimerCount()).toBe(0);
  });

  it("makes no call any more once it was given up", async () => {
    const permits = new OpenPermits();
    const late: unknown[] = [];
    const attempt = begin(
      async (context) => {
        await new Promise((resolve) => setTimeout(resolve, 2 * TASK_SILENT_MS));
        for (const call of [() => context.fetch(REQUEST), () => context.call(async () => 1)])
          await call().catch((fault) => late.push(fault));
      },
      { permits },
    );
    await pass(2 * TASK_SILENT_MS);
    expect(attempt.ended()).toEqual({ ...SILENT, called: false });
    expect(late).toEqual([expect.any(LaneStopped), expect.any(LaneStopped)]);
    expect(permits.taken).toBe(0);
  });

  it.each([
    ["while it runs", 0],
    ["before it began", -1],
  ])("is left soon after its lane had to stop %s, without a row", async (_, when) => {
    const lane = new AbortController();
    if (when < 0) lane.abort();
    const attempt = begin(() => NEVER, { signal: lane.signal });
    lane.abort();
    await pass(TASK_STOPS_WITHIN_MS - 1);
    expect(attempt.ended()).toBeNull();
    await pass(1);
    expect(attempt.ended()).toBeInstanceOf(LaneStopped);
  });

  it("in open pauses the run with a sentence, in close frees its lane's slot", async () => {
    const opening = openInTime("own", NEVER).catch((fault: unknown) => fault);
    const closing = closeInTime(NEVER).then(() => "left");
    await pass(TASK_SILENT_MS);
    expect(await opening).toEqual(
      new CannotOpen("the task own was not opened within 4 min: what its open waits for does not come"),
    );
    expect(await closing).toBe("left");
    expect(await openInTime("own", Promise.resolve(7))).toBe(7);
    expect(vi.getTimerCount()).toBe(0);
  });
});
