/**
 * What an invocation needs of permits: how many to ask for, and when.
 *
 * It learns from what happened: how long a turn of a lane takes, how long a request takes, how far ahead instants
 * lie, how many expired unused. Two modes follow from whether others' instants stand between ours. *Pressed*: the
 * quota is the limit, lanes start together and end together, and every one of them is covered as soon as the last
 * instant has gone. *Unpressed*: the lanes are the limit, they run apart from each other, and when one waits
 * the request also covers those that will be ready before its instants expire. Nobody waits in a loop that is behind,
 * though its lanes are enough for the rate: it asks all the same.
 */

import { askAt, type Estimate, observeDuration, usableInstants } from "../../core/limiter/pacing.ts";
import { GRACE_MS, LEAD_MS, PERMITS_PER_ASK, ROUNDS_MOST } from "../../core/limits.ts";
import type { Rounds } from "../../core/protocol.ts";
import type { Instants } from "./instants.ts";
import { TurnTimes } from "./turnTimes.ts";

/** Permits may wait for a lane that is late by this share of the grace; the rest absorbs late timers. */
const SLACK_MOST = 0.45;
const SLACK_FIRST = 0.3;
/** A permit used in time allows a little more slack, one forfeited takes back 200 times that: 0.5 % are lost. */
const SLACK_PER_USE = 0.0002;
const SLACK_PER_FORFEIT = 0.04;
/** One stall takes back no more than this at once. */
const SLACK_STEP_MOST = 0.2;
/** Others' instants stand between ours by more than this: the quota is what limits the run. */
const PRESSED_MS = 8;
/** While the quota is not the limit: lateness a permit is asked for, share of the grace, and instants that may be lost. */
const SLACK_UNPRESSED = 0.6;
const FILL_UNPRESSED = 0.9;
/** How long a lane may wait for others to join its request, as a share of a turn, and its bounds. */
const GATHER_SHARE = 0.05;
const GATHER_LEAST_MS = 5;
const GATHER_MOST_MS = 50;
/** Beyond the round trip: timers are late by this. */
const TIMER_MARGIN_MS = 3;
/** A lane in a call counts as ready when so many calls of its age are over. */
const SURE = 0.8;
/**
 * With fewer lanes a call counts as over when the mean says so. What waits for the late ones is wasted, and the next
 * permit is asked for together with theirs: with five lanes and calls of 1 s, to be sure gave 888 calls/s instead of 745 for 818
 * requests a second instead of 522, more than one object serves (`npm run bench -- --only scale`).
 */
const SURE_FROM_LANES = 20;
const WEIGHT = 1 / 16;
const ROUND_TRIP_WEIGHT = 1 / 8;

/** One lane. */
export interface Place {
  readonly waiting: boolean;
  /** When it can start its next call (in the past: it could have); Infinity: it will not. */
  readonly readyMs: number;
  /** Start of its call, when the time until it asks for the next permit is a turn. */
  readonly turnFromMs: number | null;
  /** Calls it has left, the one under way among them. */
  readonly callsLeft: () => number;
}

/** Where the lanes and their permits stand. */
export interface Standing {
  readonly nowMs: number;
  readonly seats: ReadonlySet<Place>;
  readonly waiting: number;
  readonly instants: Instants;
}

export class Demand {
  #everyMs: number | null = null;
  #graceMs = GRACE_MS;
  #slack = SLACK_FIRST;
  /** From the sending of a request to the first instant it brought: the last two. */
  #aheadMs: readonly [number, number] = [0, 0];
  #gapMs = 0;
  /** Others' instants between ours, smoothed. */
  #pressureMs = 0;
  /** The last permits came for several rounds: the next ones lie far ahead, where a lane that ends now is gone. */
  #liesApart = false;
  #turn: Estimate | null = null;
  /** The same over many turns of every lane: after a pause of the loop all that are under way take long together. */
  #usualTurn: Estimate | null = null;
  readonly #turns = new TurnTimes();
  #roundTrip: Estimate | null = null;
  /** When nothing could be used at the time of a question: look again then. */
  #snoozedUntilMs = Number.NEGATIVE_INFINITY;

  /** Spacing of instants as last granted; null before the first. */
  get everyMs(): number | null {
    return this.#everyMs;
  }

