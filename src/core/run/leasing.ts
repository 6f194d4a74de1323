/**
 * Who gets which chunk: leases for as many lanes as are of use, and slots that help where no chunk is left.
 *
 * Careful chunks and suspects are kept apart from others, the smoke stage ends at its border.
 */

import { longestWaitMs } from "../limiter/backoff.ts";
import { tokenRate } from "../limiter/tokenQuota.ts";
import { COSTED_LANES_SPARE, EXPIRIES_TO_FAIL_ITEM, ITEMS_PER_LANE, POLL_MS } from "../limits.ts";
import type { ChunkWork, Lease, SyncRequest } from "../protocol.ts";
import { callTimeMs } from "./activity.ts";
import { usefulLanes, willHave } from "./dispatch.ts";
import { type ChunkRecord, suspectOf, toWork } from "./ledger.ts";
import { shareOfLimits } from "./rampCap.ts";
import { configuredPerSecond, type Run } from "./run.ts";
import { acquire, type LeaseRecord } from "./semaphore.ts";
import { isSmoking, smokeBorder, smokeChunks } from "./smoke.ts";
import { lanesAllowed, smaller } from "./targetShare.ts";

/** Leases for the room that the invocation has. */
export function leaseChunks(
  run: Run,
  request: SyncRequest,
  lost: readonly number[],
  nowMs: number,
  wallMs: number,
): readonly Lease[] {
  const holding = request.held.filter((fence) => !lost.includes(fence) && run.semaphore.live.has(fence));
  // Slots that help with a chunk are among the live ones: not as many as there are chunks.
  const max = isSmoking(run.state) ? lanesUseful(run) : lanesOfUse(run, Number.POSITIVE_INFINITY);
  const leases: Lease[] = [];
  const embedded = isEmbedded(request.generation);
  let room = !embedded && holdsCareful(run, holding) ? 0 : request.capacity - holding.length;
  if (!embedded && room > 0 && yieldsTo(run, request, { held: holding.length, max, nowMs })) room = 0;
  const share = canHelp(run, request) ? shareOfItems(run, request.invocation) : Number.POSITIVE_INFINITY;
  let itemsLeft = request.itemsLeft ?? 0;
  while (room > 0 && itemsLeft < share && run.semaphore.live.size < max) {
    const holdsNone = holding.length + leases.length === 0;
    const record = embedded ? nextEmbedded(run, nowMs) : run.ledger.nextAvailable(nowMs, holdsNone);
    if (record === undefined) break;
    const border = borderOf(run, record);
    if (border === 0) break;
    const acquired = acquire(run.semaphore, {
      chunk: record.chunk,
      invocation: request.invocation,
      generation: request.generation,
      nowMs,
      max,
    });
    if (acquired.kind === "full") break;
    leases.push({
      fence: acquired.lease.fence,
      work: {
        ...workOf(run, record, nowMs),
        ...(border === null ? {} : { until: border }),
      },
    });
    itemsLeft += record.plan.count - record.cursor;
    record.state = "active";
    record.announced = null;
    run.ledger.put(record);
    room = record.careful && !embedded ? 0 : room - 1;
  }
  if (leases.length > 0) {
    run.state.startedAtMs ??= wallMs;
    willHave(run.dispatch, request.invocation, itemsLeft);
  }
  if (room <= 0 || run.semaphore.live.size >= max || !canHelp(run, request)) return leases;
  const isLeft = itemsLeft < share && run.ledger.nextAvailable(nowMs, true) !== undefined;
  return isLeft ? leases : [...leases, ...leaseSideLanes(run, request, { holding, room, max, nowMs })];
}

/** Who was not heard of for so long takes no chunk soon. */
const YIELDS_FOR_MS = 2 * POLL_MS;
/** With this share of the lanes that are of use the rate is held: those are a quarter more than are busy at the full rate. */
const LANES_ENOUGH = 0.85;

/**
 * Whether the invocation leaves its room to one that holds more lanes and has room too. A request brings permits for
 * the lanes of one invocation: a run that needs fewer lanes than it began with would otherwise end with one here and
 * two there, and ask for each by itself.
 */
