/** What the target saw, second by second: for charts and for the fullest second. */

const SECOND_MS = 1000;

export class Timeline {
  /** Calls and refusals in each second from the start. */
  readonly calls: number[] = [];
  readonly throttled: number[] = [];
  /** Most calls within any 1,000 ms. */
  worstSecond = 0;
  firstMs: number | null = null;
  lastMs = 0;
  /** Calls of the last second, oldest first, from `#from` on. */
  #recent: number[] = [];
  #from = 0;

  called(atMs: number, isThrottled: boolean): void {
    this.firstMs ??= atMs;
    this.lastMs = atMs;
    const second = Math.floor(atMs / SECOND_MS);
    while (this.calls.length <= second) {
      this.calls.push(0);
      this.throttled.push(0);
    }
    this.calls[second]! += 1;
    if (isThrottled) this.throttled[second]! += 1;
    this.#recent.push(atMs);
    while (atMs - this.#recent[this.#from]! >= SECOND_MS) this.#from += 1;
    this.worstSecond = Math.max(this.worstSecond, this.#recent.length - this.#from);
    if (this.#from > 10_000) {
      this.#recent = this.#recent.slice(this.#from);
      this.#from = 0;
    }
  }
}
