/**
 * The run as a state machine: its whole state, and what people do to it.
 *
 * `planning → (smoke → awaiting-approval) → running ⇄ paused → finishing → completed | completed-with-failures | failed | cancelled`.
 * Lanes work while planning goes on. `finishing` waits until no lease is live and every failure is in D1, then
 * the parts are joined. Everything here is `f(run, input, now)`: no I/O, no clock. The driver (`src/run/driver.ts`)
 * loads, asks, stores, then acts on the effects, in the Run object and in the simulator.
 */

import { assert } from "../assert.ts";
import { longestWaitMs } from "../limiter/backoff.ts";
import type { QuotaSettings } from "../limiter/burst.ts";
import { type Calendar, createCalendar } from "../limiter/calendar.ts";
import { type Costed, createCosted } from "../limiter/costed.ts";
import { createHostBook, forgetHosts, type HostBook } from "../limiter/hostQuota.ts";
import { configureQuota, createQuota, forfeitIssued, type Quota, restoreQuota } from "../limiter/quota.ts";
import { createRamp, observeRamp, type Ramp, rampSettings } from "../limiter/ramp.ts";
import { parseRate } from "../limiter/rate.ts";
import type { TokenSettings } from "../limiter/tokenQuota.ts";
import type { ChunkPlan, Operations, Report, SyncAnswer } from "../protocol.ts";
import { noTotals, type Totals } from "../reduce/reduce.ts";
import {
  type BudgetSpec,
  type PacingSpec,
  type QuotaSpec,
  RAMP_DEFAULTS,
  type RampSpec,
  RETRY_TOLERATE,
  type RetrySpec,
  type ShareSpec,
  type SourceSpec,
  SPEC_DEFAULTS,
  type Spec,
  type TolerateSpec,
  WINDOW_DEFAULTS,
  type WindowSpec,
} from "../spec.ts";
import { noRunUsage, priceOf, type RunUsage } from "../usage.ts";
import { deadlineMs } from "../window/deadline.ts";
import { type Activity, createActivity } from "./activity.ts";
import { createDispatch, type Dispatch, seeInvocation } from "./dispatch.ts";
import { createHours, type Hours } from "./hours.ts";
import { createFaultBook, type FaultBook } from "./lastFault.ts";
import { bringForward, type Ledger, newChunk } from "./ledger.ts";
import { type Notice, startNotice } from "./notice.ts";
import { lanesUnderRamp, underRamp } from "./rampCap.ts";
import { noRefusals, type Refusals, resumeRefusals } from "./refusals.ts";
import { isEnded, type RunStatus } from "./runView.ts";
import { renewAll, type Semaphore, shedAbove } from "./semaphore.ts";
import { judgeSmoke, openGate } from "./smoke.ts";
import { drive } from "./takeover.ts";
import {
  createTargetShare,
  issuedUntilMs,
  lanesAllowed,
  type TargetShare,
  underShare,
} from "./targetShare.ts";
import { createTolerance, type Tolerance } from "./tolerance.ts";
import { type Asked, shorten } from "./waiting.ts";
import { type Unreadable, whyUnreadable, withUnreadable } from "./whyUnreadable.ts";

/** What is stored as one document; the leases, chunks and parts have tables of their own. */
export interface RunState {
  readonly id: string;
  readonly rootId: string;
  readonly parentRunId: string | null;
  readonly itemSource: SourceSpec;
  readonly createdAtMs: number;
  /** What the task declares: how long a slot stays taken after its process is gone. */
  readonly lingerMs: number;
  /** The schedule that started it, to be told of its end. */
  readonly schedule?: string;
  /** How far the ramp is; null or absent: there is none. */
  ramp?: Ramp | null;
  /** The instant that `spec.deadline` means (wall clock); null or absent: there is none. */
  deadlineMs?: number | null;
  spec: Spec;
  /** Counts up with every change that lanes must know of. */
  settingsVersion: number;
  status: RunStatus;
  /** Why it is paused or failed, as a sentence; null otherwise. */
  reason: string | null;
  /** Where `finishing` leads. */
  ending: "completed" | "cancelled" | "failed";
  startedAtMs: number | null;
  endedAtMs: number | null;
  /** The embedding process that drives the run; "" when deployed. */
  generation: string;
  plan: { cursor: string | null; complete: boolean };
  /** Items planned so far. */
  items: number;
  counts: { done: number; ok: number; failed: number; attempts: number; throttled: number };
  chunks: { total: number; done: number };
  /** Commits of parts so far: the next one's sequence number. */
  partSeq: number;
  /** Parts whose failures are not in D1 yet. */
  unindexed: number;
  nextFence: number;
  /** How often the Run was started: its clock may stand elsewhere each time. */
  starts: number;
  coordinatorRequests: number;
  operations: Operations;
  /** Tokens used, and calls that left. */
  usage: RunUsage;
  quota: Quota;
  tolerance: Tolerance;
  refused: Refusals;
  /** The latest wait that an answer asked for; null or absent: none that is known. */
  asked?: Asked | null;
  /** Why the platform refused lately; cleared by a commit. */
  trouble: string | null;
  /** The finalizer's own state between slices. */
  finish: string | null;
  /** Committed parts that turned out not to be as they were committed; absent: none since the run was started. */
  unreadable?: readonly Unreadable[];
  /** The smoke stage's gate is open (or there is none). */
  smokePassed: boolean;
  /** The notice at the end: null before it, or when nobody is to be told. */
  notice: Notice | null;
}

