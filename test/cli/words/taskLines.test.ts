import { describe, expect, it } from "vitest";
import { TaskLines } from "../../../src/cli/words/taskLines.ts";
import { TASK_LINE_CHARS, TASK_LINES_PER_SECOND } from "../../../src/core/limits.ts";
import { markSaid, saidByTask } from "../../../src/core/taskSays.ts";

/** As the runtime logs a call of the console without a format. */
const logged = (...said: unknown[]): string => markSaid(said).map(String).join(" ");

describe("what a task says on its console", () => {
  it("is told from what the runtime says", () => {
    expect(saidByTask(logged("hello", 1))).toBe("hello 1");
    expect(saidByTask(logged(7))).toBe("7");
    expect(saidByTask(logged())).toBe("");
    expect(saidByTask("uncaught exception")).toBeNull();
    const lines = new TaskLines("log");
    expect(lines.of("uncaught exception", 0)).toEqual([]);
  });

  it("reaches the terminal line by line, escaped and shortened", () => {
    const lines = new TaskLines("log");
    expect(lines.of(logged("a\nb\u001b[2J"), 0)).toEqual(["task: a", "task: b\\u001b[2J"]);
    const [long] = lines.of(logged("x".repeat(10_000)), 0);
    expect(long).toHaveLength("task: …".length + TASK_LINE_CHARS);
  });

  it("is bounded in a second, and the rest is counted", () => {
    const lines = new TaskLines("log");
    const shown = Array.from({ length: 100 }, (_, n) => lines.of(logged(`line ${n}`), n).length);
    expect(shown.reduce((sum, n) => sum + n, 0)).toBe(TASK_LINES_PER_SECOND);
    expect(lines.of(logged("next"), 1000)).toEqual([
      `task: ${100 - TASK_LINES_PER_SECOND} more lines are in log`,
      "task: next",
    ]);
    expect(lines.of(logged("x\n".repeat(1_000_000)), 2000)).toHaveLength(TASK_LINES_PER_SECOND);
  });
});
