/**
 * The notice at a run's end (`onComplete`), where this process's own runtime has to send it: the command stays
 * until it is delivered or its tries are used up, for with the runtime the tries end too.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { RunView } from "../../core/run/runView.ts";
import type { Connection } from "../connection.ts";
import type { Interrupts } from "../process/interrupts.ts";
import { say } from "../rows/output.ts";
import { printable } from "./printable.ts";

const ASK_MS = 250;
/** The waits between five tries add up to 30 s; a receiver that is merely slow is not waited for longer. */
const WAIT_MS = 40_000;
/** A delivery that takes no longer is not worth a word. */
const QUIET_MS = 1000;

/** The run once its notice is settled, or as it is when the wait is over or Ctrl-C ends it. */
export async function awaitNotice(
  connection: Connection,
  ended: RunView,
  interrupts: Interrupts,
): Promise<RunView> {
  if (connection.kind !== "own" || ended.onComplete?.state !== "pending") return ended;
  const startedMs = performance.now();
  let isInterrupted = false;
  let isAnnounced = false;
  interrupts.listen(() => {
    isInterrupted = true;
  });
  let view = ended;
  while (view.onComplete?.state === "pending" && !isInterrupted) {
    const waitedMs = performance.now() - startedMs;
    if (waitedMs > WAIT_MS || connection.lost() !== null) break;
    if (waitedMs > QUIET_MS && !isAnnounced) {
      isAnnounced = true;
      say(
        `notifying ${receiver(view)} that the run has ended (at most ${WAIT_MS / 1000} s; Ctrl-C leaves it)`,
      );
    }
    await sleep(ASK_MS);
    view = await connection.client.ask<RunView>("GET", `/v1/runs/${view.id}`);
  }
  return view;
}

/** What to say of a notice that did not arrive; null when there is nothing to say. */
export function noticeLine(view: RunView): string | null {
  if (view.onComplete === null || view.onComplete.state === "delivered") return null;
  const { attempts, message } = view.onComplete;
  const reason = message === null ? "" : `: ${printable(message)}`;
  const tries = `${attempts} ${attempts === 1 ? "try" : "tries"}`;
  return view.onComplete.state === "failed"
    ? `the notice to ${receiver(view)} was not delivered in ${tries}${reason}`
    : `the notice to ${receiver(view)} is not delivered yet, after ${tries}${reason}`;
}

function receiver(view: RunView): string {
  return printable(view.spec.onComplete?.url ?? "");
}
