/**
 * How many lanes are useful and how many offers that takes.
 *
 * A queue message is an offer: it may be lost, late or doubled. Offers outstanding never exceed the invocations
 * wanted; an offer nobody took is repeated after 5 s, doubling to 5 min. Slots are held by leases alone, so
 * whatever happens to an offer costs time and nothing else. In memory only: after a restart the invocations are
 * known again from their leases and their next requests.
 */
import {
  CHUNK_QUEUES,
  ERRANDS_QUEUE,
  LANES_PER_INVOCATION_DEPLOYED,
  LEAD_MS,
  LEASE_TTL_MS,
  OFFER_REPEAT_MAX_MS,
  OFFER_REPEAT_MS,
} from "../limits.ts";
import type { Spec } from "../spec.ts";

interface LiveInvocation {
  queue: number;
  /** Lanes it takes at most; 0 while it winds down. */
  capacity: number;
  /** Items of its chunks without a row, as it last said (0 where it says nothing), and of the chunks that it was given since. */
  itemsLeft: number;
  seenAtMs: number;
}

interface Offer {
  readonly queue: number;
  readonly sentAtMs: number;
}

export interface Dispatch {
  readonly invocations: Map<string, LiveInvocation>;
  offers: Offer[];
  repeatMs: number;
  /** Of queues that are as idle, the one whose turn it is: an offer that nobody took is repeated elsewhere. */
  nextQueue: number;
}

/** `run`: its id; runs begin with different queues. */
export function createDispatch(run: string): Dispatch {
  let hash = 0;
  for (let i = 0; i < run.length; i++) hash = (Math.imul(hash, 31) + run.charCodeAt(i)) >>> 0;
  return { invocations: new Map(), offers: [], repeatMs: OFFER_REPEAT_MS, nextQueue: hash % CHUNK_QUEUES };
}

/** An invocation asked: a new one takes one outstanding offer, of its own queue if there is one. */
export function seeInvocation(
  dispatch: Dispatch,
  seen: { invocation: string; queue: number; capacity: number; itemsLeft?: number; nowMs: number },
): void {
  const known = dispatch.invocations.get(seen.invocation);
  dispatch.invocations.set(seen.invocation, {
    queue: seen.queue,
    capacity: seen.capacity,
    itemsLeft: seen.itemsLeft ?? 0,
    seenAtMs: seen.nowMs,
  });
  if (known !== undefined) return;
  dispatch.repeatMs = OFFER_REPEAT_MS;
  const own = dispatch.offers.findIndex((offer) => offer.queue === seen.queue);
  if (dispatch.offers.length > 0) dispatch.offers.splice(Math.max(own, 0), 1);
}

/** The invocation was given chunks: it has so many items before its next request says so. */
export function willHave(dispatch: Dispatch, invocation: string, itemsLeft: number): void {
  const live = dispatch.invocations.get(invocation);
  if (live !== undefined) live.itemsLeft = itemsLeft;
}

/** An invocation ended or was not seen for a lease's term. */
export function forgetInvocation(dispatch: Dispatch, invocation: string): void {
  dispatch.invocations.delete(invocation);
}

/** Lanes one invocation holds at most. `generation` "": deployed; embedded a run's lanes are in `invocations`. */
export function lanesPerInvocation(generation: string, maxParallelism: number, invocations = 1): number {
  return generation === "" ? LANES_PER_INVOCATION_DEPLOYED : Math.ceil(maxParallelism / invocations);
}

/**
 * True where several lanes may work on one chunk. Not where one call carries several items (one lane gathers them)
 * nor where hosts take turns in a chunk.
 */
export function sharesChunks({ task, quota }: Pick<Spec, "task" | "quota">): boolean {
  const isSingle = typeof task.batch !== "number" || task.batch <= 1;
  return isSingle && (quota?.perHost ?? null) === null;
}

/**
 * Lanes that can be of use: with a quota, the calls that are under way at the full rate and a quarter more;
 * never more than chunks that could be worked on.
 */
export function usefulLanes(input: {
  maxParallelism: number;
  /** Null without a quota. */
  ratePerSecond: number | null;
  /** Mean time a lane is busy with one call, pacing included. */
  callMs: number;
  /** Chunks being worked on or free to be leased. */
  chunks: number;
}): number {
  const byRate =
    input.ratePerSecond === null
      ? Number.POSITIVE_INFINITY
      : Math.ceil((1.25 * input.ratePerSecond * (input.callMs + LEAD_MS)) / 1000) + 1;
  return Math.min(input.maxParallelism, byRate, input.chunks);
}

/** Queues to send an offer to now; they count as outstanding from here on. */
export function offersToSend(
  dispatch: Dispatch,
  want: { lanes: number; lanesPerInvocation: number; nowMs: number },
): readonly number[] {
  forgetSilent(dispatch, want.nowMs);
  dropUnanswered(dispatch, want.nowMs);
  const taking = [...dispatch.invocations.values()].filter((live) => live.capacity > 0);
  const wanted = Math.ceil(want.lanes / want.lanesPerInvocation);
  const queues: number[] = [];
  for (let missing = wanted - taking.length - dispatch.offers.length; missing > 0; missing--) {
    const queue = idlestQueue(dispatch);
    dispatch.offers.push({ queue, sentAtMs: want.nowMs });
    queues.push(queue);
  }
  return queues;
}

/** When an outstanding offer will count as lost; null when none is out. */
export function nextOfferAtMs(dispatch: Dispatch): number | null {
  const first = dispatch.offers[0];
  return first === undefined ? null : first.sentAtMs + dispatch.repeatMs;
}

function dropUnanswered(dispatch: Dispatch, nowMs: number): void {
  const waiting = dispatch.offers.filter((offer) => nowMs - offer.sentAtMs < dispatch.repeatMs);
  if (waiting.length < dispatch.offers.length) {
    dispatch.repeatMs = Math.min(OFFER_REPEAT_MAX_MS, dispatch.repeatMs * 2);
  }
  dispatch.offers = waiting;
}

function forgetSilent(dispatch: Dispatch, nowMs: number): void {
  for (const [id, live] of dispatch.invocations) {
    if (nowMs - live.seenAtMs > LEASE_TTL_MS) dispatch.invocations.delete(id);
  }
}

/**
 * Locally a queue dispatches one batch at a time: an offer goes where nobody is working, else where somebody is
 * about to stop.
 */
function idlestQueue(dispatch: Dispatch): number {
  const load = new Array<number>(CHUNK_QUEUES).fill(0);
  load[ERRANDS_QUEUE] = MAY_HAVE_ERRANDS;
  for (const live of dispatch.invocations.values()) {
    load[live.queue] = (load[live.queue] ?? 0) + (live.capacity > 0 ? 1 : WINDING_DOWN);
  }
  for (const offer of dispatch.offers) load[offer.queue] = (load[offer.queue] ?? 0) + 1;
  const least = Math.min(...load);
  let queue = dispatch.nextQueue;
  while (load[queue] !== least) queue = (queue + 1) % CHUNK_QUEUES;
  dispatch.nextQueue = (queue + 1) % CHUNK_QUEUES;
  return queue;
}

/** How much the errands that may come by its queue count for beside an invocation that goes on. */
const MAY_HAVE_ERRANDS = 0.25;
/** How much an invocation that winds down counts for beside one that goes on. */
const WINDING_DOWN = 0.5;
