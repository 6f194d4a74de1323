/**
 * What R2 holds of a run besides its parts: `run.json`, written at creation, from which the catalog can be
 * rebuilt, and `results.jsonl`, the joined rows. No secret is in a spec, so none is here.
 */

import type { CreateRun } from "../core/run/run.ts";
import { answered } from "./bucket/answered.ts";
import { type ObjectCount, uncounted } from "./bucket/count.ts";

const ROOT = "runs/";

/** Where the joined rows of an ended run lie. */
export function resultsKey(run: string): string {
  return `runs/${run}/results.jsonl`;
}

/** Where what the run was created with lies. */
export function recordKey(run: string): string {
  return `runs/${run}/run.json`;
}

/** Writes `runs/<run>/run.json`. Repeating it writes the same. */
export async function writeRunRecord(
  bucket: R2Bucket,
  input: CreateRun,
  count: ObjectCount = uncounted,
): Promise<void> {
  count("r2ClassA", 1);
  const about = { httpMetadata: { contentType: "application/json" } };
  await answered(() => bucket.put(recordKey(input.runId), JSON.stringify(input), about));
}

/** Ids of all runs that R2 holds anything of, in the order of their ids, from `from` on. */
export async function* recordedRuns(bucket: R2Bucket, from: string | null): AsyncGenerator<string> {
  let startAfter = from === null ? ROOT : `${ROOT}${from}`;
  for (;;) {
    const from = startAfter;
    const page = await answered(() => bucket.list({ prefix: ROOT, delimiter: "/", startAfter: from }));
    const runs = page.delimitedPrefixes.map((prefix) => prefix.slice(ROOT.length, -1)).sort();
    yield* runs;
    const last = runs[runs.length - 1];
    if (!page.truncated || last === undefined) return;
    // `~` comes after every character of a key: all of that run's objects are passed over.
    startAfter = `${ROOT}${last}/~`;
  }
}

/** Removes every object of a run: record, parts, results. Safe to repeat after a failure. */
export async function deleteRunObjects(bucket: R2Bucket, run: string): Promise<void> {
  await deletePrefix(bucket, `runs/${run}/`);
}

/** Removes every object below a prefix, a page at a time. */
export async function deletePrefix(bucket: R2Bucket, prefix: string): Promise<void> {
  for (;;) {
    const page = await answered(() => bucket.list({ prefix }));
    const keys = page.objects.map((object) => object.key);
    if (keys.length > 0) await answered(() => bucket.delete(keys));
    if (!page.truncated) return;
  }
}
