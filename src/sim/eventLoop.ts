/**
 * Time: one heap of events ordered by (at, sequence), and nothing else moves the clock.
 *
 * Between two events every promise that can go on does, in an order that the language defines: what an event wakes runs
 * at the same instant. So the product's asynchronous code runs here as it is, as long as it waits for nothing but
 * promises and this clock. What happens is folded into the trace hash: two simulations with the same hash went the same
 * way.
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
  #sequence = 0;
  #hash = 0x811c9dc5;
  #fault: { readonly fault: unknown } | null = null;

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

  /** The simulation is over: a rule does not hold, or something failed that never may. The first fault stands. */
  fail(fault: unknown): void {
    this.#fault ??= { fault };
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

  /** A fault of `act` ends the simulation, whatever becomes of the error: the lanes would take it for the platform's. */
  guard<T>(act: () => T): T {
    try {
      return act();
    } catch (fault) {
      this.fail(fault);
      throw fault;
    }
  }

  /** Runs until `isOver` or `untilMs`. False: nothing is left that could happen. Rejects with what `fail` was given. */
  async run(untilMs: number, isOver: () => boolean): Promise<boolean> {
    await settled();
    while (!isOver()) {
      if (this.#fault !== null) throw this.#fault.fault;
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
      await settled();
    }
    if (this.#fault !== null) throw this.#fault.fault;
    return true;
  }
}

/** Resolves when no promise can go on any more: Node runs a tick when the queue of microtasks is empty. */
function settled(): Promise<void> {
  return new Promise((resolve) => process.nextTick(resolve));
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