  /** Round trip to expect, with its variation. */
  get roundTripMs(): number {
    const { meanMs, spreadMs } = this.#roundTrip ?? { meanMs: 0, spreadMs: 0 };
    return Math.min(meanMs + 2 * spreadMs + TIMER_MARGIN_MS, LEAD_MS);
  }

  /** From the start of a call to the moment its lane can start another; Infinity before it was measured. */
  get turnMs(): number {
    return this.#turn?.meanMs ?? Number.POSITIVE_INFINITY;
  }

  sawRoundTrip(ms: number): void {
    this.#roundTrip = observeDuration(this.#roundTrip, ms, ROUND_TRIP_WEIGHT);
  }

  /** One of `lanes` took so long from its call to the moment it asked for the next permit. */
  sawTurn(ms: number, lanes: number): void {
    this.#turn = observeDuration(this.#turn, ms, WEIGHT);
    this.#usualTurn = observeDuration(this.#usualTurn, ms, WEIGHT / Math.max(1, lanes));
    this.#turns.add(ms);
  }

  /** `lastMs`: the last instant held before; `firstMs`: the first one granted. */
  sawGrant(grant: {
    readonly everyMs: number;
    readonly graceMs: number;
    readonly probe: boolean;
    readonly inMs?: readonly number[];
    readonly lastMs: number | null;
    readonly firstMs: number;
    readonly sentMs: number;
    readonly receivedMs: number;
  }): void {
    this.#graceMs = grant.graceMs;
    this.#snoozedUntilMs = Number.NEGATIVE_INFINITY;
    if (grant.probe) return;
    this.#everyMs = grant.everyMs;
    this.#liesApart = grant.inMs !== undefined;
    this.#aheadMs = [this.#aheadMs[1], grant.firstMs - grant.sentMs];
    const connectedMs = Math.max(grant.lastMs ?? Number.NEGATIVE_INFINITY, grant.receivedMs);
    const gapMs = Math.max(0, grant.firstMs - grant.everyMs - connectedMs);
    this.#gapMs = gapMs / 2;
    this.#pressureMs += (gapMs - this.#pressureMs) / 4;
  }

  sawUse(): void {
    this.#slack = Math.min(SLACK_MOST, this.#slack + SLACK_PER_USE);
  }

