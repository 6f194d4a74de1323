/** The closing lines say what a person wants to know, and what to do next. */
import { describe, expect, test } from "vitest";
import { endingLines, type Rows } from "../../../src/cli/words/endingLines.ts";
import type { RunView } from "../../../src/core/run/runView.ts";

const COUNTS = { items: 100, done: 100, ok: 100, failed: 0, attempts: 101, throttled: 2 };

const view = (change: Partial<RunView> = {}): RunView =>
  ({
    id: "r_1",
    status: "completed",
    why: "all 100 items are done",
    counts: COUNTS,
    startedAt: "2026-11-21T12:00:00.000Z",
    endedAt: "2026-11-21T12:00:20.000Z",
    parentRunId: null,
    usage: null,
    fault: null,
    onComplete: null,
    ...change,
  }) as RunView;

const ended = (change: Partial<RunView> = {}, rows: Rows = { kind: "not-wanted" }, where = "") =>
  endingLines({ kind: "ended", view: view(change) }, rows, where);

describe("the closing lines", () => {
  test("say how the run went and where its rows are", () => {
    expect(ended()).toEqual([
      "completed after 20 s: 100 ok, 0 failed; 103 calls, 2 throttled",
      "rows: weir results r_1",
    ]);
    expect(ended({}, { kind: "written", to: "rows.jsonl", mergedOf: null })[1]).toBe("rows: rows.jsonl");
    expect(ended({}, { kind: "written", to: "rows.jsonl", mergedOf: "r_0" })[1]).toBe(
      "rows: rows.jsonl (r_0, merged with its retries)",
    );
  });

  test("say whether the deadline was kept", () => {
    const deadline = { at: "2026-11-21T12:00:10.000Z", missedBySeconds: 10, neededPerSecond: null };
    expect(ended({ deadline })[1]).toBe("deadline 2026-11-21T12:00:10.000Z: missed by 10 s");
    const met = { ...deadline, missedBySeconds: null };
    expect(ended({ deadline: met })[1]).toBe("deadline 2026-11-21T12:00:10.000Z: met");
    expect(ended({ deadline: met, status: "cancelled" }).join()).not.toContain("deadline");
    const waits = { kind: "waits", view: view({ deadline, status: "paused" }), interrupted: true } as const;
    expect(endingLines(waits, { kind: "not-wanted" }, "")).toContain(
      "deadline 2026-11-21T12:00:10.000Z: will be missed by about 10 s",
    );
  });

  test("say less than a second where it was less", () => {
    const [line] = ended({ endedAt: "2026-11-21T12:00:00.300Z" });
    expect(line).toMatch(/^completed in less than a second: /);
  });

  test.each([
    ["cancelled", 72, "28 items have no row"],
    ["failed", 99, "1 item has no row"],
  ] as const)("count the items of a %s run that have no row", (status, done, line) => {
    const lines = ended({ status, counts: { ...COUNTS, done, ok: done - 2, failed: 2 } });
    expect(lines).toContain(line);
  });

  test("speak of no such items where there are none", () => {
    expect(ended({ status: "cancelled" }).join("\n")).not.toContain("no row");
  });

  test("of a retry name the merged results, of failures what to do", () => {
    const counts = { ...COUNTS, ok: 97, failed: 3 };
    const lines = ended(
      { parentRunId: "r_0", counts, status: "completed-with-failures" },
      undefined,
      " --state s",
    );
    expect(lines).toContain("merged results: weir results r_0 --merged --state s");
    expect(lines).toContain("failed: weir failures r_1 --state s   weir retry r_1 --state s");
  });

  test("say that the run is done although its file could not be written, and how to have the rows", () => {
    const rows = {
      kind: "broke-off",
      reason: "rows.jsonl.partial: no space left",
    } as const;
    expect(ended({}, rows).join("\n")).toMatch(
      /no space left; the run itself is completed.*weir results r_1 --out FILE/,
    );
  });

  test("say nothing of tokens where a budget of calls is all there is", () => {
    const none = { inputTokens: 0, outputTokens: 0, dollars: null };
    const usage = { rows: none, spent: { ...none, calls: 100, unreportedTokens: 0 } };
    expect(ended({ usage }).join("\n")).not.toContain("tokens");
  });

  test("name tokens of tries without a row as a part of the sum, and those that nobody reported beside it", () => {
    const rows = { inputTokens: 17_000, outputTokens: 10_731, dollars: 0.02 };
    const spent = { inputTokens: 22_821, outputTokens: 33_270, dollars: 0.0341, calls: 660 };
    const lines = (unreportedTokens: number) =>
      ended({ usage: { rows, spent: { ...spent, unreportedTokens } } });
    const sum = "tokens: 22,821 in, 33,270 out, $0.0341; 28,360 of them for tries that gave no row";
    expect(lines(0)).toContain(sum);
    expect(lines(1200)).toContain(`${sum}; up to 1,200 more for calls that did not say what they used`);
  });

  test("of a run that waits say why, how far it is, and how to go on", () => {
    const paused = view({ status: "paused", why: "paused: the budget is used up" });
    const waits = { kind: "waits", view: paused, interrupted: false } as const;
    expect(endingLines(waits, { kind: "not-wanted" }, "")).toEqual([
      "paused: the budget is used up; 100 of 100 items are done; go on with: weir run --resume r_1",
    ]);
  });
});
