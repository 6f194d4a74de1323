/**
 * The way between an invocation and its Run: requests and answers are slow, get lost, or arrive long after their
 * sender has given them up. The Run may be away for a while.
 */
import type { SyncAnswer, SyncRequest } from "../core/protocol.ts";
import type { EventLoop } from "./eventLoop.ts";
import type { SimOptions } from "./options.ts";
import type { Wait } from "./process.ts";
import type { Random } from "./random.ts";
import { Availability, type Weather } from "./weather.ts";

export type Heard = { readonly kind: "answer"; readonly answer: SyncAnswer } | { readonly kind: "lost" };

const ONE_WAY_MS = 3;
const STALL_MS = 400;
const LATE_MS = 60_000;
/** Until the platform says that a request got lost. */
const LOST_KNOWN_MS = 3000;

export class Network {
  readonly #loop: EventLoop;
  readonly #weather: Weather;
  readonly #random: Random;
  readonly #away: Availability;
  readonly #distanceMs: number;

  constructor(loop: EventLoop, weather: Weather, random: Random, options: SimOptions) {
    this.#loop = loop;
    this.#weather = weather;
    this.#random = random;
    this.#distanceMs = options.faults.distanceMs;
    this.#away = new Availability(loop, weather, random, options.faults.runAway);
  }

  ask(request: SyncRequest, run: (request: SyncRequest) => SyncAnswer): Wait<Heard> {
    return (resume) => {
      const { requestLost, requestLate, answerLost } = this.#weather.faults;
      const isLate = this.#random.chance(requestLate);
      if (isLate) this.#loop.after(this.#random.between(0, LATE_MS), () => run(request));
      if (isLate || this.#random.chance(requestLost)) {
        this.#loop.after(this.#random.between(0, LOST_KNOWN_MS), () => resume({ kind: "lost" }));
        return;
      }
      this.#loop.after(this.#oneWayMs(), () => {
        if (this.#away.refuses(0)) {
          this.#loop.after(this.#oneWayMs(), () => resume({ kind: "lost" }));
          return;
        }
        const answer = run(request);
        const isLost = this.#random.chance(answerLost);
        const backMs = isLost ? this.#random.between(0, LOST_KNOWN_MS) : this.#oneWayMs();
        this.#loop.after(backMs, () => resume(isLost ? { kind: "lost" } : { kind: "answer", answer }));
      });
    };
  }

  /** For the errands, which are a call or two each. */
  reaches(): boolean {
    return !this.#away.refuses(this.#weather.faults.requestLost);
  }

  #oneWayMs(): number {
    const stalledMs = this.#random.chance(this.#weather.faults.stalled)
      ? this.#random.between(0, STALL_MS)
      : 0;
    return this.#distanceMs + this.#random.skewed(ONE_WAY_MS, 0.4) + stalledMs;
  }
}
