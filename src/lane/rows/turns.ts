/**
 * Turns at the storage: lanes of one invocation that end together write their parts one after another, and, while
 * calls are made, pause as long as each write took before the next.
 *
 * Measured: a local bucket works inside the runtime's own event loop, and a row of writes without a pause kept timers
 * and sockets waiting for half a second; calls that had been let go in time reached the target late and together. On
 * the platform, writes share six connections with the calls.
 */
import { LaneStopped } from "../../tasks/task.ts";
import { type Clock, sleep } from "../clock.ts";

/** A pause ends the loop's turn even where the write took no time. */
const LEAST_PAUSE_MS = 1;
const MOST_PAUSE_MS = 100;

export class Turns {
  readonly #clock: Clock;
  readonly #isCalling: () => boolean;
  readonly #waiting: (() => void)[] = [];
  #taken = false;

  /** `isCalling`: false when there are no calls to be made that a pause could be for. */
  constructor(clock: Clock, isCalling: () => boolean) {
    this.#clock = clock;
    this.#isCalling = isCalling;
  }

  /** Runs `act` when its turn has come, in order of arrival. Rejects with LaneStopped if `signal` has ended by then. */
  async take<T>(act: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    if (this.#taken) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#taken = true;
    const startMs = this.#clock.now();
    try {
      if (signal?.aborted) throw new LaneStopped();
      return await act();
    } finally {
      void this.#pass(this.#clock.now() - startMs);
    }
  }

  async #pass(tookMs: number): Promise<void> {
    const pauseMs = this.#isCalling() ? Math.max(tookMs, LEAST_PAUSE_MS) : 0;
    if (pauseMs > 0) await sleep(this.#clock, Math.min(pauseMs, MOST_PAUSE_MS));
    const next = this.#waiting.shift();
    if (next === undefined) this.#taken = false;
    else next();
  }
}
