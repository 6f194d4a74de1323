/**
 * The report of a run together with its retries, made from its merged rows: of every item the newest row, as
 * `mergedRows.ts` gives them. So it can never disagree with the merged results, whatever was retried or resumed when.
 */
import { mergeTotals, noTotals, reduceRows, type Totals } from "../../core/reduce/reduce.ts";
import type { ReduceSpec } from "../../core/spec.ts";
import { type FamilyRun, streamMerged } from "./mergedRows.ts";
import { decodePart } from "./parts.ts";

export interface MergedReport {
  readonly totals: Totals;
  readonly ok: number;
  readonly failed: number;
}

/** Reads all rows of `family` (oldest run first) once, in bounded memory. Throws when one cannot be had. */
export async function mergedReport(
  bucket: R2Bucket,
  family: readonly FamilyRun[],
  reduce: ReduceSpec,
): Promise<MergedReport> {
  let totals = noTotals(reduce);
  let ok = 0;
  let failed = 0;
  // Pieces are whole rows.
  for await (const piece of streamMerged(bucket, family)) {
    const rows = decodePart(piece);
    const went = rows.filter((row) => row.ok).length;
    ok += went;
    failed += rows.length - went;
    totals = mergeTotals(reduce, totals, reduceRows(reduce, rows));
  }
  return { totals, ok, failed };
}
