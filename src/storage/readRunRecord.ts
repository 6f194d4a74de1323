/** Reads back what a run was created with, for whoever rebuilds the catalog. */
import { z } from "zod";
import type { CreateRun } from "../run/interface.ts";
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
  const object = await bucket.get(recordKey(run));
  if (object === null) return null;
  const record = recordSchema.safeParse(await object.json().catch(() => null));
  return record.success ? (record.data as unknown as CreateRun) : null;
}
