/**
 * The gate of a smoke stage, put as a question: only where somebody sits at a terminal, else nobody is asked.
 *
 * The question is open while the run is looked at: another terminal may answer it first.
 */
import { createInterface } from "node:readline";
import type { RunView } from "../core/run/runView.ts";
import { printable } from "./words/printable.ts";

export interface Question {
  /** Undefined while it is open; anything but a yes is a no. */
  answer(): boolean | undefined;
  /** Takes it back. */
  close(): void;
}

/** True where there is a terminal to ask on. */
export function canAsk(): boolean {
  return process.stdin.isTTY === true && process.stderr.isTTY === true;
}

/** Asks whether the run may go on; `onAnswer` is called once. */
export function askToApprove(view: RunView, onAnswer: () => void): Question {
  // Not as a terminal of its own: Ctrl-C must stay a signal, which means the same everywhere.
  const lines = createInterface({ input: process.stdin, output: process.stderr, terminal: false });
  let answer: boolean | undefined;
  const settle = (approved: boolean) => {
    if (answer !== undefined) return;
    answer = approved;
    onAnswer();
  };
  lines.question(`${printable(view.why)}\ngo on? (y/N) `, (text) => settle(/^y(es)?$/i.test(text.trim())));
  lines.on("close", () => settle(false));
  return {
    answer: () => answer,
    close: () => lines.close(),
  };
}