/** The run in memory: the stored state, its tables, and what a restart may forget. */
export interface Run extends Tables {
  readonly state: RunState;
  /** Its share of a named target; null: it has its limits to itself. */
  readonly target: TargetShare | null;
  readonly activity: Activity;
  readonly dispatch: Dispatch;
  /** When each host was called last. */
  readonly hosts: HostBook;
  /** Places before the TAT that nobody was given yet. */
  readonly calendar: Calendar;
  /** Calls that wait for a permit with a cost of its own. */
  readonly costed: Costed;
  /** The last answer to each invocation, repeated for a repeated seq. */
  readonly answers: Map<string, SyncAnswer>;
  /** When plan, index and finish messages were last sent, and how long until they are sent again. */
  readonly errands: Map<Errand, { sentAtMs: number; repeatMs: number }>;
  /** What `reduce` made of all committed rows so far; null without one. Stored apart, with the part. */
  totals: Totals | null;
  /** When `unindexed` last fell, or last rose from 0. */
  indexedAtMs: number;
  /** What is known of calls that ended down. */
  readonly faults: FaultBook;
  /** Whether calls may leave now. */
  readonly hours: Hours;
  /** What lanes last said of a platform that refuses them; null once a part was committed since. */
  refusal: { readonly sentence: string; readonly atMs: number } | null;
}

/** What a run keeps outside its state document, and how many lanes an invocation holds at most. */
export interface Tables {
  readonly semaphore: Semaphore;
  readonly ledger: Ledger;
  readonly lanesPerInvocation: (maxParallelism: number) => number;
}

export type Errand = "plan" | "index" | "finish";

/** What a run is made from: as it was written down beside its rows, so that no key of it may change its name. */
export interface CreateRun {
  readonly runId: string;
  /** Top of the family of retries; the run's own id for a run that is not a retry. */
  readonly rootId: string;
  readonly parentRunId: string | null;
  readonly spec: Spec;
  /** Where items are read from: `spec.source`, or for a child the root's. */
  readonly itemSource: SourceSpec;
  /** Embedding process that drives the run; "" when deployed. */
  readonly generation: string;
  /** The schedule that starts it; absent for a run that none does. */
  readonly schedule?: string;
  readonly createdAtMs: number;
  /** What the task declares; left out: 0. */
  readonly lingerMs?: number;
  /** A retry run with items that the target refused before; left out: it has none. */
  readonly wasRefused?: boolean;
}

/** The state of a run that was just created; `nowMs` is the run clock. */
export function createState({ runId, ...input }: CreateRun, nowMs: number): RunState {
  const ramp = rampOf(input.spec, nowMs);
  return {
    ...input,
    id: runId,
    lingerMs: input.lingerMs ?? 0,
    settingsVersion: 1,
    status: "planning",
    reason: null,
    ending: "completed",
    deadlineMs: input.spec.deadline == null ? null : deadlineMs(input.spec.deadline, input.createdAtMs),
    startedAtMs: null,
    endedAtMs: null,
    plan: { cursor: null, complete: false },
    items: 0,
    counts: { done: 0, ok: 0, failed: 0, attempts: 0, throttled: 0 },
    chunks: { total: 0, done: 0 },
    partSeq: 0,
    unindexed: 0,
    nextFence: 1,
    starts: 1,
    coordinatorRequests: 0,
    operations: { queue: 0, object: 0, rowsWritten: 0, r2ClassA: 0, r2ClassB: 0, d1RowsWritten: 0 },
    usage: noRunUsage(),
    ramp,
    quota: createQuota(underRamp(ownQuota(input.spec), { state: { spec: input.spec, ramp } }), nowMs),
    tolerance: createTolerance(),
    refused: noRefusals(input.wasRefused),
    trouble: null,
    finish: null,
    smokePassed: input.spec.smoke === null,
    notice: null,
  };
}

