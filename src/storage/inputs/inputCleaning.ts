/**
 * Removing inputs. An upload stays while a run names it (an ended run may be retried), while its name points to
 * it, and for a while when it was only just replaced: a run may be about to pin it.
 */

import { UPLOAD_UNNAMED_MS } from "../../core/limits.ts";
import { answered } from "../bucket/answered.ts";
import { runsOfInput } from "../index/catalog.ts";
import { deletePrefix } from "../runRecord.ts";
import { currentKey, uploadsPrefix } from "./inputKeys.ts";
import { getInput } from "./inputs.ts";

/** The bindings that cleaning needs. */
export interface CleaningEnv {
  readonly DB: D1Database;
  readonly BUCKET: R2Bucket;
}

/**
 * Deletes an input with all its uploads. A conflict while a run that has not ended reads from it; runs that have
 * ended can no longer be retried.
 */
export async function deleteInput(
  env: CleaningEnv,
  name: string,
): Promise<
  | { readonly kind: "deleted" }
  | { readonly kind: "not-found" }
  | { readonly kind: "conflict"; readonly message: string }
> {
  if ((await getInput(env.BUCKET, name)) === null) return { kind: "not-found" };
  const needing = (await runsOfInput(env.DB, name)).find((run) => !run.ended);
  if (needing !== undefined)
    return {
      kind: "conflict",
      message: `run ${needing.id} needs the input ${name}: cancel it or wait for its end`,
    };
  await answered(() => env.BUCKET.delete(currentKey(name)));
  await deletePrefix(env.BUCKET, uploadsPrefix(name));
  return { kind: "deleted" };
}

/** Removes uploads of a name that nothing can need any more. Called after a store and after a run is deleted. */
export async function deleteUnneededUploads(env: CleaningEnv, name: string, nowMs: number): Promise<void> {
  const current = await getInput(env.BUCKET, name);
  const runs = await runsOfInput(env.DB, name);
  const needed = new Set([current?.upload, current?.replaced, ...runs.map((run) => run.upload)]);
  const prefix = uploadsPrefix(name);
  const { objects } = await answered(() => env.BUCKET.list({ prefix }));
  const unneeded = objects.filter(
    (object) =>
      !needed.has(object.key.slice(prefix.length).split("/")[0]) &&
      nowMs - object.uploaded.getTime() > UPLOAD_UNNAMED_MS,
  );
  const keys = unneeded.map((object) => object.key);
  if (keys.length > 0) await answered(() => env.BUCKET.delete(keys));
}