  /** Permits whose time ran out before a lane was ready. */
  sawExpired(permits: number): void {
    if (!this.#isPressed) return;
    this.#slack = Math.max(-1, this.#slack - Math.min(permits * SLACK_PER_FORFEIT, SLACK_STEP_MOST));
  }

  /** When to ask; Infinity: no lane will need a permit that it does not have. */
  askAtMs(standing: Standing): number {
    if (!this.#isPressed && standing.waiting === 0 && !this.#isBehind(standing))
      return Number.POSITIVE_INFINITY;
    const roundTripMs = this.roundTripMs;
    const lastHeldMs = standing.instants.lastMs(standing.nowMs);
    const atMs = askAt({
      lastHeldMs,
      // Only looked for where it counts: it is a look at every lane, and this is asked at every call.
      nextReadyMs: lastHeldMs === null ? this.#nextReadyMs(standing) : Number.NaN,
      roundTripMs,
      aheadMs: Math.max(roundTripMs, Math.min(...this.#aheadMs)),
      gapMs: this.#gapMs,
      gatherMs: this.#gatherMs(),
    });
    return Math.max(atMs, this.#snoozedUntilMs);
  }

  /** Permits to ask for; after 0 `askAtMs` lies a moment ahead. */
  want(standing: Standing): number {
    const want = this.#everyMs === null ? standing.waiting : this.#usable(standing, this.#everyMs);
    if (want === 0) this.#snoozedUntilMs = standing.nowMs + this.#gatherMs();
    return want;
  }

  /**
   * What these lanes can do with permits of further rounds. Undefined: nothing, because they are the limit and not the
   * quota, or so many that a request brings many permits anyway.
   */
  rounds({ nowMs, seats, instants }: Standing): Rounds | undefined {
    if (!this.#isPressed || this.#turn === null || seats.size >= SURE_FROM_LANES) return undefined;
    const { meanMs, spreadMs } = this.#turn;
    return {
      turnMs: meanMs + 2 * spreadMs,
      held: instants.held,
      heldForMs: Math.max(0, (instants.lastMs(nowMs) ?? nowMs) - nowMs),
      left: [...seats].map((seat) => Math.min(furtherCalls(seat), ROUNDS_MOST)),
    };
  }

  get #isPressed(): boolean {
    return this.#pressureMs > PRESSED_MS;
  }

  /**
   * The lanes are enough for the rate, and yet none waits while permits are held: the loop is late and hands each lane a
   * permit that is due already. The next ones are needed all the same. To ask only when a lane waits would be to ask
   * when the last is used up or over, and what was not asked for in time is lost.
   */
  #isBehind({ seats, instants }: Standing): boolean {
    if (instants.held === 0 || this.#everyMs === null || this.#usualTurn === null) return false;
    return seats.size * this.#everyMs >= FILL_UNPRESSED * this.#usualTurn.meanMs;
  }

  #usable(standing: Standing, everyMs: number): number {
    const { nowMs, instants } = standing;
    const turnMs = this.#turn?.meanMs ?? LEAD_MS;
    const afterHeldMs = (instants.lastMs(nowMs) ?? Number.NEGATIVE_INFINITY) + everyMs;
    const aheadMs = Math.max(this.#roundTrip?.meanMs ?? 0, Math.min(...this.#aheadMs));
    return usableInstants({
      readyMs: this.#isPressed ? this.#foreseen(standing) : spread(standing, turnMs),
      heldMs: instants.all(),
      firstMs: Math.max(nowMs + aheadMs, afterHeldMs),
      everyMs,
      turnMs,
      slackMs: (this.#isPressed ? this.#slack : SLACK_UNPRESSED) * this.#graceMs,
      horizonMs: LEAD_MS,
      most: PERMITS_PER_ASK,
      fill: this.#isPressed ? 1 : FILL_UNPRESSED,
    });
  }

  /** When each lane will be ready, by how long turns take: lanes that started together end together. */
  #foreseen(standing: Standing): number[] {
    const readyMs: number[] = [];
    for (const seat of standing.seats) {
      const ms = this.#readyMs(seat, standing);
      if (ms !== Number.POSITIVE_INFINITY) readyMs.push(ms);
    }
    return readyMs;
  }

  /** When the lane can start its next call; a call that takes longer than usual ends any moment. */
  #readyMs(seat: Place, { nowMs, seats }: Standing): number {
    if (seat.waiting) return seat.readyMs;
    if (this.#liesApart && furtherCalls(seat) <= 0) return Number.POSITIVE_INFINITY;
    if (seat.turnFromMs !== null && seats.size >= SURE_FROM_LANES) {
      const overMs = this.#turns.overBy(nowMs - seat.turnFromMs, SURE);
      if (overMs !== null) return seat.turnFromMs + overMs;
    }
    if (seat.readyMs > nowMs) return seat.readyMs;
    return nowMs + (this.#turn?.spreadMs ?? 0) / 2;
  }

  /** When the first lane will wait; while the quota is not the limit, only lanes that do wait count. */
  #nextReadyMs(standing: Standing): number {
    let next = Number.POSITIVE_INFINITY;
    for (const seat of standing.seats) {
      if (this.#isPressed || seat.waiting) next = Math.min(next, this.#readyMs(seat, standing));
    }
    return next;
  }

  #gatherMs(): number {
    const shareMs = (this.#turn?.meanMs ?? 0) * GATHER_SHARE;
    return Math.min(Math.max(shareMs, GATHER_LEAST_MS), GATHER_MOST_MS);
  }
}

/** Calls that the lane has left after the one under way. */
function furtherCalls({ callsLeft, turnFromMs }: Place): number {
  return turnFromMs === null ? callsLeft() : callsLeft() - 1;
}

/** When each lane will be ready if lanes run apart from each other: those in a call end evenly spread over a turn. */
function spread({ seats, nowMs }: Standing, turnMs: number): number[] {
  const readyMs: number[] = [];
  let calling = 0;
  for (const seat of seats) {
    if (seat.waiting) readyMs.push(seat.readyMs);
    else if (seat.readyMs !== Number.POSITIVE_INFINITY) calling++;
  }
  const lanes = readyMs.length + calling;
  for (let nth = 1; nth <= calling; nth++) readyMs.push(nowMs + (nth * turnMs) / lanes);
  return readyMs;
}
