/**
 * What R2 holds of a run besides its parts: `run.json`, written at creation, from which the catalog can be
 * rebuilt, and `results.jsonl`, the joined rows. No secret is in a spec, so none is here.
 */
import { z } from "zod";
import type { CreateRun } from "../run/interface.ts";
import { type ObjectCount, uncounted } from "./count.ts";

const ROOT = "runs/";

/** Where the joined rows of an ended run lie. */
export function resultsKey(run: string): string {
  return `runs/${run}/results.jsonl`;
}

/** Writes `runs/<run>/run.json`. Repeating it writes the same. */
export async function writeRunRecord(
  bucket: R2Bucket,
  input: CreateRun,
  count: ObjectCount = uncounted,
): Promise<void> {
  count("r2ClassA", 1);
  await bucket.put(`runs/${input.runId}/run.json`, JSON.stringify(input), {
    httpMetadata: { contentType: "application/json" },
  });
}

/** What `run.json` must hold to be of use. */
const recordSchema = z.looseObject({
  runId: z.string(),
  rootId: z.string(),
  parentRunId: z.string().nullable(),
  spec: z.looseObject({}),
  itemSource: z.looseObject({ kind: z.string() }),
  createdAtMs: z.number(),
});

/** What the run was created with; null when there is no record that can be read. */
export async function readRunRecord(bucket: R2Bucket, run: string): Promise<CreateRun | null> {
  const object = await bucket.get(`runs/${run}/run.json`);
  if (object === null) return null;
  const record = recordSchema.safeParse(await object.json().catch(() => null));
  return record.success ? (record.data as unknown as CreateRun) : null;
}

/** Ids of all runs that R2 holds anything of, in the order of their ids, from `from` on. */
export async function* recordedRuns(bucket: R2Bucket, from: string | null): AsyncGenerator<string> {
  let startAfter = from === null ? ROOT : `${ROOT}${from}`;
  for (;;) {
    const page = await bucket.list({ prefix: ROOT, delimiter: "/", startAfter });
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
    const page = await bucket.list({ prefix });
    if (page.objects.length > 0) await bucket.delete(page.objects.map((object) => object.key));
    if (!page.truncated) return;
  }
}
