/**
 * The way between an invocation and its Run: requests and answers are slow, get lost, or arrive long after their
 * sender has given them up. The Run may be away for a while, or refuse because it has too much to do.
 */
import type { SyncAnswer, SyncRequest } from "../core/protocol.ts";
import type { LeaseCheck } from "./checks/leases.ts";
import type { OverloadCheck } from "./checks/overload.ts";
import type { Coverage } from "./coverage.ts";
import type { EventLoop } from "./eventLoop.ts";
import { Availability, type Faults } from "./faults.ts";
import type { SimOptions } from "./options.ts";
import type { Process } from "./process.ts";
import type { Random } from "./random.ts";

const ONE_WAY_MS = 3;
const STALL_MS = 400;
const LATE_MS = 60_000;
/** Until the platform reports that a request got lost. */
const LOST_KNOWN_MS = 3000;

interface NetworkChecks {
  readonly overload: OverloadCheck;
  readonly leases: LeaseCheck;
}

/** As the platform marks it: whoever is refused has to wait longer than after another fault. */
class Overloaded extends Error {
  readonly overloaded = true;
}

export class Network {
  readonly #loop: EventLoop;
  readonly #faults: Faults;
  readonly #random: Random;
  readonly #away: Availability;
  readonly #overload: Availability;
  readonly #distanceMs: number;
  readonly #coverage: Coverage;
  readonly #checks: NetworkChecks;
  /** A planted bug: nobody learns why it is refused. */
  readonly #isMarked: boolean;

  constructor(
    loop: EventLoop,
    faults: Faults,
    random: Random,
    options: SimOptions,
    around: { readonly coverage: Coverage; readonly checks: NetworkChecks },
  ) {
    this.#loop = loop;
    this.#faults = faults;
    this.#random = random;
    this.#coverage = around.coverage;
    this.#checks = around.checks;
    this.#isMarked = options.bug !== "unmarked-overload";
    this.#distanceMs = options.faults.distanceMs;
    this.#away = new Availability(loop, faults, random, options.faults.runAway);
    this.#overload = new Availability(loop, faults, random, options.faults.overloads);
  }

  /** Rejects when it gets no answer. `run` is called once, more than a minute late at times, or never. */
  ask(
    process: Process,
    request: SyncRequest,
    run: (request: SyncRequest) => SyncAnswer,
  ): Promise<SyncAnswer> {
    return new Promise((resolve, reject) => {
      const { invocation } = request;
      const sentMs = this.#loop.nowMs;
      this.#loop.guard(() => {
        this.#checks.overload.asked(invocation, sentMs);
        this.#checks.leases.asked(request);
      });
      const after = (ms: number, act: () => void) => this.#loop.after(ms, () => process.deliver(act));
      const lost = (): void => {
        after(this.#random.between(0, LOST_KNOWN_MS), () => reject(new Error("the request got lost")));
      };
      const { requestLost, requestLate, answerLost, answerLate } = this.#faults.now;
      const isLate = this.#random.chance(requestLate);
      if (isLate) this.#loop.after(this.#random.between(0, LATE_MS), () => run(request));
      if (isLate || this.#random.chance(requestLost)) return lost();
      this.#loop.after(this.#oneWayMs(), () => {
        if (this.#overload.refuses(0)) {
          this.#coverage.count("overloads");
          after(this.#oneWayMs(), () => {
            this.#checks.overload.refused(invocation, this.#loop.nowMs);
            reject(this.#isMarked ? new Overloaded("the Run is overloaded") : new Error("the Run is away"));
          });
          return;
        }
        if (this.#away.refuses(0)) {
          after(this.#oneWayMs(), () => reject(new Error("the Run is away")));
          return;
        }
        const answer = run(request);
        if (this.#random.chance(answerLost)) return lost();
        const lateMs = this.#random.chance(answerLate) ? this.#random.between(0, LATE_MS) : 0;
        after(lateMs + this.#oneWayMs(), () => {
          const { nowMs } = this.#loop;
          if (this.#checks.leases.answered(answer, { sentMs, nowMs })) this.#coverage.count("lateLeases");
          resolve(answer);
        });
      });
    });
  }

  /** For the errands, which are a call or two each. */
  reaches(): boolean {
    return !this.#away.refuses(this.#faults.now.requestLost);
  }

  #oneWayMs(): number {
    const stalledMs = this.#random.chance(this.#faults.now.stalled) ? this.#random.between(0, STALL_MS) : 0;
    return this.#distanceMs + this.#random.skewed(ONE_WAY_MS, 0.4) + stalledMs;
  }
}
