/**
 * Weighted max-min fair shares (Bertsekas & Gallager, "Data Networks", 1992, section 6.5.2: water filling).
 *
 * Nobody gets more than it wants while another one, measured by its weight, gets less than it wants. What is left when
 * all wants are met goes to everybody by weight, up to what each can take at most: an idle share is of no use.
 */
import { assert } from "../assert.ts";

export interface Claim {
  /** More than 0. */
  readonly weight: number;
  /** What it can use now; null: all that it can get. */
  readonly want: number | null;
  /** It may never have more than this; null: no bound of its own. */
  readonly most: number | null;
}

/** A share for each claim, in their order; together at most `limit`. */
export function fairShares(limit: number, claims: readonly Claim[]): number[] {
  assert(limit >= 0, "a limit is not negative");
  const mosts = claims.map(({ most }) => most ?? Number.POSITIVE_INFINITY);
  const wants = claims.map(({ want }, at) => Math.min(want ?? Number.POSITIVE_INFINITY, mosts[at]!));
  const weights = claims.map(({ weight }) => weight);
  const wanted = fill(limit, weights, wants);
  // Whoever wants nothing is not there: it gets nothing of what is left either.
  const tops = mosts.map((most, at) => (wants[at] === 0 ? 0 : most - wanted[at]!));
  const left = Math.max(0, limit - sum(wanted));
  const more = fill(left, weights, tops);
  return wanted.map((share, at) => share + more[at]!);
}

/**
 * The same in whole lanes. Those for whom less than one is left take turns: `turn` counts up, and moves the ones that
 * come first.
 */
export function fairLanes(limit: number, claims: readonly Claim[], turn: number): number[] {
  const shares = fairShares(limit, claims);
  // A hair is added, so that what should be whole is.
  const lanes = shares.map((share) => Math.floor(share + 1e-9));
  let left = Math.floor(limit) - sum(lanes);
  const short = claims.map((_, at) => at).filter((at) => shares[at]! - lanes[at]! > 1e-9);
  const first = short.length === 0 ? 0 : turn % short.length;
  const inTurn = [...short.slice(first), ...short.slice(0, first)];
  // Whoever would have none comes before those that would have one more.
  const order = [...inTurn.filter((at) => lanes[at] === 0), ...inTurn.filter((at) => lanes[at] !== 0)];
  for (const at of order) {
    if (left <= 0) break;
    lanes[at]! += 1;
    left -= 1;
  }
  return lanes;
}

/** Raises all by their weights until the limit is reached or each has its top. */
function fill(limit: number, weights: readonly number[], tops: readonly number[]): number[] {
  const shares = tops.map(() => 0);
  let open = tops.map((_, at) => at).filter((at) => tops[at]! > 0);
  let left = limit;
  while (open.length > 0 && left > 0) {
    const level = left / sum(open.map((at) => weights[at]!));
    const full = open.filter((at) => tops[at]! <= level * weights[at]!);
    if (full.length === 0) {
      for (const at of open) shares[at] = level * weights[at]!;
      return shares;
    }
    for (const at of full) {
      shares[at] = tops[at]!;
      left -= tops[at]!;
    }
    open = open.filter((at) => !full.includes(at));
  }
  return shares;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}
