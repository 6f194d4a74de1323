/**
 * Time: one heap of events ordered by (at, sequence), and nothing else moves the clock.
 *
 * What an event wakes runs after it, in order, at the same instant. Every event is folded into the trace hash: two
 * simulations with the same hash went the same way.
 */

interface Event {
  readonly atMs: number;
  readonly sequence: number;
  act: (() => void) | null;
}

/** Takes back a scheduled event. */
export type Cancel = () => void;

export class EventLoop {
  nowMs = 0;
  events = 0;
  readonly #heap: Event[] = [];
  #soon: (() => void)[] = [];
  #sequence = 0;
  #hash = 0x811c9dc5;

  at(atMs: number, act: () => void): Cancel {
    const event: Event = { atMs: Math.max(this.nowMs, atMs), sequence: this.#sequence++, act };
    push(this.#heap, event);
    return () => {
      event.act = null;
    };
  }

  after(ms: number, act: () => void): Cancel {
    return this.at(this.nowMs + ms, act);
  }

  /** At this same instant, after what is running now. */
  soon(act: () => void): void {
    this.#soon.push(act);
  }

  /** Folds something that happened into the trace. */
  mark(kind: number, what: number): void {
    this.#hash = Math.imul(this.#hash ^ kind, 0x01000193);
    this.#hash = Math.imul(this.#hash ^ (Math.round(this.nowMs * 1024) | 0), 0x01000193);
    this.#hash = Math.imul(this.#hash ^ (what | 0), 0x01000193);
  }

  get hash(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, "0");
  }

  /** Runs until `isOver` or `untilMs`. False: nothing is left that could happen. */
  run(untilMs: number, isOver: () => boolean): boolean {
    this.#drain();
    while (!isOver()) {
      const next = this.#heap[0];
      if (next === undefined) return false;
      if (next.atMs > untilMs) {
        this.nowMs = untilMs;
        return true;
      }
      pop(this.#heap);
      const { act } = next;
      if (act === null) continue;
      this.nowMs = next.atMs;
      this.events += 1;
      act();
      this.#drain();
    }
    return true;
  }

  #drain(): void {
    while (this.#soon.length > 0) {
      const acts = this.#soon;
      this.#soon = [];
      for (const act of acts) act();
    }
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.sequence < b.sequence);
}

function push(heap: Event[], event: Event): void {
  let at = heap.length;
  heap.push(event);
  while (at > 0) {
    const parent = (at - 1) >> 1;
    const above = heap[parent]!;
    if (!isBefore(event, above)) break;
    heap[at] = above;
    at = parent;
  }
  heap[at] = event;
}

function pop(heap: Event[]): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
    if (!isBefore(heap[child]!, last)) break;
    heap[at] = heap[child]!;
    at = child;
  }
  heap[at] = last;
}
