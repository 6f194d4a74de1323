/**
 * One request of the task `http` for several items.
 *
 * An item that cannot be written into the request (a missing field) fails alone, without a call. What an expected
 * answer says of each item is found by `results`; where it does not fit what was sent, the call is refused as a
 * whole and its items go out again in halves.
 */
import { findResults } from "../core/batch.ts";
import { expandBody } from "../core/bodyTemplate.ts";
import { parseJson, stringifyJson } from "../core/json.ts";
import type { Json } from "../core/spec.ts";
import { CannotExpand, hideSecrets } from "../core/template.ts";
import { withWords, wordsOfJson } from "./answerWords.ts";
import { type FailedBody, failedBodyOf } from "./failedBody.ts";
import { outcomeOfFault } from "./faults.ts";
import { failsBy } from "./httpAnswer.ts";
import type { BatchPlan } from "./httpBatchSettings.ts";
import type { HttpPlan } from "./httpSettings.ts";
import type { BatchOutcome, TaskOutcome } from "./task.ts";

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
  send: (request: Request) => Promise<TaskOutcome>,
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

type FailedDetail = Omit<FailedBody, "words">;

function detailOf(value: Json, mask: (text: string) => string): FailedDetail {
  const { words: _, ...detail } = failedBodyOf(stringifyJson(value), "", mask);
  return detail;
}

/** What an answer says of the items that were sent. */
function outcomesOf(
  sent: readonly Json[],
  { batch, failWhen }: HttpPlan & { readonly batch: BatchPlan },
  answer: TaskOutcome,
  mask: (text: string) => string,
): TaskOutcome[] | (BatchOutcome & { readonly kind: "whole" }) {
  if (answer.kind !== "ok") return { kind: "whole", outcome: answer };
  const status = answer.status === undefined ? {} : { status: answer.status };
  if (batch.results === null) return sent.map(() => ({ kind: "ok", value: null, ...status }));
  const found = findResults(answer.value, sent, batch.results);
  const failed = (message: string, errorKind: "parse" | "http", detail?: FailedDetail) =>
    ({ kind: "permanent", errorKind, message, called: true, ...status, ...detail }) as const;
  const ofAnswer = () => detailOf(answer.value, mask);
  if (found.kind === "misfit") return { kind: "whole", outcome: failed(found.message, "parse", ofAnswer()) };
  return found.results.map((result) => {
    if (result === undefined) return failed("the answer has no result for this item", "parse", ofAnswer());
    if (failWhen !== null && failsBy(result, failWhen)) {
      const words = wordsOfJson(result, failWhen.says);
      return failed(withWords(failWhen.says, words), "http", detailOf(result, mask));
    }
    return { kind: "ok", value: result, ...status };
  });
}
