/**
 * What each run holds of a target, as an upper bound: the sum over all runs is what is given out.
 *
 * A run holds the share that it said is in force, the one last sent to it (the answer may have arrived or not), and for
 * a while what instants issued under an earlier share still take: its *tail*, which the run itself reports, because only
 * it knows. All of that ends with the lease, the tail when its time is over.
 */
import type { Amounts, Dimension, Limits, TargetAsk, Want } from "./targetProtocol.ts";
import { DIMENSIONS } from "./targetProtocol.ts";

export interface Holder {
  readonly run: string;
  generation: string;
  seq: number;
  weight: number;
  wants: { readonly [D in Dimension]: Want };
  /** In force, as the run last said. */
  held: Limits;
  /** Last sent. */
  given: Limits;
  tail: Amounts & { readonly untilMs: number };
  /** The rates' lease is over then, target clock. */
  untilMs: number;
  /** The lanes' lease is over then: lanes live longer than permits, when their run is gone. */
  lanesUntilMs: number;
  /** How long the outside system may be busy for a lane whose process is gone. */
  lingerMs: number;
  /** Since when it waits for a share that comes back from others; null: it does not. */
  waitsSinceMs: number | null;
}

export const NONE: Amounts = { perSecond: 0, tokensPerSecond: 0, lanes: 0 };

/** A holder of nothing. */
export function newHolder({ run, generation, weight, wants, lingerMs }: TargetAsk): Holder {
  return {
    run,
    generation,
    seq: -1,
    weight,
    wants,
    held: NONE,
    given: NONE,
    tail: { ...NONE, untilMs: 0 },
    untilMs: 0,
    lanesUntilMs: 0,
    lingerMs,
    waitsSinceMs: null,
  };
}

/** The most that the holder may be using; infinite where it was given a dimension without a limit. */
export function holdingOf(holder: Holder, dimension: Dimension, nowMs: number): number {
  const untilMs = dimension === "lanes" ? holder.lanesUntilMs : holder.untilMs;
  const leased =
    nowMs < untilMs ? Math.max(amount(holder.held[dimension]), amount(holder.given[dimension])) : 0;
  return nowMs < holder.tail.untilMs ? Math.max(leased, holder.tail[dimension]) : leased;
}

/** What all of them may be using together; `except`: one that is left out. */
export function heldByAll(
  holders: Iterable<Holder>,
  dimension: Dimension,
  nowMs: number,
  except: string | null = null,
): number {
  let sum = 0;
  for (const holder of holders) if (holder.run !== except) sum += holdingOf(holder, dimension, nowMs);
  return sum;
}

/** Its lease is over, and nothing of it can be in use any more. */
export function isOver(holder: Holder, nowMs: number): boolean {
  return (
    nowMs >= holder.untilMs && DIMENSIONS.every((dimension) => holdingOf(holder, dimension, nowMs) === 0)
  );
}

/** It lives and wants something, so it is one of those who share. */
export function isActive({ wants, untilMs }: Holder, nowMs: number): boolean {
  return nowMs < untilMs && DIMENSIONS.some((dimension) => wants[dimension].want !== 0);
}

function amount(limit: number | null): number {
  return limit ?? Number.POSITIVE_INFINITY;
}
