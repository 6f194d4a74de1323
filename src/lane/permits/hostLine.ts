/**
 * Where the lanes of one invocation wait for permits that are for a host.
 *
 * A lane that has begun nothing does not wait for a host that rests: its item is put off (ItemNotDue) to a turn of its
 * own, behind those that were put off before it in the whole run, and the lane goes on with another item. Because turns
 * lie as far apart as the host allows, a lane with nothing but far turns gives its chunk back, and lanes come to other
 * hosts. The Run gives the turns away, and they are advice. An item that comes at its turn and finds the host at rest
 * waits for nobody's turn, only for the host. A try that has sent a request (a redirect, robots.txt) waits in its lane.
 */
import { HOST_AHEAD_MS, HOSTS_TRACKED, SHARED_PAUSE_MAX_MS, STARVED_MS } from "../../core/limits.ts";
import type { HostAsk, HostGrant } from "../../core/protocol.ts";
import type { HostNeed } from "../../tasks/calls/permits.ts";
import { ItemNotDue, LaneStopped } from "../../tasks/task.ts";
import type { Clock } from "../clock.ts";
import type { Instant } from "./instants.ts";
import { type AnswerMoment, usableMs } from "./runClock.ts";
import type { Seat } from "./seat.ts";

/** A lane may wait this long for others to join its request. */
const GATHER_MS = 5;
interface Waiter {
  readonly seat: Seat;
  readonly need: HostNeed;
  sinceMs: number;
  /** asking: it is in the request under way. holding: it waits for its instant. */
  phase: "waiting" | "asking" | "holding";
  /** Not to be asked for before. */
  askFromMs: number;
  cancelTimer: () => void;
  readonly give: (instant: Instant) => void;
  readonly refuse: (why: Error) => void;
}

/** What is known of a host here. */
interface Known {
  /** When it is due, by the Run's last word. */
  dueMs: number;
  /** It is to be left alone until then, and the Run has not been told. */
  untoldHoldMs: number | null;
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/** Its item has no turn yet, and nothing has left for it. */
function needsTurn({ seat }: Waiter): boolean {
  return !seat.midTry && !seat.hasWaited;
}

export class HostLine {
  readonly #clock: Clock;
  readonly #hurry: (ms: number) => void;
  readonly #waiters = new Set<Waiter>();
  readonly #known = new Map<string, Known>();

  /** `hurry`: a request to the Run has to leave within so many ms. */
  constructor(clock: Clock, hurry: (ms: number) => void) {
    this.#clock = clock;
    this.#hurry = hurry;
  }

