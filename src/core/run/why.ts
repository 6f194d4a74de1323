/** Why a run is where it is: one sentence, always, in words that say what would change it. */

import { hostsCalled } from "../limiter/hostQuota.ts";
import { effectiveRate } from "../limiter/quota.ts";
import { describeRate } from "../limiter/rate.ts";
import { tokenRate } from "../limiter/tokenQuota.ts";
import { OFFER_REPEAT_MS } from "../limits.ts";
import { pace } from "../plan/estimate.ts";
import { counted, number, seconds } from "../sentence.ts";
import { callTimeMs, currentPerSecond } from "./activity.ts";
import { keepHours, openForMs } from "./hours.ts";
import { itemsRetrying } from "./lastFault.ts";
import { whyRamping } from "./rampCap.ts";
import { refusedInARow } from "./refusals.ts";
import { configuredPerSecond, configuredTokensPerSecond, hostPerSecond, type Run } from "./run.ts";
import { isEnded } from "./runView.ts";
import { limitPerSecondOf, smaller } from "./targetShare.ts";
import { whyShut, whyThrottled, whyWaiting } from "./waiting.ts";
import { retryNote, whyDown } from "./whyDown.ts";
import { whyShared, whyShareless } from "./whyShared.ts";
import { whyUnreadable } from "./whyUnreadable.ts";

/** Lanes that insist say so with every try, the last ones 5 s apart: after this it is not news any more. */
const REFUSAL_TOLD_MS = 10_000;

export interface Reader {
  readonly nowMs: number;
  readonly wallMs: number;
  /** False when no process drives the run (embedded, after its process has gone). */
  readonly driven: boolean;
}

export function why(run: Run, reader: Reader): string {
  const { state } = run;
  keepHours(run, reader.nowMs, reader.wallMs);
  if (isEnded(state.status)) return whyEnded(run);
  const resume = `weir run --resume ${state.id} goes on`;
  if (state.status === "paused") {
    const paused = `paused: ${state.reason ?? "by request"}`;
    return reader.driven ? paused : `${paused}; ${resume}`;
  }
  if (!reader.driven) return `no process works on it: ${resume}`;
  if (state.status === "awaiting-approval") return state.reason ?? "smoke stage done; approve to go on";
  if (state.status === "finishing") return whyFinishing(run, reader.nowMs);
  const mayCall = state.chunks.total > 0 && openForMs(run, reader.nowMs) > 0;
  const held = (mayCall ? whyShareless(run, reader) : null) ?? whyBlocked(run, reader);
  if (held !== null) return held;
  const lost = whyUnreadable(state.unreadable ?? []);
  const working = `${whyHosts(run, reader) ?? whyRetrying(run) ?? whySlow(run, reader)}${retryNote(run, reader.nowMs)}`;
  return lost === null ? working : `${working}; ${lost}`;
}

function whyEnded(run: Run): string {
  const { counts, status, reason } = run.state;
  if (status === "completed") return `all ${counted(counts.done, "item")} are done`;
  if (status === "completed-with-failures") {
    return `${counted(counts.failed, "item")} of ${number(counts.done)} failed`;
  }
  if (status === "cancelled")
    return `cancelled with ${number(counts.done)} of ${counted(run.state.items, "item")} done`;
  return reason ?? "failed";
}

function whyFinishing(run: Run, nowMs: number): string {
  const { state } = run;
  const ending = state.ending === "completed" ? "" : `${state.reason ?? state.ending}: `;
  const lanes = run.semaphore.live.size;
  if (lanes > 0)
    return `${ending}${counted(lanes, "lane")} finishing ${lanes === 1 ? "its call" : "their calls"}`;
  if (state.unindexed > 0) return `${ending}${whyUnindexed(run, nowMs)}`;
  return `${ending}joining ${counted(state.partSeq, "part")} into results.jsonl`;
}

/** An errand that had to be repeated got nothing done: D1 is away. */
function whyUnindexed(run: Run, nowMs: number): string {
  const parts = counted(run.state.unindexed, "part");
  const errand = run.errands.get("index");
  if (errand === undefined || errand.repeatMs <= OFFER_REPEAT_MS)
    return `writing the failures of ${parts} to D1`;
  const nextMs = Math.max(0, errand.sentAtMs + errand.repeatMs - nowMs);
  return `waiting for D1, which does not take the failures of ${parts}: next try in ${seconds(nextMs)}`;
}

/** Every item that is left failed before: neither quota nor lanes hold them. */
function whyRetrying(run: Run): string | null {
  const { plan, items, counts } = run.state;
  const left = items - counts.done;
  if (!plan.complete || left === 0 || itemsRetrying(run) < left) return null;
  return left === 1
    ? "the last item waits for its next try"
    : "the items that are left wait for their next tries";
}

/** Something other than pace and quota holds the run. */
function whyBlocked(run: Run, reader: Reader): string | null {
  const { state } = run;
  if (state.chunks.total === 0) return "planning: reading the source";
  if (openForMs(run, reader.nowMs) === 0) return whyShut(run, reader);
  if (state.status === "smoke" && run.semaphore.live.size > 0) {
    const { items = 1 } = state.spec.smoke ?? {};
    return `smoke stage: the first ${items === 1 ? "item goes" : `${number(items)} items go`} alone`;
  }
  const lingering = lingersForMs(run, reader.nowMs);
  if (lingering !== null) {
    return `waiting ${seconds(lingering)}: the former process may still keep the target busy`;
  }
  const down = whyDown(run, reader.nowMs);
  if (down !== null) return down;
  const { open } = state.quota.circuit;
  if (open !== null) return whyThrottled(run, reader);
  const refused = refusedInARow(state.refused);
  if (refused !== null) return refused;
  if (run.refusal !== null && reader.nowMs - run.refusal.atMs < REFUSAL_TOLD_MS) {
    return `${run.refusal.sentence}; the lanes wait and try again`;
  }
  if (run.semaphore.live.size > 0) {
    return state.trouble === null ? null : `${state.trouble}; its chunk is tried again`;
  }
  if (run.ledger.nextAvailable(reader.nowMs, true) !== undefined) return "waiting for a lane to start";
  const next = run.ledger.nextAvailableAtMs();
  if (next === null) return null;
  return `${whyWaiting(run, next, reader)}${retryNote(run, reader.nowMs)}`;
}