function yieldsTo(
  run: Run,
  { invocation }: SyncRequest,
  of: { readonly held: number; readonly max: number; readonly nowMs: number },
): boolean {
  const { live } = run.semaphore;
  const isSpare = of.max < lanesAllowed(run) && live.size >= LANES_ENOUGH * of.max;
  if (!isSpare || live.size >= of.max) return false;
  const lanes = new Map<string, number>();
  for (const lease of live.values()) lanes.set(lease.invocation, (lanes.get(lease.invocation) ?? 0) + 1);
  for (const [id, { capacity, seenAtMs }] of run.dispatch.invocations) {
    if (id === invocation || of.nowMs - seenAtMs > YIELDS_FOR_MS) continue;
    const held = lanes.get(id) ?? 0;
    if (held > of.held && held < capacity) return true;
  }
  return false;
}

/**
 * Items that an invocation may have before it when it takes a chunk: any number while there is a chunk for every
 * lane, after that its part of what is left, those left out that have more already. So the lanes of all invocations
 * have something to help with, and end together.
 */
function shareOfItems(run: Run, invocation: string): number {
  const { dispatch, state } = run;
  const free = chunksUnleased(run);
  if (free === null || free >= lanesOfUse(run, Number.POSITIVE_INFINITY)) return Number.POSITIVE_INFINITY;
  const others = [...dispatch.invocations].filter(([id, { capacity }]) => id !== invocation && capacity > 0);
  const lefts = others.map(([, { itemsLeft }]) => itemsLeft).sort((a, b) => b - a);
  let items = free * state.spec.chunkSize + (dispatch.invocations.get(invocation)?.itemsLeft ?? 0);
  for (const left of lefts) items += left;
  let invocations = 1 + dispatch.offers.length + lefts.length;
  for (const left of lefts) {
    if (left <= items / invocations) break;
    items -= left;
    invocations -= 1;
  }
  return items / invocations;
}

/** Chunks that are not done and that nobody works on; null: not all are planned yet. */
export function chunksUnleased({ state, semaphore }: Run): number | null {
  if (!state.plan.complete) return null;
  let leased = 0;
  for (const { helps } of semaphore.live.values()) if (helps === null) leased += 1;
  return state.chunks.total - state.chunks.done - leased;
}

/** Slots that linger are the target's connections, and the smoke stage is one lane after another. */
function canHelp({ state }: Run, { takesHelp }: SyncRequest): boolean {
  return takesHelp === true && state.lingerMs === 0 && !isSmoking(state);
}

/**
 * Slots that no chunk is left for go to lanes that have much left of theirs: they work on several items at once.
 * Without them the last round of chunks would leave lanes idle, and the rate unused.
 */
function leaseSideLanes(
  run: Run,
  request: SyncRequest,
  of: {
    readonly holding: readonly number[];
    readonly room: number;
    readonly max: number;
    readonly nowMs: number;
  },
): readonly Lease[] {
  const { max, nowMs } = of;
  const { live } = run.semaphore;
  let { room } = of;
  const lanes = lanesByOwner(run);
  const helped = of.holding.flatMap((fence) => ownerOf(run, fence, lanes));
  const leases: Lease[] = [];
  while (room > 0 && live.size < max) {
    const most = helped.reduce<Helped | null>(
      (a, b) => (a !== null && a.left / a.lanes > b.left / b.lanes ? a : b),
      null,
    );
    if (most === null || most.left / most.lanes < ITEMS_PER_LANE) break;
    const { record, lease } = most;
    const { invocation, generation } = request;
    const acquired = acquire(run.semaphore, {
      chunk: record.chunk,
      invocation,
      generation,
      nowMs,
      max,
      helps: lease.fence,
    });
    if (acquired.kind === "full") break;
    most.lanes += 1;
    room -= 1;
    leases.push({
      fence: acquired.lease.fence,
      work: workOf(run, record, nowMs),
      helps: lease.fence,
    });
  }
  return leases;
}

/** A lane that may be helped: its chunk, what is left of it, and how many work on it. */
interface Helped {
  readonly lease: LeaseRecord;
  readonly record: ChunkRecord;
  readonly left: number;
  lanes: number;
}

