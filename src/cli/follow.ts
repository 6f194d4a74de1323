/**
 * Following a run to its end: progress while it goes, and what Ctrl-C, a pause or a lost Weir mean.
 *
 * A run that paused by itself ends the command (it waits for somebody); one that another command paused is waited
 * for, since that command can resume it. A run that awaits approval asks on the terminal, and ends the command where
 * there is none. Where Weir does not answer for a while, the run is not lost: asking goes
 * on as long as an answer can be expected.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { isEnded, type RunView } from "../core/run/runView.ts";
import { askToApprove, canAsk, type Question } from "./approval.ts";
import { ApiError, Unreachable } from "./client.ts";
import type { Connection } from "./connection.ts";
import { CommandError, EXIT } from "./exit.ts";
import type { Interrupts } from "./process/interrupts.ts";
import { say } from "./rows/output.ts";
import type { Progress } from "./words/progress.ts";
import { smokeLines } from "./words/smokeRows.ts";

export type Ending =
  | { readonly kind: "ended"; readonly view: RunView }
  /** It is paused, by Ctrl-C here (`interrupted`) or by itself, or awaits approval. */
  | { readonly kind: "waits"; readonly view: RunView; readonly interrupted: boolean };

/** Asked this often: of a Weir on this machine, and of one whose requests are billed. */
const ASK_MS = 250;
const ASK_REMOTE_MS = 1000;
/** After Ctrl-C, lanes have the time limit of a call (where the task has none that is known, this) to end theirs … */
const CALL_MS = 30_000;
/** … and this much more to commit. */
const COMMIT_MS = 10_000;
const SILENCE_MS = 60_000;
/** Reasons of a pause that somebody asked for. */
const BY_REQUEST = /\bby request\b/;

/** Follows until the run has ended or waits. Throws CommandError when Weir is lost. */
export async function follow(
  connection: Connection,
  run: string,
  ui: { readonly progress: Progress; readonly interrupts: Interrupts },
): Promise<Ending> {
  const wake = new Wake();
  let interruptedAtMs: number | null = null;
  let waitsForResume = false;
  ui.interrupts.listen((times) => {
    if (times > 1) leaveAtOnce(connection, run, ui.progress);
    interruptedAtMs = performance.now();
    wake.now();
  });
  let restartedAtMs = 0;
  connection.listen((sentence) => {
    restartedAtMs = performance.now();
    ui.progress.note(sentence);
  });
  const insist = <T>(ask: () => Promise<T>) => insistOn(connection, run, ask, () => restartedAtMs);
  let hasAskedToPause = false;
  let question: Question | null = null;
  try {
    for (;;) {
      if (interruptedAtMs !== null && !hasAskedToPause) {
        hasAskedToPause = true;
        ui.progress.note("pausing: calls under way are finished and committed (Ctrl-C again ends at once)");
        await insist(() => pause(connection, run, ui.progress));
      }
      const view = await insist(() => connection.client.ask<RunView>("GET", `/v1/runs/${run}`));
      if (question === null) ui.progress.show(view, Date.now());
      if (isEnded(view.status)) return { kind: "ended", view };
      if (view.status !== "awaiting-approval") {
        question?.close();
        question = null;
      } else if (view.lanes.live === 0) {
        ui.progress.clear();
        if (interruptedAtMs === null && question === null && canAsk()) {
          for (const line of await smokeLines(connection.client, view, connection.where)) say(line);
          question = askToApprove(view, () => wake.now());
        }
        const approved = question?.answer();
        if (approved) await connection.client.ask("POST", `/v1/runs/${run}/approve`);
        else if (interruptedAtMs !== null || question === null || approved === false) {
          return { kind: "waits", view, interrupted: false };
        }
      }
      if (view.status === "paused") {
        const isDrained = view.lanes.live === 0;
        const isLate = performance.now() - (interruptedAtMs ?? Number.POSITIVE_INFINITY) > drainMs(view);
        if (interruptedAtMs !== null && (isDrained || isLate))
          return { kind: "waits", view, interrupted: true };
        if (interruptedAtMs === null && isDrained && !BY_REQUEST.test(view.why)) {
          return { kind: "waits", view, interrupted: false };
        }
        if (interruptedAtMs === null && !waitsForResume && BY_REQUEST.test(view.why)) {
          ui.progress.note(`paused by another command; weir resume ${run}${connection.where} goes on here`);
        }
        waitsForResume = true;
      } else waitsForResume = false;
      await wake.sleep(connection.kind === "remote" ? ASK_REMOTE_MS : ASK_MS);
    }
  } finally {
    question?.close();
    ui.progress.clear();
  }
}

/** How long lanes may take to commit after a pause. */
export function drainMs({ spec }: RunView): number {
  return (typeof spec.task.timeoutMs === "number" ? spec.task.timeoutMs : CALL_MS) + COMMIT_MS;
}

/** Asks until there is an answer, while one can be expected: a runtime that is started again has as long as a new one. */
async function insistOn<T>(
  connection: Connection,
  run: string,
  ask: () => Promise<T>,
  restartedAtMs: () => number,
): Promise<T> {
  const askedAtMs = performance.now();
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      const isPassing = error instanceof Unreachable || (error instanceof ApiError && error.status >= 500);
      const lost = connection.lost();
      if (lost !== null)
        throw new CommandError(`${lost}; go on with: weir run --resume ${run}${connection.where}`);
      const silentMs = performance.now() - Math.max(askedAtMs, restartedAtMs());
      if (!isPassing || silentMs > SILENCE_MS) throw error;
      await sleep(ASK_MS);
    }
  }
}

async function pause(connection: Connection, run: string, progress: Progress): Promise<void> {
  try {
    await connection.client.ask("POST", `/v1/runs/${run}/pause`);
  } catch (error) {
    // It is finishing or has just ended: there is nothing left to pause, and it will be done in a moment.
    if (!(error instanceof ApiError) || error.status !== 409) throw error;
    progress.note(error.message);
  }
}

/** The second Ctrl-C: what is not committed is called again after the resume. */
function leaveAtOnce(connection: Connection, run: string, progress: Progress): never {
  progress.clear();
  say(
    `ended at once: calls under way are made again; go on with: weir run --resume ${run}${connection.where}`,
  );
  // The watchdog ends the runtime, the next start sees to it again.
  process.exit(EXIT.waits);
}

/** A sleep that can be cut short. */
class Wake {
  #controller = new AbortController();

  now(): void {
    this.#controller.abort();
  }

  async sleep(ms: number): Promise<void> {
    try {
      await sleep(ms, undefined, { signal: this.#controller.signal });
    } catch {
      this.#controller = new AbortController();
    }
  }
}
