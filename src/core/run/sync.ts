/**
 * The one request of an invocation, answered: renew, commit, report, lease, permit.
 *
 * Order matters and is fixed: commits come before new leases (a chunk given back can go out again in the same
 * answer), reports before the grant (a 429 lowers the rate of the very next permit). A repeated seq gets the
 * stored answer and changes nothing. A lease that is not live gets no commit, whatever the request says.
 */

import { assert } from "../assert.ts";
import { longestWaitMs } from "../limiter/backoff.ts";
import { budgetSentence, outlayOf, passedBy } from "../limiter/budget.ts";
import { forgetWaiting, hearWaiting } from "../limiter/costed.ts";
import { observe, settleCosted, waitOut } from "../limiter/quota.ts";
import {
  LEASE_TTL_MS,
  POLL_MS,
  POLL_MS_PER_INVOCATION,
  REFUSED_OFFER_MAX_MS,
  REFUSED_OFFER_MS,
} from "../limits.ts";
import type {
  Commit,
  CommitOutcome,
  PartMeta,
  Report,
  RunSettings,
  SyncAnswer,
  SyncRequest,
} from "../protocol.ts";
import { mergeTotals } from "../reduce/reduce.ts";
import { addUsage, priceOf } from "../usage.ts";
import { recordCalls } from "./activity.ts";
import { forgetInvocation, seeInvocation } from "./dispatch.ts";
import { keepHours, openForMs } from "./hours.ts";
import { hearFaults, restChunk } from "./lastFault.ts";
import { isEmbedded, leaseChunks } from "./leasing.ts";
import { applyCommit, handBack, loseLease, orphan } from "./ledger.ts";
import { costedPermits, hostPermits, permits } from "./permits.ts";
import { pauseRefusals, refusalSentence, seeRefusals } from "./refusals.ts";
import { rowsWaitMs } from "./rowsWait.ts";
import { climb, fail, finishWhenDone, isWorking, markIndexed, pause, type Run } from "./run.ts";
import { expire, heldBy, type LeaseRecord, release, renew } from "./semaphore.ts";
import { judgeSmoke, parkAtBorder } from "./smoke.ts";
import { spend } from "./spend.ts";
import { mayRenewLanes, noteShared, passShareTime } from "./targetShare.ts";
import { judge } from "./tolerance.ts";
import { latestAsked } from "./waiting.ts";

/** What a request comes to. */
export interface Synced {
  readonly answer: SyncAnswer;
  /** It changed what a restart must not lose, so the state is stored before the answer leaves. */
  readonly isDurable: boolean;
}

/** Answers a request; `nowMs` is the run clock, `wallMs` the time of day for what people see. */
export function sync(run: Run, request: SyncRequest, nowMs: number, wallMs: number): Synced {
  const before = run.answers.get(request.invocation);
  if (before !== undefined && request.seq <= before.seq) return { answer: before, isDurable: false };
  const { status } = run.state;
  const answer = answerTo(run, request, nowMs, wallMs);
  return { answer, isDurable: status !== run.state.status || isDurable(request, answer) };
}

/** Whether more than counters and the limiter can have changed. */
function isDurable({ commits, indexed, announce, capacity }: SyncRequest, answer: SyncAnswer): boolean {
  const isNews = commits.length > 0 || indexed.length > 0 || announce.length > 0 || capacity === 0;
  return isNews || answer.leases.length > 0 || answer.lost.length > 0;
}

