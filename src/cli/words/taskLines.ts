/**
 * What tasks say on their console, as lines for the terminal: escaped, of bounded length, and no more of them a second
 * than a person can follow. All of it is in the log of the runtime, as far as that one goes.
 */

import { TASK_LINE_CHARS, TASK_LINES_PER_SECOND } from "../../core/limits.ts";
import { saidByTask } from "../../core/taskSays.ts";
import { count, printable } from "./printable.ts";

export class TaskLines {
  readonly #log: string;
  #sinceMs = Number.NEGATIVE_INFINITY;
  #shown = 0;
  #leftOut = 0;

  /** `log`: the file that has the rest. */
  constructor(log: string) {
    this.#log = log;
  }

  /** Lines to print for a message of the runtime's log: none where no task said it. */
  of(message: string, nowMs: number): readonly string[] {
    const said = saidByTask(message);
    if (said === null) return [];
    const before = this.#nextSecond(nowMs);
    const lines = said.split("\n", TASK_LINES_PER_SECOND + 1);
    const shown = lines.slice(0, Math.max(0, TASK_LINES_PER_SECOND - this.#shown));
    this.#shown += shown.length;
    this.#leftOut += lines.length - shown.length;
    return [...before, ...shown.map(shortened)];
  }

  #nextSecond(nowMs: number): readonly string[] {
    if (nowMs - this.#sinceMs < 1000) return [];
    const leftOut = this.#leftOut;
    this.#sinceMs = nowMs;
    this.#shown = 0;
    this.#leftOut = 0;
    return leftOut === 0 ? [] : [`task: ${count(leftOut)} more lines are in ${printable(this.#log)}`];
  }
}

function shortened(line: string): string {
  const text = line.length > TASK_LINE_CHARS ? `${line.slice(0, TASK_LINE_CHARS)}…` : line;
  return `task: ${printable(text)}`;
}