function rampOf({ ramp }: Spec, nowMs: number): Ramp | null {
  return ramp == null ? null : createRamp(rampSettings(ramp), nowMs);
}

/** The ramp follows a report; another share is in force at once. */
export function climb(run: Run, seen: Report, nowMs: number): void {
  const { state } = run;
  if (state.ramp == null || state.spec.ramp == null) return;
  const { share } = state.ramp;
  state.ramp = observeRamp(state.ramp, rampSettings(state.spec.ramp), seen, nowMs);
  if (state.ramp.share !== share) limitAnew(run, nowMs);
}

/** The limits of the spec, under ramp and share. */
export function settingsInForce(run: Run): QuotaSettings {
  return underShare(underRamp(ownQuota(run.state.spec), run), run.target);
}

/** A run that has no share yet keeps its lanes: the target's answer decides. */
function shedLanes(run: Run): void {
  shedAbove(run.semaphore, run.target?.share == null ? lanesUnderRamp(run) : lanesAllowed(run));
}

/** Puts the limits in force that spec and ramp come to now. */
function limitAnew(run: Run, nowMs: number): void {
  const { state } = run;
  state.quota = configureQuota(state.quota, settingsInForce(run), nowMs);
  shedLanes(run);
}

/** The run around a new state. */
export function startRun(state: RunState, tables: Tables, nowMs: number): Run {
  return {
    state,
    target: createTargetShare(state.spec.quota?.target ?? null, issuedUntilMs(state), nowMs),
    ...tables,
    activity: createActivity(),
    dispatch: createDispatch(state.id),
    hosts: createHostBook(),
    calendar: createCalendar(),
    costed: createCosted(),
    answers: new Map(),
    errands: new Map(),
    totals: state.spec.reduce == null ? null : noTotals(state.spec.reduce),
    indexedAtMs: nowMs,
    faults: createFaultBook(),
    hours: createHours(state.spec.window ?? null),
    refusal: null,
  };
}

/**
 * The run around a stored state, after a restart: the limiter starts empty behind all it may have issued, stored
 * leases count as renewed now, and their invocations as live until they are not heard of.
 */
export function restartRun(state: RunState, tables: Tables, nowMs: number): Run {
  state.quota = restoreQuota(state.quota, nowMs);
  state.starts += 1;
  // A run that was stored before calls were counted.
  state.usage ??= noRunUsage();
  const run = startRun(state, tables, nowMs);
  forgetHosts(run.hosts, nowMs);
  renewAll(run.semaphore, nowMs);
  // A share of lanes that is smaller comes with the target's next answer.
  shedAbove(run.semaphore, lanesUnderRamp(run));
  for (const { invocation } of run.semaphore.live.values()) {
    seeInvocation(run.dispatch, { invocation, queue: 0, capacity: 1, nowMs });
  }
  return run;
}

/** True while lanes may call. */
export function isWorking(run: Run): boolean {
  return ["planning", "smoke", "running"].includes(run.state.status);
}

export type Outcome = { readonly kind: "ok" } | { readonly kind: "conflict"; readonly message: string };

const OK: Outcome = { kind: "ok" };

/** No new call; what is under way is committed. Pausing a paused run changes its reason and nothing else. */
export function pause(run: Run, reason: string): Outcome {
  if (isEnded(run.state.status)) return conflict(`the run has ended: ${run.state.status}`);
  if (run.state.status === "finishing")
    return conflict("the run is finishing: there is nothing left to pause");
  if (run.state.status === "awaiting-approval")
    return conflict("the run awaits approval: nothing is running");
  if (run.state.status === "paused") return OK;
  run.state.status = "paused";
  run.state.reason = reason;
  return OK;
}

