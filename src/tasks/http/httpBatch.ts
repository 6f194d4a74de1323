/**
 * One request of the task `http` for several items.
 *
 * An item that cannot be written into the request (a missing field) fails alone, without a call. What an expected
 * answer says of each item is found by `results`; where it does not fit what was sent, the call is refused as a
 * whole and its items go out again in halves.
 */
import { findResults } from "../../core/batch.ts";
import { parseJson, stringifyJson } from "../../core/json.ts";
import type { Json } from "../../core/spec.ts";
import { expandBody } from "../../core/template/bodyTemplate.ts";
import { CannotExpand, hideSecrets } from "../../core/template/template.ts";
import { failedBodyOf } from "../answer/failedBody.ts";
import { outcomeOfFault } from "../faults.ts";
import type { BatchOutcome, TaskOutcome } from "../task.ts";
import type { BatchPlan } from "./httpBatchSettings.ts";
import { type Answered, outcomeOfResult, outcomeWithoutResults } from "./httpResult.ts";
import type { HttpPlan } from "./httpSettings.ts";

export type { Answered };

/** What stands for an item in `{{items}}`. Throws CannotExpand. */
export function entryOf({ each }: BatchPlan, item: Json): Json {
  // `each` holds no secret: its text is the whole of it.
  return each === null ? item : parseJson(hideSecrets(expandBody(each, item)));
}

/**
 * Calls with what can be sent of `items`. `write` makes the request for a list of entries (throws CannotExpand where
 * one of them has a hole), `send` sends it.
 */
export async function callBatch<Request>(
  items: readonly Json[],
  plan: HttpPlan & { readonly batch: BatchPlan },
  write: (entries: readonly Json[]) => Request,
  send: (request: Request) => Promise<{ readonly outcome: TaskOutcome; readonly answered: Answered | null }>,
  mask: (text: string) => string,
): Promise<BatchOutcome> {
  const outcomes = new Array<TaskOutcome | null>(items.length).fill(null);
  const entries: Json[] = [];
  for (const [n, item] of items.entries()) {
    try {
      const entry = entryOf(plan.batch, item);
      write([entry]);
      entries.push(entry);
    } catch (fault) {
      if (!(fault instanceof CannotExpand)) throw fault;
      outcomes[n] = outcomeOfFault(fault, false);
    }
  }
  const sent = items.filter((_, n) => outcomes[n] === null);
  const called = sent.length === 0 ? [] : outcomesOf(sent, plan, await send(write(entries)), mask);
  if (!Array.isArray(called)) return called;
  const rest = called[Symbol.iterator]();
  return { kind: "each", outcomes: outcomes.map((outcome) => outcome ?? nextOf(rest)) };
}

function nextOf(outcomes: Iterator<TaskOutcome>): TaskOutcome {
  const { done, value } = outcomes.next();
  if (done === true) throw new Error("an outcome for each item that was sent");
  return value;
}

/** What an answer says of the items that were sent. */
function outcomesOf(
  sent: readonly Json[],
  plan: HttpPlan & { readonly batch: BatchPlan },
  { outcome, answered }: { readonly outcome: TaskOutcome; readonly answered: Answered | null },
  mask: (text: string) => string,
): TaskOutcome[] | (BatchOutcome & { readonly kind: "whole" }) {
  if (outcome.kind !== "ok") return { kind: "whole", outcome };
  const { url, headers } = outcome;
  const beside = { ...(url !== undefined && { url }), ...(headers !== undefined && { headers }) };
  const status = { ...(outcome.status !== undefined && { status: outcome.status }), ...beside };
  const { results } = plan.batch;
  if (results === null || answered === null) return sent.map(() => ({ kind: "ok", value: null, ...status }));
  const found = findResults(outcome.value, sent, results);
  const judge = { plan, answered, mask };
  const unfit = (message: string) => {
    const { words: _, ...detail } = failedBodyOf(stringifyJson(outcome.value), "", mask);
    return { kind: "permanent", errorKind: "parse", message, called: true, ...status, ...detail } as const;
  };
  if (found.kind === "misfit") {
    return {
      kind: "whole",
      outcome: { ...(outcomeWithoutResults(outcome.value, judge) ?? unfit(found.message)), ...beside },
    };
  }
  return found.results.map((result) =>
    result === undefined
      ? unfit("the answer has no result for this item")
      : { ...outcomeOfResult(result, judge), ...beside },
  );
}
