/**
 * An endpoint's error: with a status of its own, or inside an answer of 200 as gateways pass on what the provider behind
 * them said. Then its code stands for the status, and it means what an answer with that status means.
 */
import { isUsedUp } from "../../core/answer/answerClass.ts";
import { errorWaitMs } from "../../core/answer/errorWait.ts";
import { stringifyJson } from "../../core/json.ts";
import { jsonAt } from "../../core/jsonPointer.ts";
import type { Json } from "../../core/spec.ts";
import { failedBodyOf } from "../answer/failedBody.ts";
import { classOfStatus, statusLine } from "../http/httpAnswer.ts";
import type { TaskOutcome } from "../task.ts";

type Mask = (text: string) => string;

/** The outcome of an error inside an answer that was expected. */
export function outcomeOfErrorInside(
  response: Response,
  error: Json,
  by: { readonly mask: Mask; readonly answerTries: number },
): TaskOutcome {
  const { mask } = by;
  const { status } = response;
  const text = stringifyJson({ error: typeof error === "string" ? error : withRaw(error) });
  const code = codeOf(error);
  if (code === null && !isUsedUp(text)) {
    const line = `an error inside ${statusLine(response)}`;
    const { words, ...detail } = failedBodyOf(text, line, mask);
    const message = words === null ? line : `${line}: ${words}`;
    const said = { message, status, retryAfterMs: null, ...detail };
    return { kind: "transient", errorKind: "http", ...said, answersMost: by.answerTries, isFree: true };
  }
  const head = { status: code ?? 402, statusText: "", headers: response.headers };
  const note = ` inside ${statusLine(response)}`;
  const outcome = classOfStatus(head, { text, mask, nowMs: Date.now(), note });
  return withWaitOf(error, { ...outcome, status, isFree: true });
}

/** What an error of a throttled call says of the wait, where no header does. */
export function withWaitOf(error: Json | null, outcome: TaskOutcome): TaskOutcome {
  if (error === null || outcome.kind !== "throttled" || outcome.retryAfterMs !== null) return outcome;
  const retryAfterMs = errorWaitMs(error, Date.now());
  return retryAfterMs === null ? outcome : { ...outcome, retryAfterMs, askedBy: "the error's text" };
}

/** "Provider returned error" says less than what the provider said. */
function withRaw(error: Json): Json {
  const raw = jsonAt(error, ["metadata", "raw"]);
  const message = jsonAt(error, ["message"]);
  if (typeof raw !== "string" || raw === "" || typeof message !== "string") return error;
  return { ...(error as { readonly [key: string]: Json }), message: `${message}: ${raw}` };
}

/** The status that an error stands for; null where it does not say. */
function codeOf(error: Json): number | null {
  const said = CODES.map((key) => jsonAt(error, [key])).filter((value) => value != null);
  for (const value of said) {
    const code = typeof value === "number" || typeof value === "string" ? Number(value) : Number.NaN;
    if (Number.isInteger(code) && code >= 400 && code <= 599) return code;
  }
  const words =
    typeof error === "string" ? error : said.filter((value) => typeof value === "string").join(" ");
  return WORDS.find(([pattern]) => pattern.test(words))?.[1] ?? null;
}

const CODES = ["code", "status", "status_code", "statusCode", "http_status", "type"];

/** Names of errors where a number is missing, the more specific first. */
const WORDS: readonly (readonly [pattern: RegExp, status: number])[] = [
  [/rate_?limit|too_?many_?requests|throttl|resource_?exhausted/i, 429],
  [/overloaded|unavailable/i, 503],
  [/time_?out|deadline/i, 504],
  [/server_?error|internal|api_?error|upstream|bad_?gateway/i, 500],
  [/authentication|unauthori[sz]ed|unauthenticated|invalid_?api_?key/i, 401],
  [/permission|forbidden/i, 403],
  [/not_?found/i, 404],
  [/invalid|bad_?request|context_?length|unsupported|content_?(?:policy|filter)|moderation|too_?large/i, 400],
];
