/**
 * The token dimension of a quota: a limiter (`gcra.ts`) whose permits cost what their calls will probably use, settled
 * when it is known what they did use.
 *
 * A call *reserves* its input (counted) and its output (the 95th percentile of those seen, at most what it asks for).
 * Settled with the target's own count, a call that used less leaves *credit*: later calls are charged less, the TAT
 * never moves back. One that used more is charged the rest. A call that never reports keeps its reservation.
 *
 * Invariant: in any window W the calls that leave use at most
 * `rate × W + one reservation + credit at most + what calls in flight at its start had reserved too much` tokens
 * (and what any of them used beyond its reservation, which is charged later). The credit is at most the larger of
 * `TOKEN_CREDIT_MS` of the rate and one reservation; where the target's burst is told, what it leaves beside one
 * reservation. Even while credit is spent a call keeps a tenth of its distance to the next.
 *
 * What the target says of its own ledger (`x-ratelimit-remaining-tokens`) only ever slows down: others may share it.
 */

import {
  TOKEN_BURST_MS,
  TOKEN_CREDIT_MS,
  TOKEN_CREDIT_SHARE,
  TOKEN_TOLD_MAX_MS,
  UNKNOWN_OUTPUT_TOKENS,
} from "../limits.ts";
import type { Report, SettledCall, Told } from "../protocol.ts";
import { type Feedback, learn, measureAnew, startFeedback } from "./feedback.ts";
import { type Dimension, emissionIntervalMs, emptyTat, retime, roundUp, type Tat } from "./gcra.ts";
import { expectedOutput, type Outputs, observeOutput } from "./outputs.ts";

export interface TokenSettings {
  readonly perSecond: number;
  /** Tokens that the target tolerates at once; null when not said. */
  readonly burst: number | null;
}

export interface TokenQuota {
  readonly settings: TokenSettings;
  readonly tat: Tat;
  /** Tokens that were reserved and not used: the next calls are charged less. */
  readonly credit: number;
  /** The share of the rate in force: a rate of 1 is all of it. */
  readonly feedback: Feedback;
  readonly outputs: Outputs;
  /** Mean tokens of a settled call, over about the last 20; null before the first. */
  readonly meanTokens: number | null;
  readonly told: { readonly remaining: number; readonly atMs: number } | null;
}

/** A call's tokens before it is made. */
export interface TokenCost {
  readonly input: number;
  /** The longest answer it asks for; null when it does not say. */
  readonly output: number | null;
}

const ALL = 1;
const MEAN_OVER_CALLS = 20;

export function createTokenQuota(settings: TokenSettings, nowMs: number): TokenQuota {
  return {
    settings,
    tat: emptyTat(nowMs),
    credit: 0,
    feedback: startFeedback({ perSecond: ALL }, nowMs),
    outputs: [],
    meanTokens: null,
    told: null,
  };
}

/** Other settings, at once: what was learnt of answers stays. */
export function configureTokens(before: TokenQuota, settings: TokenSettings, nowMs: number): TokenQuota {
  const { perSecond } = settings;
  const changed = { ...before, settings };
  if (perSecond === before.settings.perSecond) return changed;
  return withInterval(before, { ...changed, feedback: startFeedback({ perSecond: ALL }, nowMs), told: null });
}

/** After a restart of the Run: credit is forgotten, what was issued is not. */
export function restoreTokens(stored: TokenQuota, nowMs: number): TokenQuota {
  return { ...stored, credit: 0, told: null, feedback: measureAnew(stored.feedback, nowMs) };
}

/** The clock leapt: what lay ahead of it lies as far ahead of where it is now. */
export function leapTokens(tokens: TokenQuota, fromMs: number, nowMs: number): TokenQuota {
  const aheadMs = tokens.tat.tatMs - fromMs;
  if (aheadMs <= 0) return tokens;
  return { ...tokens, tat: { ...tokens.tat, ...emptyTat(Math.max(tokens.tat.tatMs, nowMs + aheadMs)) } };
}

/** Throttled answers lower the share of the rate, and time without them raises it, as with requests. */
export function observeTokens(
  tokens: TokenQuota,
  report: Report,
  at: { readonly nowMs: number; readonly epoch: number },
): TokenQuota {
  const { feedback } = learn(tokens.feedback, report, { ...at, configured: { perSecond: ALL } });
  return withInterval(tokens, { ...tokens, feedback });
}

/** Tokens per second in force. */
export function tokenRate({ settings, feedback }: TokenQuota): number {
  return settings.perSecond * (feedback.ratePerSecond ?? ALL);
}