function answerTo(run: Run, request: SyncRequest, nowMs: number, wallMs: number): SyncAnswer {
  run.state.coordinatorRequests += 1;
  seeInvocation(run.dispatch, { ...request, nowMs });
  keepHours(run, nowMs, wallMs);
  expireLeases(run, nowMs);
  run.state.quota = waitOut(run.state.quota, nowMs);
  passShareTime(run, nowMs);
  const current = request.generation === run.state.generation;
  const renews = current && mayRenewLanes(run, nowMs);
  const lost = renews ? renew(run.semaphore, request.held, request.invocation, nowMs) : [...request.held];
  freeLeft(run, request, nowMs);
  const commits = request.commits.map((commit) =>
    current ? commitOne(run, request.invocation, commit, nowMs) : stale(commit),
  );
  markIndexed(run, request.indexed, nowMs);
  announce(run, request);
  report(run, request, nowMs);
  settleCalls(run, request, nowMs);
  finishWhenDone(run);

  const works = current && isWorking(run) && openForMs(run, nowMs) > 0;
  const leases = works ? leaseChunks(run, request, lost, nowMs, wallMs) : [];
  const pollMs = Math.max(POLL_MS, run.dispatch.invocations.size * POLL_MS_PER_INVOCATION);
  const answer: SyncAnswer = {
    seq: request.seq,
    kind: works ? "work" : "drain",
    grant: works ? permits(run, request, pollMs, nowMs) : { kind: "deferred", askAgainInMs: POLL_MS },
    ...(works && request.hosts !== undefined && { hosts: hostPermits(run, request, pollMs, nowMs) }),
    ...(works ? costedPermits(run, request, pollMs, nowMs) : {}),
    epoch: run.state.quota.epoch,
    ...(run.state.quota.openedIn !== undefined && { openedIn: run.state.quota.openedIn }),
    clockMs: nowMs + run.state.starts * CLOCKS_APART_MS,
    leases,
    lost,
    shed: shedOf(run, request.invocation),
    commits,
    leaseTtlMs: LEASE_TTL_MS,
    pollMs,
    ...(works && { rowsWaitMs: rowsWaitMs(run, nowMs) }),
    settings: request.settingsVersion === run.state.settingsVersion ? null : settingsOf(run),
    circuit: run.state.quota.circuit.open === null ? "closed" : "open",
    ...(run.faults.answeredMs !== null && { answeredAgoMs: Math.max(0, nowMs - run.faults.answeredMs) }),
    refusedEpoch: run.state.refused.epoch,
    refusedStreak: run.state.refused.streak.length,
  };
  remember(run, request, answer);
  return answer;
}

/**
 * A restarted Run's clock may stand some ms off, too little for holders to notice. Its answers count from so far away
 * that what they knew of the former clock is contradicted and forgotten.
 */
const CLOCKS_APART_MS = 86_400_000;

/** Ends the leases whose term is over; their chunks are free again. */
export function expireLeases(run: Run, nowMs: number): void {
  const expired = expire(run.semaphore, nowMs);
  const owners = expired.filter((lease) => lease.helps === null);
  const isLast = owners.length === 1 && run.semaphore.live.size === 0;
  for (const lease of owners) {
    const record = run.ledger.get(lease.chunk);
    assert(record !== undefined, "a lease is for a chunk of the ledger");
    // Deployed, a careful lane has its invocation to itself; embedded, all lanes share a process.
    if (lease.generation === run.state.generation) {
      loseLease(record, nowMs, isLast || !isEmbedded(lease.generation));
    } else orphan(record, nowMs);
    run.ledger.put(record);
  }
}

function stale({ fence }: Commit): CommitOutcome {
  return { kind: "stale", fence };
}

/**
 * Leases that their holder does not name any more are free at once: it has stopped working on them. So lanes that gave
 * up because their clock was set forward keep no slot until the lease is over.
 */
function freeLeft(run: Run, request: SyncRequest, nowMs: number): void {
  for (const lease of run.semaphore.live.values()) {
    if (lease.invocation !== request.invocation || request.held.includes(lease.fence)) continue;
    if (request.commits.some((commit) => commit.fence === lease.fence)) continue;
    release(run.semaphore, lease.fence);
    if (lease.helps !== null) continue;
    const record = run.ledger.get(lease.chunk);
    assert(record !== undefined, "a lease is for a chunk of the ledger");
    orphan(record, nowMs);
    run.ledger.put(record);
  }
}

