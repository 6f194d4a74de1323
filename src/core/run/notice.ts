/**
 * The notice at a run's end (`onComplete`): one POST, at most five tries, its outcome in the run.
 * Pure: when to try next, and what came of it. It never delays the end: the run has ended before the first try.
 */

/** Tries of one notice. */
export const NOTICE_TRIES = 5;
/** Waits 2 s, 4 s, 8 s, 16 s between tries. */
const FIRST_WAIT_MS = 2000;

export interface Notice {
  readonly state: "pending" | "delivered" | "failed";
  readonly attempts: number;
  /** HTTP status of the last answer; null without one. */
  readonly status: number | null;
  /** Why the last try failed; null when it did not. */
  readonly message: string | null;
  /** Run-clock instant of the next try; null when there is none. */
  readonly dueAtMs: number | null;
}

/** Due at once. */
export function startNotice(): Notice {
  return { state: "pending", attempts: 0, status: null, message: null, dueAtMs: 0 };
}

export type NoticeResult =
  | { readonly kind: "delivered"; readonly status: number }
  | { readonly kind: "failed"; readonly status: number | null; readonly message: string };

/** A 2xx answer delivers it; anything else is tried again until the tries are used up. */
export function afterTry(notice: Notice, result: NoticeResult, nowMs: number): Notice {
  const attempts = notice.attempts + 1;
  if (result.kind === "delivered") {
    return { state: "delivered", attempts, status: result.status, message: null, dueAtMs: null };
  }
  const { status, message } = result;
  if (attempts >= NOTICE_TRIES) return { state: "failed", attempts, status, message, dueAtMs: null };
  return {
    state: "pending",
    attempts,
    status,
    message,
    dueAtMs: nowMs + FIRST_WAIT_MS * 2 ** (attempts - 1),
  };
}
