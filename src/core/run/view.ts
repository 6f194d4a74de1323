/** The run as users see it, made from the state: `RunView` of the REST contract. */

import { itemsPerCall } from "../batch.ts";
import { effectiveRate } from "../limiter/quota.ts";
import { shortTotals } from "../reduce/reduce.ts";
import { isoOrNull } from "../time.ts";
import { dollarsAtMost, dollarsOf, priceOf, tokensOf } from "../usage.ts";
import { doneAtMs } from "../window/openTime.ts";
import { currentPerSecond } from "./activity.ts";
import { deadlineNote, judgeDeadline } from "./deadline.ts";
import { foreseenPerSecond } from "./forecast.ts";
import { keepHours, openForMs } from "./hours.ts";
import { itemsRetrying } from "./lastFault.ts";
import { afterRampMs, rampView } from "./rampCap.ts";
import { configuredPerSecond, isWorking, type Run } from "./run.ts";
import type { RunView } from "./runView.ts";
import { lanesAllowed } from "./targetShare.ts";
import { remainingMs } from "./waiting.ts";
import { fullPerSecond, type Reader, why } from "./why.ts";
import { whyUnreadable } from "./whyUnreadable.ts";

export function view(run: Run, reader: Reader): RunView {
  const { state, target } = run;
  keepHours(run, reader.nowMs, reader.wallMs);
  const limitPerSecond = fullPerSecond(run);
  const perSecond = isWorking(run) && reader.driven ? currentPerSecond(run.activity, reader.nowMs) : 0;
  const doneMs = etaMs(run, perSecond, reader);
  const deadline = judgeDeadline(run, doneMs, reader);
  // Leases of a process that is gone are nobody's work.
  const live = reader.driven ? run.semaphore.live.size : 0;
  return {
    id: state.id,
    name: state.spec.name,
    status: state.status,
    why: `${why(run, reader)}${deadlineNote(run, deadline, reader.wallMs)}`,
    spec: state.spec,
    createdAt: new Date(state.createdAtMs).toISOString(),
    startedAt: isoOrNull(state.startedAtMs),
    endedAt: isoOrNull(state.endedAtMs),
    parentRunId: state.parentRunId,
    eta: isoOrNull(doneMs),
    ramp: rampView(run, configuredPerSecond(state.spec), reader),
    deadline,
    counts: {
      items: state.plan.complete ? state.items : null,
      ...state.counts,
      calls: state.usage.spent.calls,
    },
    chunks: chunksOf(run, reader),
    lanes: { live, max: target?.share == null ? state.spec.maxParallelism : lanesAllowed(run) },
    rate: {
      limitPerSecond,
      effectiveLimitPerSecond: effectiveRate(state.quota) ?? limitPerSecond,
      currentPerSecond: Math.round(perSecond * 10) / 10,
    },
    totals:
      run.totals === null || state.spec.reduce === null ? null : shortTotals(state.spec.reduce, run.totals),
    usage: usageOf(run),
    fault: faultOf(run, reader),
    onComplete: noticeOf(run),
    ...unreadableOf(run),
    coordinatorRequests: state.coordinatorRequests,
    operations: state.operations,
  };
}

/** Every chunk is counted once. A lease that helps has none of its own, one that lingers may hold one that is done. */
function chunksOf({ state, semaphore, ledger }: Run, reader: Reader): RunView["chunks"] {
  const { total, done } = state.chunks;
  const worked = new Set<number>();
  for (const { chunk, helps } of reader.driven ? semaphore.live.values() : []) {
    const isDone = state.lingerMs > 0 && ledger.get(chunk)?.state === "done";
    if (helps === null && !isDone) worked.add(chunk);
  }
  return { total, done, active: worked.size, pending: total - done - worked.size };
}

/** When it will be done, as far as can be told; milliseconds since 1970. */
function etaMs(run: Run, perSecond: number, reader: Reader): number | null {
  const { state } = run;
  if (!isWorking(run) || !state.plan.complete) return null;
  const carried = itemsPerCall(state.spec);
  const left = state.items - state.counts.done;
  // Outside its hours nothing goes: what counts is how fast it will.
  const isShut = openForMs(run, reader.nowMs) === 0;
  const pacePerSecond = isShut ? foreseenPerSecond(run) : perSecond;
  const remaining = { left, perSecond: (pacePerSecond ?? 0) * carried, itemsPerCall: carried };
  const ms = remainingMs(run, remaining, reader.nowMs);
  if (ms === null) return null;
  return doneAtMs(state.spec.window ?? null, reader.wallMs, afterRampMs(run, ms));
}

function usageOf(run: Run): RunView["usage"] {
  const { usage, spec } = run.state;
  const { rows, spent } = usage;
  if (tokensOf(spent) + spent.unreportedTokens === 0 && spec.budget == null) return null;
  const price = priceOf(spec);
  if (price === null) return { rows: { ...rows, dollars: null }, spent: { ...spent, dollars: null } };
  const unknown = dollarsAtMost(spent.unreportedTokens, price);
  return {
    rows: { ...rows, dollars: dollarsOf(rows, price) },
    spent: { ...spent, dollars: dollarsOf(spent, price) + unknown },
  };
}

function faultOf(run: Run, { nowMs, wallMs }: Reader): RunView["fault"] {
  const { last } = run.faults;
  if (last === null) return null;
  const at = new Date(wallMs - (nowMs - last.atMs)).toISOString();
  return { message: last.message, status: last.status ?? null, at, retrying: itemsRetrying(run) };
}

function unreadableOf({ state }: Run): Pick<RunView, "unreadable"> {
  const unreadable = whyUnreadable(state.unreadable ?? []);
  return unreadable === null ? {} : { unreadable };
}

function noticeOf(run: Run): RunView["onComplete"] {
  if (run.state.notice === null) return null;
  const { dueAtMs: _, ...shown } = run.state.notice;
  return shown;
}