/** How many lanes work on the chunk of each lease that has one. */
function lanesByOwner({ semaphore }: Run): ReadonlyMap<number, number> {
  const lanes = new Map<number, number>();
  for (const { fence, helps } of semaphore.live.values()) {
    const owner = helps ?? fence;
    lanes.set(owner, (lanes.get(owner) ?? 0) + 1);
  }
  return lanes;
}

function ownerOf(run: Run, fence: number, lanes: ReadonlyMap<number, number>): readonly Helped[] {
  const lease = run.semaphore.live.get(fence);
  if (lease === undefined || lease.helps !== null || lease.shedding || lease.isUnhelpful) return [];
  const record = run.ledger.get(lease.chunk);
  if (record === undefined || record.careful || borderOf(run, record) !== null) return [];
  const left = record.plan.count - record.cursor + record.deferred.length;
  return [{ lease, record, left, lanes: lanes.get(fence) ?? 1 }];
}

export function isEmbedded(generation: string): boolean {
  return generation !== "";
}

/**
 * Embedded, a lane that kills its process takes all others with it. So a chunk with a suspect is worked on when no
 * other is, and no other while it is: what happens then is the suspect's doing.
 */
function nextEmbedded(run: Run, nowMs: number): ChunkRecord | undefined {
  const { live } = run.semaphore;
  const next = run.ledger.nextAvailable(nowMs, true);
  if (next === undefined || live.size === 0) return next;
  if (suspectOf(next) !== null) return undefined;
  const [only] = live.size === 1 ? live.values() : [];
  const record = only === undefined ? undefined : run.ledger.get(only.chunk);
  return record !== undefined && suspectOf(record) !== null ? undefined : next;
}

/** A lane goes no further than this ordinal: the smoke stage's border, its suspect, or the end of its careful work. */
function borderOf(run: Run, record: ChunkRecord): number | null {
  const suspect = suspectOf(record);
  const borders = [
    smokeBorder(run, record.chunk),
    suspect === null ? null : Math.max(record.cursor, suspect + 1),
    record.careful ? record.carefulTo : null,
  ].filter((border) => border !== null);
  return borders.length === 0 ? null : Math.min(...borders);
}

/** Deployed, a careful chunk is worked on alone in its invocation. */
function holdsCareful(run: Run, holding: readonly number[]): boolean {
  return holding.some((fence) => {
    const lease = run.semaphore.live.get(fence);
    return lease !== undefined && run.ledger.get(lease.chunk)?.careful === true;
  });
}

/** Lanes that may be live now: the limit of the spec, and no more than are of use. */
export function lanesUseful(run: Run): number {
  const { chunks } = run.state;
  return lanesOfUse(run, isSmoking(run.state) ? smokeChunks(run) : chunks.total - chunks.done);
}

/** The same if there were so many chunks. `most`: lanes that the run may have. */
export function lanesOfUse(run: Run, chunks: number, most = lanesAllowed(run)): number {
  const { spec } = run.state;
  return usefulLanes({
    maxParallelism: most,
    ratePerSecond: usefulPerSecond(run),
    callMs: Math.max(callTimeMs(run.activity), spec.pacing.minIntervalMs + spec.pacing.jitterMs / 2),
    chunks,
  });
}

/** Calls per second for which lanes are of use; null: as many as there are. */
function usefulPerSecond(run: Run): number | null {
  const { quota } = run.state;
  const requests = attainablePerSecond(run);
  const tokens = quota.tokens ?? null;
  if (tokens === null || tokens.meanTokens === null) return requests;
  const byTokens = (COSTED_LANES_SPARE * tokenRate(tokens)) / Math.max(1, tokens.meanTokens);
  return requests === null ? byTokens : Math.min(requests, byTokens);
}

/** Calls per second that the run could reach if it were alone: its own limit, and the target's; null: no limit. */
function attainablePerSecond({ state, target }: Run): number | null {
  const own = configuredPerSecond(state.spec);
  const ramped = own === null ? null : own * shareOfLimits({ state });
  return smaller(ramped, target?.configuredPerSecond ?? null);
}

function workOf({ state }: Run, record: ChunkRecord, nowMs: number): ChunkWork {
  return toWork(record, nowMs, {
    deathsToFail: EXPIRIES_TO_FAIL_ITEM,
    longestWaitMs: longestWaitMs(state.spec.retry),
  });
}
