/**
 * Cutting the ids of a table into ranges `from ≤ id < to` that overlap nowhere and leave nothing out. Pure.
 *
 * Ids are `bigint`: a database's are wider than a number. Range `n` follows from the pinned facts and `n` alone, so
 * nothing but these facts is stored, however many ranges there are.
 */
import { assert } from "../core/assert.ts";

/** What is known of the ids. Knots are ascending, the first is the lowest id, the last lies above the highest. */
export interface IdFacts {
  readonly ranges: number;
  /**
   * Between any two neighbours lie about as many rows; two knots alone: the ids are taken as evenly spread.
   * Decimal digits.
   */
  readonly knots: string[];
}

export interface IdRange {
  readonly from: bigint;
  /** Not included. */
  readonly to: bigint;
}

/** How many ranges of at most `idsPerRange` ids lie between `min` and `max`, both included. */
export function evenRanges(min: bigint, max: bigint, idsPerRange: number): bigint {
  const width = BigInt(idsPerRange);
  return (max - min + width) / width;
}

/** Ranges of nearly the same number of ids, for ids without large gaps. */
export function evenFacts(min: bigint, max: bigint, ranges: number): IdFacts {
  return { ranges, knots: [min, max + 1n].map(String) };
}

/**
 * Ranges of about `rowsPerRange` rows each, by `sample`: ids in ascending order that cut the rows into equal shares.
 * `rows` may be an estimate.
 */
export function balancedFacts(input: {
  readonly min: bigint;
  readonly max: bigint;
  readonly rows: number;
  readonly rowsPerRange: number;
  readonly sample: readonly bigint[];
}): IdFacts {
  const { min, max, sample } = input;
  const end = max + 1n;
  const inner = [...new Set(sample)].filter((id) => id > min && id < end).sort((a, b) => (a < b ? -1 : 1));
  const wanted = Math.max(1, Math.ceil(input.rows / input.rowsPerRange));
  // More ranges than ids would be empty ones.
  const ranges = end - min < BigInt(wanted) ? Number(end - min) : wanted;
  return { ranges, knots: [min, ...inner, end].map(String) };
}

/** Range `n` of `facts.ranges`. */
export function idRange(facts: IdFacts, n: number): IdRange {
  assert(n >= 0 && n < facts.ranges, "a range lies among those that were cut");
  return { from: borderOf(facts, n), to: borderOf(facts, n + 1) };
}

/** Between two knots ids are taken as evenly spread. */
function borderOf({ ranges, knots }: IdFacts, n: number): bigint {
  const parts = BigInt(knots.length - 1);
  const place = BigInt(n) * parts;
  const at = Number(place / BigInt(ranges));
  const low = BigInt(knots[at] ?? 0);
  const next = knots[at + 1];
  if (next === undefined) return low;
  return low + ((BigInt(next) - low) * (place % BigInt(ranges))) / BigInt(ranges);
}
