/** Why a run waits for its target: what was seen of it, since when, and when it is tried again. */

import { counted, seconds } from "../sentence.ts";
import { faultText, itemsRetrying } from "./lastFault.ts";
import type { Run } from "./run.ts";

/** Null: the target is not down. */
export function whyDown(run: Run, nowMs: number): string | null {
  const { open, silence } = run.state.quota.circuit;
  if (open?.reason !== "down") return null;
  const sinceMs = silence?.sinceMs ?? open.sinceMs;
  const isUnreached = silence !== null && silence.connectedSinceMs === null;
  const fault = faultText(run.faults.last);
  const forTime = `for ${seconds(nowMs - sinceMs)}`;
  const seen = isUnreached
    ? `target down: no connection ${forTime}${fault === null ? "" : `, ${fault}`}`
    : `target down: no call was answered ${forTime}${fault === null ? "" : `, the last one ended in: ${fault}`}`;
  return `${seen}${whoWaits(run)}; ${nextTry(run, nowMs)}`;
}

function nextTry({ state }: Run, nowMs: number): string {
  const { open } = state.quota.circuit;
  if (open === null || open.isAjar === true) return "the items that are left are tried again as they are due";
  const inMs = open.nextProbeMs - nowMs;
  return open.probe !== null || inMs <= 0 ? "a single call is under way" : `next try in ${seconds(inMs)}`;
}

/** " (15 items under retry)"; nothing where there are none. */
function whoWaits(run: Run): string {
  const items = itemsRetrying(run);
  return items === 0 ? "" : ` (${counted(items, "item")} under retry)`;
}

/** So long a fault is worth a word although calls are answered again. */
const LATELY_MS = 10_000;

/** "; 15 items are under retry, the last one ended in: 500 Internal Server Error"; empty where there is nothing to say. */
export function retryNote(run: Run, nowMs: number): string {
  const items = itemsRetrying(run);
  const fault = faultText(run.faults.last);
  if (fault === null) return "";
  if (items > 0) {
    const are = items === 1 ? "is" : "are";
    return `; ${counted(items, "item")} ${are} under retry, the last fault was: ${fault}`;
  }
  const isNews = run.faults.last !== null && nowMs - run.faults.last.atMs < LATELY_MS;
  return isNews ? `; the last fault was: ${fault}` : "";
}