/** Goes on, driven by `generation`; also continues a failed run. Resuming a running run is not a conflict. */
export function resume(run: Run, generation: string, nowMs: number): Outcome {
  const { state } = run;
  if (isEnded(state.status) && state.status !== "failed") {
    return conflict(`the run has ended: ${state.status}`);
  }
  drive(run, generation, nowMs);
  if (state.status === "awaiting-approval") return OK;
  if (state.status === "paused" || state.status === "failed") {
    state.status = workingStatus(state);
    state.notice = null;
    state.ending = "completed";
    state.endedAtMs = null;
    state.finish = null;
    // Whoever resumes may have put them back.
    state.unreadable = [];
    state.tolerance = createTolerance();
    state.refused = resumeRefusals(state.refused, state.parentRunId !== null);
  }
  state.reason = null;
  state.trouble = null;
  finishWhenDone(run);
  return OK;
}

/** Opens the gate of the smoke stage. */
export function approve(run: Run): Outcome {
  if (run.state.status !== "awaiting-approval")
    return conflict(`the run does not await approval: ${run.state.status}`);
  openGate(run);
  return OK;
}

/**
 * No new call; what is committed is kept and joined, then the run is `cancelled`. Joining calls no target, so
 * whoever cancels drives it to its end.
 */
export function cancel(run: Run, generation: string, nowMs: number): Outcome {
  if (run.state.status === "cancelled") return OK;
  if (isEnded(run.state.status)) return conflict(`the run has ended: ${run.state.status}`);
  if (run.state.status === "finishing" && run.state.ending !== "cancelled") {
    return conflict("the run is finishing: there is nothing left to cancel");
  }
  drive(run, generation, nowMs);
  finish(run, "cancelled", "cancelled");
  return OK;
}

/** The run cannot go on: committed rows are kept and joined, then it is `failed`. */
export function fail(run: Run, reason: string): void {
  if (isEnded(run.state.status) || run.state.status === "finishing") return;
  finish(run, "failed", reason);
}

/** Only the keys present change; null restores the default. */
export interface PatchRun {
  readonly quota?: Partial<QuotaSpec> | null;
  readonly share?: ShareSpec | null;
  readonly budget?: Partial<BudgetSpec> | null;
  readonly maxParallelism?: number | null;
  readonly window?: Partial<WindowSpec> | null;
  /** It begins anew with what is given. */
  readonly ramp?: Partial<RampSpec> | null;
  /** A duration counts from now. */
  readonly deadline?: string | null;
  readonly pacing?: Partial<PacingSpec> | null;
  readonly retry?: Partial<RetrySpec> | null;
  readonly tolerate?: Partial<TolerateSpec> | null;
}

type LimitDefaults = Pick<Spec, "maxParallelism" | "pacing" | "retry" | "tolerate">;

/** What null restores: a retry tolerates any share of failures. */
export function limitDefaults({ state }: Run): LimitDefaults {
  return state.parentRunId === null ? SPEC_DEFAULTS : { ...SPEC_DEFAULTS, tolerate: RETRY_TOLERATE };
}

/**
 * Changes limits of a run that has not ended. `defaults` fills what null restores; `wallMs`: the time of day.
 */
