/**
 * How long a task of one's own is waited for. Weir's calls have limits of their own; what else its code waits for
 * may never come, and a promise that never settles would keep its item, and so the run, for ever.
 */
import { MAX_LOCAL_CALL_TIMEOUT_MS, TASK_SILENT_MS, TASK_STOPS_WITHIN_MS } from "../../core/limits.ts";
import { CannotOpen, LaneStopped, TaskSilent } from "../task.ts";

/** Of one try: its time runs while it neither waits for a permit nor for a call within that call's own limit. */
export class Patience {
  readonly #over = Promise.withResolvers<never>();
  readonly #signal: AbortSignal;
  /** When it ends, of `performance.now()`. */
  #endMs = performance.now() + TASK_SILENT_MS;
  #timer: ReturnType<typeof setTimeout> | null = null;
  /** Permits that the task waits for. */
  #held = 0;
  #isStopping = false;

  /** `signal`: the lane has to stop, and soon leaves a task that does not. */
  constructor(signal: AbortSignal) {
    this.#signal = signal;
    this.#over.promise.catch(() => {});
    this.#arm();
    if (signal.aborted) this.#stop();
    else signal.addEventListener("abort", this.#stop);
  }

  /** What `running` comes to. Rejects with TaskSilent when its time is over, with LaneStopped when the lane is gone. */
  untilSettled<T>(running: Promise<T>): Promise<T> {
    return Promise.race([running, this.#over.promise]);
  }

  /** The time stands still: a permit comes when the run allows it. */
  hold(): void {
    this.#held += 1;
    if (!this.#isStopping) this.#disarm();
  }

  goOn(): void {
    this.#held -= 1;
    this.#allow(0);
  }

  /** A call left, which looks after itself for `timeoutMs`; not finite: it is said to, and nobody knows for how long. */
  called(timeoutMs: number): void {
    this.#allow(Math.min(timeoutMs, MAX_LOCAL_CALL_TIMEOUT_MS));
  }

  end(): void {
    this.#signal.removeEventListener("abort", this.#stop);
    this.#disarm();
  }

  #allow(callMs: number): void {
    this.#endMs = Math.max(this.#endMs, performance.now() + callMs + TASK_SILENT_MS);
    if (this.#held === 0 && !this.#isStopping) this.#arm();
  }

  #arm(): void {
    this.#disarm();
    this.#timer = setTimeout(() => this.#over.reject(new TaskSilent()), this.#endMs - performance.now());
  }

  #disarm(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  readonly #stop = (): void => {
    this.#isStopping = true;
    this.#disarm();
    this.#timer = setTimeout(() => this.#over.reject(new LaneStopped()), TASK_STOPS_WITHIN_MS);
  };
}

/** Opens a task of one's own. Throws CannotOpen where that does not come to an end: the run pauses. */
export async function openInTime<T>(kind: string, opening: Promise<T>): Promise<T> {
  const opened = await within(TASK_SILENT_MS, opening);
  if (opened !== LATE) return opened;
  throw new CannotOpen(
    `the task ${kind} was not opened within ${TASK_SILENT_MS / 60_000} min: what its open waits for does not come`,
  );
}

/** Closes a task of one's own, or leaves it: its lane's slot is free then. */
export async function closeInTime(closing: Promise<void>): Promise<void> {
  await within(TASK_SILENT_MS, closing);
}

const LATE = Symbol("late");

async function within<T>(ms: number, pending: Promise<T>): Promise<T | typeof LATE> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<typeof LATE>((resolve) => {
    timer = setTimeout(() => resolve(LATE), ms);
  });
  try {
    return await Promise.race([pending, late]);
  } finally {
    clearTimeout(timer);
  }
}
