import { describe, expect, it } from "vitest";
import { BUSY_TRIES, MAX_AGAIN } from "../../../src/core/limits.ts";
import { NO_TRIES, type Tries, triesOf } from "../../../src/core/tries.ts";
import { judge, type Verdict } from "../../../src/lane/items/verdict.ts";
import type { TaskOutcome } from "../../../src/tasks/task.ts";

const RETRY = { maxAttempts: 3, baseDelayMs: 1000, maxDelayMs: 8000, maxThrottles: 2, maxAgain: 3 };
const PENDING: TaskOutcome = { kind: "again", message: "202 Accepted", status: 202, retryAfterMs: null };

function verdict(outcome: TaskOutcome, before: Tries, retry: Partial<typeof RETRY> = RETRY): Verdict {
  const { maxAgain: _, ...plain } = RETRY;
  return judge(outcome, before, {
    retry: { ...plain, ...retry },
    targetDown: false,
    isSuspect: false,
    wasReached: true,
    random: 1,
  });
}

describe("an answer that says to ask again", () => {
  it("spends no attempt and no throttle, and waits twice as long each time", () => {
    let tries: Tries = { attempts: 1, throttles: 1 };
    const waits: number[] = [];
    for (let n = 1; n < RETRY.maxAgain; n++) {
      const next = verdict(PENDING, tries);
      if (next.kind !== "again") throw new Error(next.kind);
      expect(next.tries).toEqual({ attempts: 1, throttles: 1, agains: n });
      waits.push(next.inMs);
      tries = next.tries;
    }
    expect(waits).toEqual([1000, 2000]);
  });

  it("has Retry-After as a floor", () => {
    expect(verdict({ ...PENDING, retryAfterMs: 30_000 }, NO_TRIES)).toMatchObject({ inMs: 30_000 });
  });

  it("becomes a failed row after maxAgain, which says so", () => {
    expect(verdict(PENDING, { ...NO_TRIES, agains: 2 })).toMatchObject({
      kind: "row",
      settled: {
        attempts: 1,
        status: 202,
        result: {
          ok: false,
          error: {
            kind: "http",
            message: "202 Accepted: not ready, asked 3 times (retry.maxAgain is 3)",
            retryable: true,
          },
        },
      },
    });
  });

  it("has the default bound in a run whose stored spec names none", () => {
    expect(verdict(PENDING, { ...NO_TRIES, agains: MAX_AGAIN - 2 }, {})).toMatchObject({ kind: "again" });
    expect(verdict(PENDING, { ...NO_TRIES, agains: MAX_AGAIN - 1 }, {})).toMatchObject({ kind: "row" });
  });
});

describe("a try that nobody answered", () => {
  it.each<[string, Partial<Extract<TaskOutcome, { kind: "transient" }>>, true | undefined]>([
    ["a timeout", { errorKind: "timeout" }, true],
    ["a lost connection", { errorKind: "network" }, true],
    ["a 502", { errorKind: "http", status: 502 }, true],
    ["a 408 that is an answer", { errorKind: "http", status: 408 }, undefined],
    ["an answer that is not JSON", { errorKind: "parse", status: 200 }, undefined],
  ])("is remembered with the item: %s", (_case, outcome, unanswered) => {
    const failed: TaskOutcome = {
      kind: "transient",
      errorKind: "http",
      message: "x",
      retryAfterMs: null,
      ...outcome,
    };
    const next = verdict(failed, NO_TRIES);
    expect(next.kind === "again" && next.tries.unanswered).toBe(unanswered);
    const later = verdict(PENDING, next.kind === "again" ? next.tries : NO_TRIES);
    expect(later.kind === "again" && later.tries.unanswered).toBe(unanswered);
  });
});

describe("tries", () => {
  it("are taken alone out of what carries them", () => {
    const waiting = { ordinal: 3, dueMs: 9, attempts: 1, throttles: 2, agains: 4, unanswered: true } as const;
    expect(triesOf(waiting)).toEqual({ attempts: 1, throttles: 2, agains: 4, unanswered: true });
    expect(triesOf({ attempts: 0, throttles: 0 })).toEqual({ attempts: 0, throttles: 0 });
  });
});

describe("a bare 503 from a target that serves others later", () => {
  const busy: TaskOutcome = {
    kind: "transient",
    errorKind: "http",
    message: "503 Service Unavailable",
    status: 503,
    retryAfterMs: null,
  };
  const judged = (
    before: Tries,
    change: { othersRecover?: boolean; status?: number; targetDown?: boolean },
  ) =>
    judge({ ...busy, status: change.status ?? 503 }, before, {
      retry: { ...RETRY, maxThrottles: 20 },
      targetDown: change.targetDown ?? false,
      isSuspect: true,
      wasReached: true,
      othersRecover: change.othersRecover ?? true,
      random: 1,
    });

  it("spares the last attempt, so often and no more", () => {
    let tries: Tries = { attempts: 2, throttles: 0 };
    for (let n = 1; n <= BUSY_TRIES; n++) {
      const next = judged(tries, {});
      expect(next).toMatchObject({ kind: "again", tries: { attempts: 2, throttles: n } });
      if (next.kind === "again") tries = next.tries;
    }
    expect(judged(tries, {})).toMatchObject({ settled: { attempts: 3 } });
  });

  it("spends attempts as any other while there are some", () => {
    expect(judged({ attempts: 1, throttles: 0 }, {})).toMatchObject({
      kind: "again",
      tries: { attempts: 2 },
    });
  });

  it.each([
    ["others do not recover", { othersRecover: false }],
    ["it is another failure", { status: 500 }],
  ])("is the item's own where %s", (_case, change) => {
    expect(judged({ attempts: 2, throttles: 0 }, change)).toMatchObject({ settled: { attempts: 3 } });
  });
});
