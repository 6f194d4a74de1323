/**
 * The chunk queues: at least once, in no order. A message may be lost, late or doubled; one whose consumer died comes
 * again. Locally a queue serves one message at a time, deployed many.
 */
import { CHUNK_QUEUES } from "../core/limits.ts";
import type { Errand } from "../core/run/run.ts";
import type { EventLoop } from "./eventLoop.ts";
import type { Faults } from "./faults.ts";
import type { SimOptions } from "./options.ts";
import type { Random } from "./random.ts";

export interface Message {
  readonly queue: number;
  readonly kind: "work" | Errand;
}

/** How a consumer ended; `died`: without an ack. */
export type Consumed = "acked" | "died";

const AT_ONCE_DEPLOYED = 250;
const AGAIN_MS = 30_000;

export class Queues {
  readonly #loop: EventLoop;
  readonly #faults: Faults;
  readonly #random: Random;
  readonly #atOnce: number;
  readonly #consume: (message: Message, done: (consumed: Consumed) => void) => void;
  #waiting: Message[][];
  #serving: number[];
  /** Counts up when all that was queued is lost. */
  #era = 0;

  constructor(
    loop: EventLoop,
    faults: Faults,
    random: Random,
    options: SimOptions,
    consume: (message: Message, done: (consumed: Consumed) => void) => void,
  ) {
    this.#loop = loop;
    this.#faults = faults;
    this.#random = random;
    this.#atOnce = options.place === "deployed" ? AT_ONCE_DEPLOYED : 1;
    this.#consume = consume;
    this.#waiting = Array.from({ length: CHUNK_QUEUES }, () => []);
    this.#serving = Array.from({ length: CHUNK_QUEUES }, () => 0);
  }

  send(message: Message): void {
    const { offerLost, offerDoubled } = this.#faults.now;
    if (this.#random.chance(offerLost)) return;
    this.#deliver(message);
    if (this.#random.chance(offerDoubled)) this.#deliver(message);
  }

  /** Messages that wait for a consumer. */
  backlog(queue: number): number {
    return this.#waiting[queue]?.length ?? 0;
  }

  /** The process that kept the queues is gone, and everything in them. */
  lose(): void {
    this.#era += 1;
    this.#waiting = this.#waiting.map(() => []);
    this.#serving = this.#serving.map(() => 0);
  }

  #deliver(message: Message): void {
    const era = this.#era;
    this.#loop.after(this.#random.between(0, this.#faults.now.offerLateMs), () => {
      if (era !== this.#era) return;
      this.#waiting[message.queue]!.push(message);
      this.#serve(message.queue);
    });
  }

  #serve(queue: number): void {
    const era = this.#era;
    while (this.#serving[queue]! < this.#atOnce) {
      const message = this.#waiting[queue]!.shift();
      if (message === undefined) return;
      this.#serving[queue]! += 1;
      this.#consume(message, (consumed) => {
        if (era !== this.#era) return;
        this.#serving[queue]! -= 1;
        if (consumed === "died") this.#loop.after(AGAIN_MS, () => era === this.#era && this.send(message));
        this.#serve(queue);
      });
    }
  }
}