export function patch(
  run: Run,
  change: PatchRun,
  defaults: LimitDefaults,
  { nowMs, wallMs }: { readonly nowMs: number; readonly wallMs: number },
): Outcome {
  const { state } = run;
  if (isEnded(state.status)) return conflict(`the run has ended: ${state.status}`);
  const { target } = change.quota ?? {};
  if (target !== undefined && target !== (state.spec.quota?.target ?? null))
    return conflict("a run keeps the target that it was started with: quota.target cannot be changed");
  if (change.share != null && (state.spec.quota?.target ?? null) === null)
    return conflict("share needs quota.target, and this run has no target");
  const quota = mergeQuota(state.spec.quota, change.quota);
  if (quota === "incomplete")
    return conflict("the run has no quota yet: quota.requests or quota.tokens is needed");
  if (run.target !== null && state.spec.quota?.tokens != null && quota?.tokens == null)
    return conflict(
      "quota.tokens cannot be removed under a target, which may limit tokens: set another rate",
    );
  const budget = mergeBudget(state.spec.budget ?? null, change.budget);
  if (budget !== null && budget.dollars !== null && priceOf(state.spec) === null)
    return conflict("budget.dollars needs task.price, and this run's task has none");
  const window = mergeWindow(state.spec.window ?? null, change.window);
  if (window !== null && window.from === window.to)
    return conflict(`window.to must differ from window.from (${window.from}): a window of all hours is none`);
  const dueMs = change.deadline == null ? null : deadlineMs(change.deadline, wallMs);
  if (dueMs !== null && dueMs <= wallMs)
    return conflict(`deadline must lie in the future: it is ${new Date(wallMs).toISOString()}`);
  const retry = merge(state.spec.retry, change.retry, defaults.retry);
  if (retry.maxDelayMs < retry.baseDelayMs)
    return conflict(
      `retry.maxDelayMs (${retry.maxDelayMs}) must not be below retry.baseDelayMs (${retry.baseDelayMs})`,
    );
  state.spec = {
    ...state.spec,
    quota,
    ...(change.share !== undefined && { share: change.share }),
    budget,
    window,
    ...(change.ramp !== undefined && {
      ramp: change.ramp === null ? null : { ...RAMP_DEFAULTS, ...state.spec.ramp, ...change.ramp },
    }),
    ...(change.deadline !== undefined && { deadline: change.deadline }),
    maxParallelism:
      change.maxParallelism === undefined
        ? state.spec.maxParallelism
        : (change.maxParallelism ?? defaults.maxParallelism),
    pacing: merge(state.spec.pacing, change.pacing, defaults.pacing),
    retry,
    tolerate: merge(state.spec.tolerate, change.tolerate, defaults.tolerate),
  };
  state.settingsVersion += 1;
  if (change.ramp !== undefined) state.ramp = rampOf(state.spec, nowMs);
  if (change.deadline !== undefined) state.deadlineMs = dueMs;
  // What was given out may lie beyond the end of the new hours.
  if (change.window !== undefined) state.quota = forfeitIssued(state.quota);
  // Items that wait for longer than any wait may be from now on are due earlier.
  if (change.retry !== undefined) {
    const toMs = nowMs + longestWaitMs(retry);
    bringForward(run.ledger, toMs);
    state.asked = shorten(state.asked ?? null, toMs);
  }
  if (change.quota !== undefined || change.ramp !== undefined) limitAnew(run, nowMs);
  else shedLanes(run);
  return OK;
}

/** Adds planned chunks. `at` must be the number of chunks there are: a repeated call changes nothing. */
export function addChunks(
  run: Run,
  input: { readonly at: number; readonly chunks: readonly ChunkPlan[]; readonly cursor: string | null },
): void {
  const { state } = run;
  if (state.plan.complete || isEnded(state.status) || input.at !== state.chunks.total) return;
  for (const plan of input.chunks) {
    run.ledger.put(newChunk(state.chunks.total, plan));
    state.chunks.total += 1;
    state.items += plan.count;
  }
  state.plan = { cursor: input.cursor, complete: input.cursor === null };
  if (!state.plan.complete) return;
  if (state.status === "planning") state.status = workingStatus(state);
  judgeSmoke(run);
  finishWhenDone(run);
}

/** Failures of these parts are in D1; repeats count once. */
export function markIndexed(
  run: Run,
  parts: readonly { readonly chunk: number; readonly n: number }[],
  nowMs: number,
): void {
  for (const part of parts) {
    if (!run.ledger.markIndexed(part.chunk, part.n)) continue;
    run.state.unindexed -= 1;
    run.indexedAtMs = nowMs;
    run.errands.delete("index");
  }
}

/** Moves a run whose every chunk is done to `finishing`. */
export function finishWhenDone(run: Run): void {
  const { state } = run;
  if (!state.plan.complete || state.chunks.done < state.chunks.total) return;
  if (isWorking(run)) finish(run, "completed", null);
}

/** The parts are joined: the end state. Repeats change nothing. */
export function finished(run: Run, wallMs: number): void {
  const { state } = run;
  if (state.status !== "finishing") return;
  assert(run.semaphore.live.size === 0, "a run ends without live leases");
  state.status = endStatus(state);
  state.endedAtMs = wallMs;
  state.finish = null;
  // What could not be read for a while was read by the join.
  if (state.ending === "completed") state.unreadable = [];
  if (state.spec.onComplete !== null) state.notice = startNotice();
}

