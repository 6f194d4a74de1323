/** `weir dev` says once what became of each run. */
import { describe, expect, test } from "vitest";
import { RunNews } from "../../../src/cli/words/runNews.ts";
import type { RunStatus, RunView } from "../../../src/core/run/runView.ts";

const run = (id: string, status: RunStatus, change: Partial<RunView> = {}): RunView =>
  ({
    id,
    name: null,
    status,
    why: `${status}: for a reason`,
    startedAt: "2026-01-01T00:00:00.000Z",
    endedAt: "2026-01-01T00:00:05.000Z",
    counts: { ok: 3, failed: 0 },
    ...change,
  }) as RunView;

describe("news of runs", () => {
  test("are none at the first look", () => {
    expect(new RunNews().lines([run("r_1", "running")])).toEqual([]);
  });

  test.each<[string, RunStatus | null, RunView, readonly string[]]>([
    ["a run that is new", null, run("r_1", "planning", { name: "n" }), ["r_1 (n) started"]],
    [
      "one that was over before anybody looked",
      null,
      run("r_1", "completed"),
      ["r_1 completed after 5 s: 3 ok, 0 failed"],
    ],
    ["one that goes on as before", "running", run("r_1", "running"), []],
    ["one that is past its planning", "planning", run("r_1", "running"), []],
    ["one that pauses", "running", run("r_1", "paused"), ["r_1 paused: for a reason"]],
    ["one that was resumed", "paused", run("r_1", "running"), ["r_1 goes on"]],
    [
      "one with failures",
      "running",
      run("r_1", "completed-with-failures", { counts: { ok: 1, failed: 2 } } as Partial<RunView>),
      ["r_1 completed-with-failures after 5 s: 1 ok, 2 failed; weir failures r_1 --summary"],
    ],
    [
      "one that failed",
      "running",
      run("r_1", "failed"),
      ["r_1 failed after 5 s: 3 ok, 0 failed; failed: for a reason"],
    ],
  ])("of %s", (_, before, now, lines) => {
    const news = new RunNews();
    news.lines(before === null ? [] : [run("r_1", before)]);
    expect(news.lines([now])).toEqual(lines);
    expect(news.lines([now])).toEqual([]);
  });
});
