/**
 * Time that only moves when told to: one heap of events ordered by (at, sequence).
 *
 * Between two events every promise that can go on does. Each process has a clock of its own, offset from the others:
 * whoever compares two of them is wrong by a lot.
 */
import type { Clock } from "../../src/lane/clock.ts";

interface Event {
  readonly atMs: number;
  readonly sequence: number;
  readonly act: () => void;
  cancelled: boolean;
}

export class VirtualTime {
  nowMs = 0;
  readonly #heap: Event[] = [];
  #sequence = 0;

  after(ms: number, act: () => void): () => void {
    const event = { atMs: this.nowMs + Math.max(0, ms), sequence: this.#sequence++, act, cancelled: false };
    push(this.#heap, event);
    return () => {
      event.cancelled = true;
    };
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.after(ms, resolve));
  }

  /** A process's own clock. `timerLateMs` says how late each timer is. */
  clock(offsetMs: number, random: () => number, timerLateMs: () => number = () => 0): Clock {
    return {
      now: () => this.nowMs + offsetMs,
      after: (ms, act) => this.after(Math.ceil(Math.max(0, ms)) + timerLateMs(), act),
      random,
    };
  }

  /** Runs events until `isDone`; throws when nothing is left to happen or `limitMs` is reached. */
  async runUntil(isDone: () => boolean, limitMs: number): Promise<void> {
    await settled();
    while (!isDone()) {
      const event = pop(this.#heap);
      if (event === undefined) throw new Error(`nothing is scheduled at ${this.nowMs} ms`);
      if (event.cancelled) continue;
      if (event.atMs > limitMs) throw new Error(`not done after ${limitMs} ms`);
      this.nowMs = event.atMs;
      event.act();
      await settled();
    }
  }
}

/** Hashes under way: the one thing that lanes do outside of this thread. */
const hashing = new Set<Promise<unknown>>();
const { subtle } = crypto;
const digest = subtle.digest.bind(subtle);
subtle.digest = (...input: Parameters<typeof digest>) => {
  const hash = digest(...input);
  hashing.add(hash);
  void hash.finally(() => hashing.delete(hash));
  return hash;
};

/** Every promise that can go on has gone on, hashes included. */
async function settled(): Promise<void> {
  do {
    await Promise.all(hashing);
    await new Promise((resolve) => setImmediate(resolve));
  } while (hashing.size > 0);
}

/** Uniform numbers in 0…1 from a seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
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

function pop(heap: Event[]): Event | undefined {
  const first = heap[0];
  const last = heap.pop();
  if (last === undefined || first === last) return first;
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
  return first;
}
