/** Reads back what a run was created with, for whoever rebuilds the catalog. */

import { z } from "zod";
import type { CreateRun } from "../core/run/run.ts";
import { answered } from "./bucket/answered.ts";
import { recordKey } from "./runRecord.ts";

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
  const found = await answered(async () => (await bucket.get(recordKey(run)))?.json().catch(() => null));
  const record = recordSchema.safeParse(found);
  return record.success ? (record.data as unknown as CreateRun) : null;
}