/** How long until the next slot is free, when former processes hold all that are taken; else null. */
function lingersForMs({ semaphore, state }: Run, nowMs: number): number | null {
  const leases = [...semaphore.live.values()];
  if (leases.length === 0 || leases.some((lease) => lease.generation === state.generation)) return null;
  return Math.min(...leases.map((lease) => lease.expiresAtMs)) - nowMs;
}

/** So long a host counts among those that are called. */
const HOST_LATELY_MS = 5000;

/** The hosts' own rates hold the run, more than the quota or the lanes do. */
function whyHosts(run: Run, reader: Reader): string | null {
  const perHost = hostPerSecond(run.state.spec);
  if (perHost === null) return null;
  const hosts = hostsCalled(run.hosts, reader.nowMs, HOST_LATELY_MS + 1000 / perHost);
  const configured = configuredPerSecond(run.state.spec);
  const { perSecond } = pace({
    ratePerSecond: effectiveRate(run.state.quota) ?? configured,
    lanes: run.semaphore.live.size,
    callMs: callTimeMs(run.activity),
  });
  if (hosts === 0 || hosts * perHost > perSecond) return null;
  return `hosts: ${counted(hosts, "host")} at ${describeRate(perHost)} each; quota.perHost is the limit`;
}

/** Null where tokens are not what limits: lanes are free, or no tokens are counted. */
function whyTokens(run: Run, reader: Reader): string | null {
  const { spec, quota } = run.state;
  const configured = configuredTokensPerSecond(spec);
  const tokens = quota.tokens ?? null;
  if (configured === null || tokens === null) return null;
  const [amount, unit] = (spec.quota?.tokens ?? "").split("/");
  const rate = `${number(Number(amount))} tokens/${unit?.trim()}`;
  if (tokenRate(tokens) < tokens.settings.perSecond) {
    const share = Math.floor((100 * tokenRate(tokens)) / configured);
    return `throttled by the target: calling at ${share} % of ${rate} and growing`;
  }
  const isRequests = effectiveRate(quota) !== null && quota.tat.tatMs >= tokens.tat.tatMs;
  return !isRequests && tokens.tat.tatMs > reader.nowMs ? `quota: ${rate} are the limit` : null;
}

/** Calls per second of its own limit or its share, whichever is smaller, with all steps of a ramp taken. */
export function fullPerSecond({ state, target }: Run): number | null {
  return smaller(configuredPerSecond(state.spec), target?.share?.perSecond || null);
}

function whySlow(run: Run, reader: Reader): string {
  const byTokens = whyTokens(run, reader);
  const configured = fullPerSecond(run);
  const ramping = whyRamping(run, configuredPerSecond(run.state.spec), reader.nowMs);
  if (byTokens !== null) return ramping === null ? byTokens : `${byTokens}; ${ramping}`;
  const { minIntervalMs, jitterMs } = run.state.spec.pacing;
  const callMs = Math.max(callTimeMs(run.activity), minIntervalMs + jitterMs / 2);
  const lanes = run.semaphore.live.size;
  const expected = pace({ ratePerSecond: configured, lanes, callMs });
  const giving = `${counted(lanes, "lane")} × ${Math.round(callMs)} ms`;
  const effective = effectiveRate(run.state.quota);
  if (effective !== null && effective < (limitPerSecondOf(run) ?? Number.POSITIVE_INFINITY)) {
    const of = configured === null ? "" : ` of ${number(configured)}/s`;
    const also = ramping === null ? "" : `; ${ramping}`;
    return `throttled by the target: calling at ${number(effective)}/s${of} and growing${also}`;
  }
  if (ramping !== null) return [whyShared(run), ramping].filter((one) => one !== null).join("; ");
  if (run.activity.callMs === null && expected.limitedBy === "lanes") return "the first calls are under way";
  if (configured === null) {
    const quota =
      configuredTokensPerSecond(run.state.spec) === null
        ? "no quota is set"
        : "the quota of tokens is not reached";
    return `lanes: ${giving} ${given(run, expected.perSecond, reader)}; ${quota}`;
  }
  if (expected.limitedBy === "quota") return whyShared(run) ?? `quota: ${number(configured)}/s is the limit`;
  return (
    `lanes: ${giving} ${given(run, expected.perSecond, reader)}; ` +
    `${expected.lanesForQuota} lanes would reach the quota`
  );
}

/** With less than this share of what the lanes could give, both are said. */
const GIVEN_LEAST = 0.75;

/** What lanes give, and what of that is there: some wait for items under retry, or all for a busy machine. */
function given({ activity }: Run, perSecond: number, { nowMs }: Reader): string {
  const current = currentPerSecond(activity, nowMs);
  if (current >= GIVEN_LEAST * perSecond) return `give ${number(perSecond)}/s`;
  return `could give ${number(perSecond)}/s, now ${number(current)}/s`;
}