function commitOne(run: Run, invocation: string, commit: Commit, nowMs: number): CommitOutcome {
  const lease = heldBy(run.semaphore, commit.fence, invocation);
  const record = run.ledger.get(commit.chunk);
  if (lease === undefined || lease.chunk !== commit.chunk || record === undefined) {
    return stale(commit);
  }
  if (lease.helps !== null) return endHelp(run, lease, lease.helps);
  const wasDone = record.state === "done";
  const applied = applyCommit(record, commit, nowMs, longestWaitMs(run.state.spec.retry));
  if (applied.kind === "stale") return stale(commit);
  if (applied.kind === "applied" && applied.part !== null) {
    countPart(run, applied.part, nowMs);
    addTotals(run, commit);
    const { usage } = run.state;
    if (commit.usage !== undefined) usage.rows = addUsage(usage.rows, commit.usage);
  }
  const isDone = record.state === "done";
  if (isDone && !wasDone) run.state.chunks.done += 1;
  // A task that lingers holds something of the target's until its lane says that it has let go.
  if (commit.release || (isDone && run.state.lingerMs === 0)) {
    release(run.semaphore, commit.fence);
    restChunk(run.faults, commit.chunk, commit.checkpoint.deferred);
    handBack(record, nowMs, commit.trouble === undefined ? null : refusedForMs(record.refusals));
    if (commit.trouble !== undefined) run.state.trouble = commit.trouble;
    parkAtBorder(run, record);
  }
  run.ledger.put(record);
  judgeSmoke(run);
  return { kind: "committed", fence: commit.fence };
}

/** A side lane commits nothing: what it did is in the parts of the lane that it helped. */
function endHelp(run: Run, { fence, shedding }: LeaseRecord, helped: number): CommitOutcome {
  release(run.semaphore, fence);
  const owner = run.semaphore.live.get(helped);
  if (owner !== undefined && !shedding) owner.isUnhelpful = true;
  return { kind: "committed", fence };
}

function countPart(run: Run, part: PartMeta, nowMs: number): void {
  const { state } = run;
  state.partSeq += 1;
  const indexed = part.failed === 0 && state.parentRunId === null;
  run.ledger.addPart(part, state.partSeq, indexed);
  if (!indexed) {
    if (state.unindexed === 0) run.indexedAtMs = nowMs;
    state.unindexed += 1;
  }
  state.counts.ok += part.ok;
  state.counts.failed += part.failed;
  state.counts.done += part.ok + part.failed;
  state.trouble = null;
  run.refusal = null;
  judgeFailures(run, part);
}

/** Stops the run when more of its items failed than it tolerates. One that has no item left ends by itself. */
function judgeFailures(run: Run, part: PartMeta): void {
  const { state } = run;
  const { items, counts } = state;
  const { tolerate } = state.spec;
  const left = state.plan.complete ? items - counts.done : Number.POSITIVE_INFINITY;
  const verdict = judge(state.tolerance, part, tolerate, left);
  if (verdict.kind === "fine" || !isWorking(run)) return;
  const { failed, settled, span, allowed } = verdict;
  const { failureRate, then } = tolerate;
  const sentence = `${failed} of the last ${settled} items failed, and tolerate.failureRate (${failureRate}) allows ${allowed} of ${span}`;
  if (then === "fail") fail(run, sentence);
  else if (left > 0) pause(run, sentence);
}

/** In the event that accepts the part, and in no other: a repeated commit adds nothing. */
function addTotals(run: Run, { totals }: Commit): void {
  const { reduce } = run.state.spec;
  if (totals === undefined || run.totals === null || reduce === null) return;
  run.totals = mergeTotals(reduce, run.totals, totals);
}

function announce(run: Run, request: SyncRequest): void {
  for (const { fence, ordinal } of request.announce) {
    const lease = heldBy(run.semaphore, fence, request.invocation);
    const record = lease === undefined ? undefined : run.ledger.get(lease.chunk);
    if (record === undefined) continue;
    record.announced = ordinal;
    run.ledger.put(record);
  }
}

