/** `weir status` is a table that a person can read, and says what became of every item. */
import { describe, expect, test } from "vitest";
import { listLines, runLines } from "../../src/cli/commands/status.ts";
import type { RunView } from "../../src/core/run/runView.ts";

const NOW = Date.parse("2026-11-21T12:05:00Z");

const view = (change: Partial<RunView> = {}): RunView =>
  ({
    id: "r_1",
    name: null,
    status: "completed",
    why: "all 100 items are done",
    spec: { task: { kind: "http", url: "http://h/{{item}}" } },
    createdAt: "2026-11-21T12:00:00.000Z",
    startedAt: "2026-11-21T12:00:00.000Z",
    endedAt: "2026-11-21T12:00:20.000Z",
    parentRunId: null,
    eta: null,
    counts: { items: 100, done: 100, ok: 100, failed: 0, attempts: 100, throttled: 0 },
    chunks: { total: 1, done: 1, active: 0, pending: 0 },
    lanes: { live: 0, max: 10 },
    rate: { limitPerSecond: null, effectiveLimitPerSecond: null, currentPerSecond: 0 },
    totals: null,
    ...change,
  }) as RunView;

describe("weir status", () => {
  test("lists runs below a header, in columns, with how long they took", () => {
    const counts = { items: 20_000, done: 7, ok: 4, failed: 3, attempts: 7, throttled: 0 };
    const why = "no process works on it: weir run --resume r_22 goes on";
    const idle = view({ id: "r_22", name: "nightly", status: "running", why, counts, endedAt: null });
    expect(listLines([idle, view()], NOW)).toEqual([
      "RUN   CREATED (UTC)        STATUS     DONE      FAILED  TOOK   WHAT",
      `r_22  2026-11-21 12:00:00  running    7/20,000  3       5 min  nightly; ${why}`,
      "r_1   2026-11-21 12:00:00  completed  100/100   0       20 s",
    ]);
  });

  test("names the items of an ended run that have no row", () => {
    const counts = { items: 100, done: 72, ok: 70, failed: 2, attempts: 80, throttled: 0 };
    expect(runLines(view({ status: "cancelled", counts }), NOW)).toContain("no row    28 items");
    expect(runLines(view(), NOW).join("\n")).not.toContain("no row");
  });
});
