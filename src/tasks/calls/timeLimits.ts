/**
 * Time limits of calls. Calls that begin at nearly the same time share a timer: a lane makes thousands a second, and in
 * workerd setting and clearing a timer is not a small part of a call.
 */

export interface Limited {
  /** Its time is over: between `timeoutMs` and 1 % more after it began. */
  onTimeout(): void;
}

/** A timer is shared by calls that begin within this share of their limit. */
const SHARED = 0.01;

export class TimeLimits {
  /** By their length, those that still take in calls. */
  readonly #open = new Map<number, TimeLimit>();

  /** The call's time begins. The result ends with it: `leave` must be called when the call is over. */
  begin(call: Limited, timeoutMs: number): TimeLimit {
    const nowMs = Date.now();
    let limit = this.#open.get(timeoutMs);
    if (limit === undefined || !limit.takes(nowMs)) {
      limit = new TimeLimit(timeoutMs, nowMs, (ended) => {
        if (this.#open.get(timeoutMs) === ended) this.#open.delete(timeoutMs);
      });
      this.#open.set(timeoutMs, limit);
    }
    limit.join(call);
    return limit;
  }
}

/** One timer and the calls that share it. */
export class TimeLimit {
  readonly #calls = new Set<Limited>();
  readonly #openedMs: number;
  readonly #openMs: number;
  readonly #timer: ReturnType<typeof setTimeout>;
  readonly #ended: (limit: TimeLimit) => void;

  constructor(timeoutMs: number, nowMs: number, ended: (limit: TimeLimit) => void) {
    this.#openedMs = nowMs;
    this.#openMs = timeoutMs * SHARED;
    this.#ended = ended;
    this.#timer = setTimeout(this.#onTime, timeoutMs + this.#openMs);
  }

  /** A clock that was set begins a new limit, and does nothing else. */
  takes(nowMs: number): boolean {
    return nowMs >= this.#openedMs && nowMs - this.#openedMs < this.#openMs;
  }

  join(call: Limited): void {
    this.#calls.add(call);
  }

  leave(call: Limited): void {
    if (!this.#calls.delete(call) || this.#calls.size > 0) return;
    clearTimeout(this.#timer);
    this.#ended(this);
  }

  readonly #onTime = (): void => {
    this.#ended(this);
    for (const call of [...this.#calls]) call.onTimeout();
  };
}