  /** Resolves with an instant at which a call to the host may leave. Rejects with ItemNotDue or LaneStopped. */
  wait(seat: Seat, need: HostNeed, signal: AbortSignal): Promise<Instant> {
    const nowMs = this.#clock.now();
    const dueMs = this.#known.get(need.host)?.dueMs ?? Number.NEGATIVE_INFINITY;
    if (seat.hasWaited && !seat.midTry && dueMs > nowMs + HOST_AHEAD_MS) {
      return Promise.reject(new ItemNotDue(dueMs - nowMs));
    }
    const askFromMs = seat.midTry ? dueMs - HOST_AHEAD_MS : nowMs;
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.#waiters.delete(waiter);
        waiter.cancelTimer();
        signal.removeEventListener("abort", stop);
      };
      const stop = () => waiter.refuse(new LaneStopped());
      const waiter: Waiter = {
        seat,
        need,
        sinceMs: nowMs,
        phase: "waiting",
        askFromMs,
        cancelTimer: () => {},
        give: (instant) => {
          leave();
          resolve(instant);
        },
        refuse: (why) => {
          leave();
          reject(why);
        },
      };
      signal.addEventListener("abort", stop);
      this.#waiters.add(waiter);
      this.#line(waiter, askFromMs);
    });
  }

  /** What to ask for with the request that leaves now; undefined: nothing. */
  asks(): readonly HostAsk[] | undefined {
    const nowMs = this.#clock.now();
    const asks = new Map<string, Mutable<HostAsk>>();
    const askOf = (host: string) => {
      const ask = asks.get(host) ?? { host, want: 0, spacingMs: 0, turns: 0, holdMs: 0 };
      asks.set(host, ask);
      return ask;
    };
    for (const waiter of this.#waiters) {
      if (waiter.phase !== "waiting" || waiter.askFromMs > nowMs + GATHER_MS) continue;
      waiter.phase = "asking";
      waiter.cancelTimer();
      const ask = askOf(waiter.need.host);
      ask.want += 1;
      ask.spacingMs = Math.max(ask.spacingMs, waiter.need.spacingMs);
      if (needsTurn(waiter)) ask.turns += 1;
    }
    for (const [host, known] of this.#known) {
      if (known.untoldHoldMs === null) continue;
      askOf(host).holdMs = Math.max(0, known.untoldHoldMs - nowMs);
      known.untoldHoldMs = null;
    }
    return asks.size === 0 ? undefined : [...asks.values()];
  }

  /** Takes in an answer. */
  apply(grants: readonly HostGrant[] | undefined, at: AnswerMoment): void {
    if (grants !== undefined) for (const grant of grants) this.#take(grant, at);
    // Whoever asked and is not named was not heard: it asks again.
    for (const waiter of this.#waiters) if (waiter.phase === "asking") this.#line(waiter, this.#clock.now());
  }

  /** The host asked to be left alone for so long. */
  hold(host: string, ms: number): void {
    const untilMs = this.#clock.now() + Math.min(ms, SHARED_PAUSE_MAX_MS);
    const known = this.#knownOf(host);
    known.dueMs = Math.max(known.dueMs, untilMs);
    known.untoldHoldMs = untilMs;
    this.#hurry(GATHER_MS);
  }

  /** Sends away whoever waits, or the lane of one seat unless it is in the middle of a try. */
  stop(seat: Seat | null): void {
    for (const waiter of [...this.#waiters]) {
      if (seat === null || (waiter.seat === seat && !seat.midTry)) waiter.refuse(new LaneStopped());
    }
  }

  /** Winding down: no try begins any more. */
  windDown(): void {
    for (const waiter of [...this.#waiters]) if (!waiter.seat.midTry) waiter.refuse(new LaneStopped());
  }

  /** Lanes that have waited too long for their first permit give their chunk back; `allWait`: the whole run waits. */
  refuseStarved(allWait: boolean): void {
    const nowMs = this.#clock.now();
    for (const waiter of [...this.#waiters]) {
      if (allWait) waiter.sinceMs = nowMs;
      else if (!waiter.seat.midTry && nowMs - waiter.sinceMs > STARVED_MS) waiter.refuse(new LaneStopped());
    }
  }

  #take(grant: HostGrant, at: AnswerMoment): void {
    const { leastMs, mostMs } = at;
    const known = this.#knownOf(grant.host);
    known.dueMs = Math.max(mostMs + grant.dueInMs, known.untoldHoldMs ?? Number.NEGATIVE_INFINITY);
    let turnMs = mostMs + (grant.turnInMs ?? 0);
    const sends = [...grant.sendInMs];
    const forMs = usableMs(grant.graceMs, mostMs - leastMs);
    for (const waiter of [...this.#waiters]) {
      if (waiter.phase !== "asking" || waiter.need.host !== grant.host) continue;
      const sendInMs = sends.shift();
      if (sendInMs === undefined && grant.turnInMs !== null && needsTurn(waiter)) {
        waiter.refuse(new ItemNotDue(turnMs - this.#clock.now()));
        turnMs += grant.turnEveryMs;
      } else if (sendInMs === undefined) this.#sendBack(waiter, grant.waitInMs);
      else {
        const notBeforeMs = mostMs + sendInMs;
        const instant = { notBeforeMs, expiresMs: notBeforeMs + forMs, epoch: at.epoch, probe: grant.probe };
        this.#hold(waiter, { ...instant, need: waiter.need });
      }
    }
  }

  /** It got nothing, because the whole run has to wait or because its host rests. */
  #sendBack(waiter: Waiter, waitInMs: number): void {
    const nowMs = this.#clock.now();
    const { dueMs } = this.#knownOf(waiter.need.host);
    const rests = dueMs > nowMs + HOST_AHEAD_MS && !waiter.seat.midTry;
    if (rests && waitInMs === 0) waiter.refuse(new ItemNotDue(dueMs - nowMs));
    else this.#line(waiter, Math.max(nowMs + waitInMs, dueMs - HOST_AHEAD_MS));
  }

  /** Waits for the instant; one that came too late for any use is asked for again. */
  #hold(waiter: Waiter, instant: Instant): void {
    waiter.phase = "holding";
    waiter.cancelTimer = this.#clock.after(instant.notBeforeMs - this.#clock.now(), () => {
      const nowMs = this.#clock.now();
      if (nowMs <= instant.expiresMs) waiter.give(instant);
      else this.#sendBack(waiter, 0);
    });
  }

  /** Asks from `fromMs` on. */
  #line(waiter: Waiter, fromMs: number): void {
    waiter.cancelTimer();
    waiter.phase = "waiting";
    waiter.askFromMs = fromMs;
    const inMs = fromMs - this.#clock.now();
    if (inMs <= GATHER_MS) this.#hurry(GATHER_MS);
    else waiter.cancelTimer = this.#clock.after(inMs, () => this.#hurry(0));
  }

  #knownOf(host: string): Known {
    let known = this.#known.get(host);
    if (known !== undefined) return known;
    known = { dueMs: Number.NEGATIVE_INFINITY, untoldHoldMs: null };
    if (this.#known.size >= HOSTS_TRACKED) this.#forgetDue();
    this.#known.set(host, known);
    return known;
  }

  /** What is forgotten costs a request to the Run, no more; so all may go where none is due. */
  #forgetDue(): void {
    const nowMs = this.#clock.now();
    for (const [host, { dueMs }] of this.#known) if (dueMs <= nowMs) this.#known.delete(host);
    if (this.#known.size >= HOSTS_TRACKED) this.#known.clear();
  }
}
