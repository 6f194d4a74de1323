import { describe, expect, it } from "vitest";
import { parseJson } from "../../../src/core/json.ts";
import type { Json } from "../../../src/core/spec.ts";
import { isDown, judge, type Verdict } from "../../../src/lane/items/verdict.ts";
import { rowOf } from "../../../src/lane/rows/rows.ts";
import type { TaskOutcome } from "../../../src/tasks/task.ts";

const unmasked = (text: string) => text;

function okLine(item: Json, value: Json = null): string {
  const result = { ok: true, value } as const;
  const settled = { status: 200, attempts: 1, throttles: 0, result };
  return rowOf({ index: 17, ordinal: 17, position: 0, value: item }, settled, unmasked).line;
}

function failedRow(message: string, mask = unmasked): { error: { message: string } } {
  const result = { ok: false, error: { kind: "http", message, retryable: false } } as const;
  const settled = { attempts: 1, throttles: 0, result };
  const { line } = rowOf({ index: 1, ordinal: 1, position: 0, value: "x" }, settled, mask);
  return JSON.parse(line) as { error: { message: string } };
}

describe("rows", () => {
  it("are written as the contract shows them", () => {
    expect(okLine("u_17", { a: 1 })).toBe(
      '{"index":17,"item":"u_17","ok":true,"status":200,"attempts":1,"throttles":0,"value":{"a":1}}',
    );
  });

  it("keep the digits of integers beyond 2^53 in item and value", () => {
    const big = parseJson('{"id":12345678901234567890}');
    expect(okLine(big, big)).toContain('"item":{"id":12345678901234567890}');
    expect(okLine(big, big)).toContain('"value":{"id":12345678901234567890}');
  });

  it.each([
    ["a long line", "é".repeat(3000), 2048],
    ["a line that ends in the middle of a character", `a${"é".repeat(3000)}`, 2048],
  ])("cut an item at 4 KiB of UTF-8: %s", (_case, item, chars) => {
    const row = JSON.parse(okLine(item)) as { item: string; itemTruncated: boolean };
    expect(row.itemTruncated).toBe(true);
    expect(item.startsWith(row.item)).toBe(true);
    expect(row.item.length).toBe(chars);
  });

  it("leave an item of exactly 4 KiB whole", () => {
    expect(okLine("x".repeat(4096))).not.toContain("itemTruncated");
  });

  it("hold an error's message on one line of 500 characters, masked", () => {
    expect(failedRow("a\r\n\tb").error.message).toBe("a b");
    expect(failedRow("x".repeat(900)).error.message.length).toBe(500);
    expect(failedRow("key k1", (text) => text.replace("k1", "[secret:K]")).error.message).toBe(
      "key [secret:K]",
    );
  });
});

const retry = { maxAttempts: 3, baseDelayMs: 1000, maxDelayMs: 60_000, maxThrottles: 2 };
const throttled: TaskOutcome = { kind: "throttled", message: "429", status: 429, retryAfterMs: null };
const broken: TaskOutcome = {
  kind: "transient",
  errorKind: "http",
  message: "502",
  status: 502,
  retryAfterMs: null,
};

function verdict(outcome: TaskOutcome, attempts: number, throttles: number, targetDown = false): Verdict {
  return judge(
    outcome,
    { attempts, throttles },
    { retry, targetDown, isSuspect: false, wasReached: true, random: 0 },
  );
}

describe("what becomes of an item", () => {
  it("counts a throttled try apart, up to its own bound", () => {
    expect(verdict(throttled, 1, 0)).toMatchObject({ kind: "again", tries: { attempts: 1, throttles: 1 } });
    expect(verdict(throttled, 1, 1)).toMatchObject({ kind: "row", settled: { attempts: 1, throttles: 2 } });
  });

  it("waits at least as long as the target asked, an hour at most", () => {
    expect(verdict({ ...throttled, retryAfterMs: 5000 }, 0, 0)).toMatchObject({ inMs: 5000 });
    expect(verdict({ ...throttled, retryAfterMs: 25 * 3_600_000 }, 0, 0)).toMatchObject({ inMs: 3_600_000 });
    expect(verdict({ ...broken, retryAfterMs: 25 * 3_600_000 }, 0, 0)).toMatchObject({ inMs: 3_600_000 });
  });

  it("buys an answer that is of no use as often as its task says, whatever else was tried", () => {
    const unfit: TaskOutcome = {
      kind: "transient",
      errorKind: "parse",
      message: "not JSON",
      status: 200,
      retryAfterMs: null,
      answersMost: 2,
    };
    const first = verdict(unfit, 1, 0);
    expect(first).toMatchObject({ kind: "again", tries: { attempts: 2, useless: 1 } });
    const patient = { ...retry, maxAttempts: 9 };
    const judging = {
      retry: patient,
      targetDown: false,
      random: 0,
      isSuspect: false,
      wasReached: true,
    } as const;
    expect(judge(unfit, { attempts: 4, throttles: 0 }, judging)).toMatchObject({ kind: "again" });
    const second = judge(unfit, { attempts: 5, throttles: 0, useless: 1 }, judging);
    expect(second).toMatchObject({ kind: "row", settled: { attempts: 6 } });
  });

  it("spends no attempt while the target is down for everybody", () => {
    expect(verdict(broken, 1, 0)).toMatchObject({ kind: "again", tries: { attempts: 2 } });
    expect(verdict(broken, 1, 0, true)).toMatchObject({ kind: "again", tries: { attempts: 1 } });
  });

  it("asks whether the target is down before the last attempt becomes a row", () => {
    expect(verdict(broken, 2, 0)).toMatchObject({ kind: "unless-down", settled: { attempts: 3 } });
    expect(verdict({ ...broken, status: 408 }, 2, 0)).toMatchObject({ kind: "row" });
  });

  it("spends no attempt where no call was made", () => {
    const template: TaskOutcome = {
      kind: "permanent",
      errorKind: "task",
      message: "no field",
      called: false,
    };
    expect(verdict(template, 0, 0)).toMatchObject({ kind: "row", settled: { attempts: 0 } });
  });

  it("counts network, timeout and 5xx as down, and nothing else", () => {
    const network: TaskOutcome = {
      kind: "transient",
      errorKind: "network",
      message: "x",
      retryAfterMs: null,
    };
    expect([network, broken, { ...network, errorKind: "timeout" } as TaskOutcome].map(isDown)).toEqual([
      true,
      true,
      true,
    ]);
    expect(
      [throttled, { ...broken, status: 425 }, { ...network, errorKind: "parse" } as TaskOutcome].map(isDown),
    ).toEqual([false, false, false]);
  });
});