function report(run: Run, { report: seen, invocation: holder, held }: SyncRequest, nowMs: number): void {
  const { state } = run;
  const ended = seen.answered + seen.troubles.length;
  recordCalls(run.activity, { calls: seen.calls, ended, callMs: seen.callMs }, nowMs);
  state.counts.throttled += seen.throttled;
  state.counts.attempts += Math.max(0, ended - seen.throttled);
  spend(run, seen.operations);
  const { spent } = state.usage;
  state.usage.spent = {
    ...spent,
    ...(seen.usage === undefined ? {} : addUsage(spent, seen.usage)),
    calls: spent.calls + seen.calls,
  };
  const itemsLeft = state.plan.complete ? state.items - state.counts.done : Number.POSITIVE_INFINITY;
  noteShared(run, seen, { lanes: held.length, nowMs });
  state.quota = observe(state.quota, seen, { nowMs, holder, itemsLeft });
  climb(run, seen, nowMs);
  hearFaults(run.faults, seen, { nowMs, holder });
  state.asked = latestAsked(state.asked ?? null, seen, nowMs);
  countRefused(run, seen);
  if (seen.refusing !== undefined) run.refusal = { sentence: seen.refusing, atMs: nowMs };
  if (seen.blocked !== null && isWorking(run)) pause(run, seen.blocked);
  if (isWorking(run)) pauseOverBudget(run);
}

/** Calls whose permits are not granted by name (each for its host) are only counted: the run pauses when it is too late. */
function pauseOverBudget(run: Run): void {
  const { spec, usage, id } = run.state;
  if (spec.budget == null) return;
  const outlay = outlayOf(usage, { calls: 0, tokens: 0 }, priceOf(spec));
  const passed = passedBy(spec.budget, outlay);
  if (passed !== null) pause(run, budgetSentence(passed, spec.budget, outlay, id));
}

function countRefused(run: Run, seen: Report): void {
  const { refusals, pauses } = seeRefusals(run.state.refused, seen);
  run.state.refused = refusals;
  if (!pauses || !isWorking(run)) return;
  run.state.refused = pauseRefusals(refusals);
  pause(run, refusalSentence(run.state.spec, refusals));
}

/** Takes in what an invocation says of its calls with a cost; what a dead one held counts as spent. */
function settleCalls(run: Run, request: SyncRequest, nowMs: number): void {
  const { costed, state, dispatch } = run;
  for (const invocation of [...costed.held.keys()]) {
    if (invocation === request.invocation || dispatch.invocations.has(invocation)) continue;
    countUnreported(run, forgetWaiting(costed, invocation).tokens);
  }
  if (request.costed === undefined) return;
  const { settled } = request.costed;
  state.quota = settleCosted(state.quota, request.costed, nowMs);
  for (const call of settled) if (call.unreported === true) countUnreported(run, call.reserved);
  hearWaiting(costed, request.invocation, request.costed, nowMs);
}

function countUnreported(run: Run, tokens: number): void {
  const { spent } = run.state.usage;
  if (tokens > 0) run.state.usage.spent = { ...spent, unreportedTokens: spent.unreportedTokens + tokens };
}

function shedOf(run: Run, invocation: string): readonly number[] {
  const fences: number[] = [];
  for (const lease of run.semaphore.live.values()) {
    if (lease.shedding && lease.invocation === invocation) fences.push(lease.fence);
  }
  return fences;
}

/** What lanes, planner and finalizer need to know of the run. */
export function settingsOf(run: Run): RunSettings {
  const { state } = run;
  return {
    version: state.settingsVersion,
    run: state.id,
    root: state.rootId,
    spec: state.spec,
    itemSource: state.itemSource,
    child: state.parentRunId !== null,
  };
}

/** A winding-down invocation that holds nothing has said its last word. */
function remember(run: Run, request: SyncRequest, answer: SyncAnswer): void {
  const ending = request.capacity === 0 || answer.kind === "drain";
  const holds = [...run.semaphore.live.values()].some((lease) => lease.invocation === request.invocation);
  run.answers.set(request.invocation, answer);
  if (ending && !holds) {
    forgetInvocation(run.dispatch, request.invocation);
    run.faults.retrying.delete(request.invocation);
    countUnreported(run, forgetWaiting(run.costed, request.invocation).tokens);
  }
  for (const known of run.answers.keys()) {
    if (run.answers.size <= run.dispatch.invocations.size + ANSWERS_KEPT) break;
    if (!run.dispatch.invocations.has(known)) run.answers.delete(known);
  }
}

/** Answers of invocations that have ended, kept for a request that is repeated late. */
const ANSWERS_KEPT = 64;

function refusedForMs(refusals: number): number {
  return Math.min(REFUSED_OFFER_MAX_MS, REFUSED_OFFER_MS * 2 ** Math.min(refusals, 10));
}
