/**
 * The last call that ended down, and how many items are under retry for such an end: what `why`, `status` and the
 * closing lines name. In memory only: a restarted Run hears of the next one.
 */
import type { Deferred, Fault, Report } from "../protocol.ts";
import type { Run } from "./run.ts";

/** What is known of faults. */
export interface FaultBook {
  /** Null: no call ended down since the Run was started. */
  last: (Fault & { readonly atMs: number }) | null;
  /** When the target was certainly up last, run clock; null: not known since the Run was started. */
  answeredMs: number | null;
  /** Items that wait for another try after one that failed, of the chunks that each invocation works on. */
  readonly retrying: Map<string, number>;
  /** The same of chunks that wait for a lane. */
  readonly resting: Map<number, number>;
}

export function createFaultBook(): FaultBook {
  return { last: null, answeredMs: null, retrying: new Map(), resting: new Map() };
}

/** Takes in a report. */
export function hearFaults(
  book: FaultBook,
  report: Report,
  { nowMs, holder }: { readonly nowMs: number; readonly holder: string },
): void {
  if (report.answered > 0)
    book.answeredMs = Math.max(book.answeredMs ?? 0, nowMs - (report.answeredAgoMs ?? 0));
  if (report.fault !== undefined) book.last = { ...report.fault, atMs: nowMs };
  if (report.retrying === undefined) book.retrying.delete(holder);
  else book.retrying.set(holder, report.retrying);
}

/** A chunk was given back with these items waiting. */
export function restChunk(book: FaultBook, chunk: number, deferred: readonly Deferred[]): void {
  const retrying = deferred.filter(({ attempts, excused = 0 }) => attempts + excused > 0).length;
  if (retrying === 0) book.resting.delete(chunk);
  else book.resting.set(chunk, retrying);
}

/** Items that wait for another try after one that failed. */
export function itemsRetrying({ faults, semaphore, state, dispatch }: Run): number {
  let items = 0;
  // One that died says nothing more: its chunks wait for others.
  for (const [invocation, waiting] of faults.retrying) {
    if (dispatch.invocations.has(invocation)) items += waiting;
  }
  const worked = new Set([...semaphore.live.values()].map(({ chunk }) => chunk));
  for (const [chunk, waiting] of faults.resting) if (!worked.has(chunk)) items += waiting;
  return Math.min(items, Math.max(0, state.items - state.counts.done));
}

/** Characters of a message within a sentence. */
const SENTENCE_CHARS = 160;

/** "500 Internal Server Error": the fault in a sentence; null: there was none. */
export function faultText(fault: Fault | null): string | null {
  if (fault === null) return null;
  const line = fault.message.replace(/\s+/g, " ").trim();
  return line.length > SENTENCE_CHARS ? `${line.slice(0, SENTENCE_CHARS)}…` : line;
}
