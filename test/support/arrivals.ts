/**
 * The target's log: one entry per request in the order of arrival, in flat arrays, because the target shares
 * two cores with what it measures. Entries are complete once their status is not 0.
 */

/** The log as JSON carries it. Times are milliseconds on the target's own monotonic clock. */
export interface ArrivalLog {
  /** Milliseconds since the epoch of time 0. */
  readonly originEpochMs: number;
  readonly atMs: readonly number[];
  readonly ids: readonly string[];
  /** Status answered; 0 while open; 1 when the connection was closed on purpose. */
  readonly statuses: readonly number[];
}

export class Arrivals {
  #atMs = new Float64Array(1 << 16);
  #statuses = new Uint16Array(1 << 16);
  readonly #ids: string[] = [];
  readonly #callsPerId = new Map<string, number>();

  /** Adds an arrival; returns its number and which call of its id it is, from 1. */
  add(atMs: number, id: string): { readonly entry: number; readonly callOfId: number } {
    const entry = this.#ids.length;
    if (entry === this.#atMs.length) this.#grow();
    this.#atMs[entry] = atMs;
    this.#ids.push(id);
    const callOfId = (this.#callsPerId.get(id) ?? 0) + 1;
    this.#callsPerId.set(id, callOfId);
    return { entry, callOfId };
  }

  answer(entry: number, status: number): void {
    this.#statuses[entry] = status;
  }

  get calls(): number {
    return this.#ids.length;
  }

  get distinctIds(): number {
    return this.#callsPerId.size;
  }

  callsOf(id: string): number {
    return this.#callsPerId.get(id) ?? 0;
  }

  /** Arrival times, ascending. A view, valid until the next arrival. */
  times(): Float64Array {
    return this.#atMs.subarray(0, this.calls);
  }

  perStatus(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (let i = 0; i < this.calls; i++) {
      const status = String(this.#statuses[i]);
      counts[status] = (counts[status] ?? 0) + 1;
    }
    return counts;
  }

  log(): ArrivalLog {
    return {
      originEpochMs: performance.timeOrigin,
      atMs: Array.from(this.times()),
      ids: this.#ids,
      statuses: Array.from(this.#statuses.subarray(0, this.calls)),
    };
  }

  #grow(): void {
    const atMs = new Float64Array(this.#atMs.length * 2);
    atMs.set(this.#atMs);
    this.#atMs = atMs;
    const statuses = new Uint16Array(this.#statuses.length * 2);
    statuses.set(this.#statuses);
    this.#statuses = statuses;
  }
}
