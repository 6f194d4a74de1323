/** How long the last turns of an invocation's lanes took, and what that says of one under way. */

/** As many as show one turn in a hundred that takes far longer, and few enough to follow a target that slows down. */
const KEPT = 256;

export class TurnTimes {
  readonly #last = new Float64Array(KEPT);
  #count = 0;
  /** Ascending; null: to be sorted anew. */
  #sorted: Float64Array | null = null;

  add(ms: number): void {
    this.#last[this.#count % KEPT] = ms;
    this.#count += 1;
    this.#sorted = null;
  }

  /**
   * When a turn is over that has taken `elapsedMs` already, from its start: in `share` of the cases (more than 0, up to
   * 1) by then. Null when no turn remembered took so long.
   */
  overBy(elapsedMs: number, share: number): number | null {
    this.#sorted ??= this.#last.slice(0, Math.min(this.#count, KEPT)).sort();
    const sorted = this.#sorted;
    const first = firstAbove(sorted, elapsedMs);
    const left = sorted.length - first;
    return left === 0 ? null : sorted[first + Math.ceil(left * share) - 1]!;
  }
}

/** Index of the first element above `value`, or the length. `sorted` ascending. */
function firstAbove(sorted: Float64Array, value: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]! > value) high = middle;
    else low = middle + 1;
  }
  return low;
}
