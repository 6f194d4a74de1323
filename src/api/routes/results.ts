/**
 * Results: committed rows as NDJSON. Of an ended run the joined object in item order, also with `only`; before that its
 * parts so far in chunk order; with `order=commits` in the order of their commits, and with `follow` so until the run has
 * ended; with `merged` the rows of its retries take the place of its own.
 *
 * The order of commits never changes, so whoever lost the stream goes on with `skip`, the rows that arrived.
 */
import { createRoute, z } from "@hono/zod-openapi";
import type { PartMeta } from "../../core/protocol.ts";
import { isEnded } from "../../core/run/runView.ts";
import type { Env } from "../../objects/env.ts";
import { familyOfRows } from "../../runs/family.ts";
import { refuseField } from "../../runs/refusal.ts";
import { callRun, committedParts, requireObject, viewRun } from "../../runs/runRpc.ts";
import { oneOf } from "../../schema/fields.ts";
import { answered } from "../../storage/bucket/answered.ts";
import { streamObject } from "../../storage/bucket/objectStream.ts";
import { streamMerged } from "../../storage/rows/mergedRows.ts";
import { streamParts, type TakesNote } from "../../storage/rows/partStream.ts";
import { resultsKey } from "../../storage/runRecord.ts";
import { newApi } from "../context.ts";
import { errorResponses } from "../errors.ts";
import { ndjson } from "../ndjson.ts";
import { flag, rows, runParams } from "../schemas.ts";

export const resultRoutes = newApi();

const PARTS_PER_PAGE = 100;
/** A follower asks this often for new parts, and, while there are none, less and less often up to the second. */
const FOLLOW_MS = 300;
const FOLLOW_IDLE_MS = 1000;

const SKIP = "must be a whole number from 0";
const skipped = z.coerce
  .number({ error: SKIP })
  .int({ error: SKIP })
  .min(0, { error: SKIP })
  .optional()
  .openapi({ description: "in the order of commits: how many of the wanted rows to leave out at first" });

const results = createRoute({
  method: "get",
  path: "/v1/runs/{id}/results",
  operationId: "getResults",
  tags: ["Results"],
  summary: "Rows, one a line",
  request: {
    params: runParams,
    query: z.strictObject({
      follow: flag.openapi({ description: "true: in the order of commits, until the run has ended" }),
      merged: flag.openapi({
        description: "true: of every item the newest row among the run and its retries, in item order",
      }),
      only: oneOf(["ok", "failed"]).optional(),
      order: oneOf(["items", "commits"]).optional().openapi({
        description: "commits: in the order of commits, which new rows only add to (with follow always)",
      }),
      skip: skipped,
      unreadable: oneOf(["skip"]).optional().openapi({
        description:
          "skip: without the parts that cannot be read, which the run then names in its own unreadable; left out, the answer breaks off at the first of them",
      }),
    }),
  },
  responses: {
    200: rows("Committed rows."),
    ...errorResponses,
  },
});
resultRoutes.openapi(results, async (c) => {
  const { id } = c.req.valid("param");
  const { follow, merged, only, order, skip, ...query } = c.req.valid("query");
  const byCommit = follow || order === "commits";
  if (merged && byCommit) {
    const asked = follow ? "follow" : "order=commits";
    throw refuseField({
      path: "merged",
      message: `does not go with ${asked}: merged rows come in item order`,
    });
  }
  if (skip !== undefined && !byCommit) {
    throw refuseField({ path: "skip", message: "goes with follow=true or order=commits alone" });
  }
  const view = await viewRun(c.env, id);
  const unreadable: TakesNote = async (fault) => {
    const { chunk, n } = fault.part;
    await callRun(c.env, id, (run) => run.foundUnreadable([{ chunk, n, problem: fault.problem }]));
    if (query.unreadable !== "skip") throw fault;
  };
  const options = { filter: only, unreadable };
  if (merged) return ndjson(streamMerged(c.env.BUCKET, await familyOfRows(c.env, view), options));
  if (byCommit) {
    const parts = partsByCommit(c.env, id, { follow });
    return ndjson(streamParts(c.env.BUCKET, parts, { ...options, ...(skip === undefined ? {} : { skip }) }));
  }
  if (isEnded(view.status) && only !== undefined) {
    // Parts are in no order within their chunk; the run alone is a family whose rows are in the order of its items.
    const alone = [{ id, hasEnded: true, parts: () => committedParts(c.env, id) }];
    return ndjson(streamMerged(c.env.BUCKET, alone, options));
  }
  const joined =
    isEnded(view.status) && only === undefined
      ? await answered(() => c.env.BUCKET.head(resultsKey(id)))
      : null;
  return ndjson(
    joined !== null
      ? streamObject(c.env.BUCKET, joined)
      : streamParts(c.env.BUCKET, committedParts(c.env, id), options),
  );
});

/** `follow`: ends once the run was seen ended and no part came after that; else with the last part there is. */
async function* partsByCommit(
  env: Env,
  id: string,
  { follow }: { readonly follow: boolean },
): AsyncGenerator<PartMeta> {
  await requireObject(env, id);
  let after = 0;
  let waitMs = FOLLOW_MS;
  let isLast = !follow;
  for (;;) {
    const page = await callRun(env, id, (run) => run.partsByCommit(after, PARTS_PER_PAGE));
    for (const { seq, part } of page) {
      after = seq;
      yield part;
    }
    if (page.length > 0) waitMs = FOLLOW_MS;
    else if (isLast) return;
    else if (isEnded((await viewRun(env, id)).status)) {
      isLast = true;
      continue;
    } else waitMs = Math.min(waitMs * 1.5, FOLLOW_IDLE_MS);
    if (follow && !isLast && page.length < PARTS_PER_PAGE) await scheduler.wait(waitMs);
  }
}