/** What a call reserves. */
export function reservationOf(tokens: TokenQuota | null, cost: TokenCost): number {
  const learnt = tokens === null ? null : expectedOutput(tokens.outputs);
  const asked = cost.output ?? Number.POSITIVE_INFINITY;
  const guess = learnt ?? cost.output ?? UNKNOWN_OUTPUT_TOKENS;
  return cost.input + Math.min(asked, guess);
}

/** The most one call may reserve: what the target tolerates at once, or what a minute brings. */
export function mostPerCall({ settings }: TokenQuota): number {
  return settings.burst ?? Math.floor((settings.perSecond * TOKEN_BURST_MS) / 1000);
}

/** The limiter's dimension for a call that reserves `cost` tokens. */
export function tokenDimension(tokens: TokenQuota, cost: number): Dimension {
  const intervalMs = emissionIntervalMs(tokenRate(tokens));
  return { ...tokens.tat, intervalMs, cost: cost - creditFor(tokens, cost), burst: null };
}

/** No instant before this for a call of `cost`, by what the target said of its own ledger; null: any. */
export function tokensNotBeforeMs(tokens: TokenQuota, cost: number): number | null {
  if (tokens.told === null) return null;
  const { remaining, atMs } = tokens.told;
  const missing = cost - remaining;
  if (missing <= 0) return null;
  return atMs + Math.min(TOKEN_TOLD_MAX_MS, (missing * 1000) / tokenRate(tokens));
}

/** A permit of `cost` was issued: `tat` is its dimension's new one. */
export function issueTokens(tokens: TokenQuota, cost: number, tat: Tat): TokenQuota {
  const { told } = tokens;
  return {
    ...tokens,
    tat,
    credit: Math.min(tokens.credit, creditMost(tokens, cost)) - creditFor(tokens, cost),
    told: told === null ? null : { ...told, remaining: told.remaining - cost },
  };
}

/** A call is over. Without a count of its own its reservation stands. */
export function settleTokens(tokens: TokenQuota, call: SettledCall): TokenQuota {
  if (call.usage === null) return call.unused === true ? give(tokens, call.reserved, call.reserved) : tokens;
  const { inputTokens, outputTokens } = call.usage;
  const used = inputTokens + outputTokens;
  const mean = tokens.meanTokens ?? used;
  const learnt = {
    ...tokens,
    outputs: observeOutput(tokens.outputs, outputTokens),
    meanTokens: mean + (used - mean) / MEAN_OVER_CALLS,
  };
  const over = used - call.reserved;
  return over <= 0 ? give(learnt, -over, call.reserved) : charge(learnt, over);
}

/** What the target says is left. It is not believed to have more than that, and what is said later replaces it. */
export function hearTokens(tokens: TokenQuota, told: Told, nowMs: number): TokenQuota {
  if (told.tokensRemaining === null) return tokens;
  return { ...tokens, told: { remaining: told.tokensRemaining, atMs: nowMs } };
}

function give(tokens: TokenQuota, amount: number, reserved: number): TokenQuota {
  return { ...tokens, credit: Math.min(tokens.credit + amount, creditMost(tokens, reserved)) };
}

/** Credit goes first, the rest pushes the next permit away. */
function charge(tokens: TokenQuota, amount: number): TokenQuota {
  const paid = Math.min(tokens.credit, amount);
  const { tatMs, gapMs } = tokens.tat;
  const pushMs = roundUp((amount - paid) * emissionIntervalMs(tokenRate(tokens)));
  return { ...tokens, credit: tokens.credit - paid, tat: { tatMs: tatMs + pushMs, gapMs: gapMs + pushMs } };
}

function creditFor(tokens: TokenQuota, cost: number): number {
  return Math.min(tokens.credit, creditMost(tokens, cost), cost * TOKEN_CREDIT_SHARE);
}

function creditMost({ settings }: TokenQuota, cost: number): number {
  if (settings.burst !== null) return Math.max(0, settings.burst - cost);
  return Math.max(cost, (settings.perSecond * TOKEN_CREDIT_MS) / 1000);
}

/** The gap behind the last permit follows the rate in force. */
function withInterval(from: TokenQuota, to: TokenQuota): TokenQuota {
  const before = tokenRate(from);
  const after = tokenRate(to);
  if (before === after) return to;
  const change = { fromMs: emissionIntervalMs(before), toMs: emissionIntervalMs(after) };
  return { ...to, tat: retime(to.tat, change) };
}