/** Committed parts cannot be read. Work goes on, and a join leaves them out, but its end is `failed`. */
export function foundUnreadable(run: Run, parts: readonly Unreadable[]): void {
  const { state } = run;
  state.unreadable = withUnreadable(state.unreadable ?? [], parts);
  if (state.status !== "finishing") return;
  state.ending = "failed";
  state.reason = whyUnreadable(state.unreadable);
}

/** Calls per second to one host; null: hosts are not told apart. */
export function hostPerSecond(spec: Spec): number | null {
  if (spec.quota?.perHost == null) return null;
  const rate = parseRate(spec.quota.perHost);
  assert(rate.kind === "ok", "a stored rate was checked when it was accepted");
  return rate.perSecond;
}

/** The configured rate in calls per second; null without a quota. */
export function configuredPerSecond(spec: Spec): number | null {
  return spec.quota === null ? null : storedRate(spec.quota.requests);
}

/** The configured rate in tokens per second; null where tokens are not limited. */
export function configuredTokensPerSecond(spec: Spec): number | null {
  return storedRate(spec.quota?.tokens ?? null);
}

function storedRate(text: string | null): number | null {
  if (text === null) return null;
  const rate = parseRate(text);
  assert(rate.kind === "ok", "a stored rate was checked when it was accepted");
  return rate.perSecond;
}

function workingStatus(state: RunState): RunStatus {
  if (!state.plan.complete) return "planning";
  return state.smokePassed ? "running" : "smoke";
}

/** The limits that the spec itself states. */
export function ownQuota(spec: Spec): QuotaSettings {
  const perSecond = configuredTokensPerSecond(spec);
  const tokens: TokenSettings | null =
    perSecond === null ? null : { perSecond, burst: spec.quota?.tokenBurst ?? null };
  const requests = { ratePerSecond: configuredPerSecond(spec), burst: spec.quota?.burst ?? null };
  return tokens === null ? requests : { ...requests, tokens };
}

function finish(run: Run, ending: RunState["ending"], reason: string | null): void {
  run.state.status = "finishing";
  run.state.ending = ending;
  run.state.reason = reason;
  run.state.finish = null;
}

function endStatus(state: RunState): RunStatus {
  if (state.ending !== "completed") return state.ending;
  return state.counts.failed > 0 ? "completed-with-failures" : "completed";
}

function mergeQuota(
  current: QuotaSpec | null,
  change: Partial<QuotaSpec> | null | undefined,
): QuotaSpec | null | "incomplete" {
  if (change === undefined) return current;
  const target = current?.target ?? null;
  if (change === null) return target === null ? null : { target, requests: null, burst: null };
  const merged: QuotaSpec = {
    ...(target !== null && { target }),
    requests: change.requests === undefined ? (current?.requests ?? null) : change.requests,
    burst: change.burst === undefined ? (current?.burst ?? null) : change.burst,
    perHost: change.perHost === undefined ? (current?.perHost ?? null) : change.perHost,
    tokens: change.tokens === undefined ? (current?.tokens ?? null) : change.tokens,
    tokenBurst: change.tokenBurst === undefined ? (current?.tokenBurst ?? null) : change.tokenBurst,
  };
  if (target !== null || merged.requests !== null || merged.tokens != null) return merged;
  // Taking away the last limit takes away the quota; a burst alone is none.
  return change.requests === null || change.tokens === null ? null : "incomplete";
}

function mergeBudget(
  current: BudgetSpec | null,
  change: Partial<BudgetSpec> | null | undefined,
): BudgetSpec | null {
  if (change === undefined) return current;
  const none: BudgetSpec = { tokens: null, calls: null, dollars: null };
  const merged = change === null ? none : { ...none, ...current, ...change };
  return merged.tokens === null && merged.calls === null && merged.dollars === null ? null : merged;
}

function mergeWindow(
  current: WindowSpec | null,
  change: Partial<WindowSpec> | null | undefined,
): WindowSpec | null {
  if (change === undefined) return current;
  return change === null ? null : { ...WINDOW_DEFAULTS, ...current, ...change };
}

function merge<T extends object>(current: T, change: Partial<T> | null | undefined, defaults: T): T {
  if (change === undefined) return current;
  if (change === null) return defaults;
  const merged: T = { ...current };
  for (const key of Object.keys(change) as (keyof T)[]) merged[key] = change[key] ?? defaults[key];
  return merged;
}

function conflict(message: string): Outcome {
  return { kind: "conflict", message };
}
