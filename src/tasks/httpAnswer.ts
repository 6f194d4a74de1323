/**
 * What an HTTP answer means: a value, or one of the classes of failure (throttled, transient, permanent).
 * An expected status is a value whatever its class would be.
 */
import { type AskedWait, askedWait, unclearNote } from "../core/askedWait.ts";
import { parseJson, stringifyJson } from "../core/json.ts";
import { jsonAt } from "../core/jsonPointer.ts";
import type { Json } from "../core/spec.ts";
import { drain, readText } from "./answer.ts";
import { withWords } from "./answerWords.ts";
import { type ContentType, contentTypeOf } from "./contentType.ts";
import { failedBodyOf, readFailedText } from "./failedBody.ts";
import type { HttpSettings } from "./httpSchema.ts";
import type { HttpPlan } from "./httpSettings.ts";
import type { TaskOutcome } from "./task.ts";

/** RFC 9110 statuses with a body that never is there. */
const BODILESS = new Set([204, 205, 304]);

/** Reasons for the statuses that come most, for answers that bring none (HTTP/2 has no place for them). */
const REASONS: Readonly<Record<number, string>> = {
  200: "OK",
  301: "Moved Permanently",
  302: "Found",
  303: "See Other",
  304: "Not Modified",
  307: "Temporary Redirect",
  308: "Permanent Redirect",
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  408: "Request Timeout",
  409: "Conflict",
  410: "Gone",
  422: "Unprocessable Content",
  425: "Too Early",
  429: "Too Many Requests",
  500: "Internal Server Error",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
};

/** "404 Not Found": what a failed row says, and what failures are grouped by. */
export function statusLine(response: Response): string {
  const reason = response.statusText || REASONS[response.status];
  return reason === undefined ? `${response.status}` : `${response.status} ${reason}`;
}

/**
 * An unexpected status; its body gives the row its words. `note` stands between the status and them, `mask` hides
 * secrets in them.
 */
export async function outcomeOfStatus(
  response: Response,
  mask: (text: string) => string,
  nowMs: number,
  note = "",
): Promise<TaskOutcome> {
  const text = await readFailedText(response);
  return classOfStatus(response, { text, mask, nowMs, note });
}

/** The same for a body that was read already. */
export function classOfStatus(
  response: Response,
  of: {
    readonly text: string;
    readonly mask: (text: string) => string;
    readonly nowMs: number;
    readonly note?: string;
  },
): TaskOutcome {
  const { text, mask, nowMs, note = "" } = of;
  const { status } = response;
  const line = statusLine(response) + note;
  const asked = askedWait((name) => response.headers.get(name), nowMs);
  const { words, ...detail } = failedBodyOf(text, line, mask);
  // The body of a redirect only repeats where it leads.
  const message = withWords(line, status >= 300 && status < 400 ? null : words);
  const isPlain = asked.kind === "asked" && asked.plainly;
  if (status === 429 || (status === 503 && isPlain)) {
    return { kind: "throttled", message: message + unclearNote(asked), status, ...waitOf(asked), ...detail };
  }
  if (status >= 500 || status === 408 || status === 425) {
    const wait = isPlain ? waitOf(asked) : { retryAfterMs: null };
    return { kind: "transient", errorKind: "http", message, status, ...wait, ...detail };
  }
  const refused = status === 401 || status === 403;
  return {
    kind: "permanent",
    errorKind: "http",
    message,
    status,
    called: true,
    ...(refused && { refused }),
    ...detail,
  };
}

/** What was asked for, as an outcome carries it. */
export function waitOf(
  asked: AskedWait,
): Pick<Extract<TaskOutcome, { kind: "throttled" }>, "retryAfterMs" | "askedBy"> {
  return asked.kind === "asked" ? { retryAfterMs: asked.ms, askedBy: asked.by } : { retryAfterMs: null };
}

/** The value of an expected answer; throws CallFailed when its body breaks off. `mask` as above. */
export async function outcomeOfValue(
  response: Response,
  settings: HttpSettings,
  plan: HttpPlan,
  mask: (text: string) => string,
): Promise<TaskOutcome> {
  const { status } = response;
  if (settings.value === "none" || plan.method === "HEAD" || BODILESS.has(status)) {
    await drain(response);
    return { kind: "ok", value: null, status };
  }
  const type = contentTypeOf(response);
  const answer = await readText(response, settings.maxResponseBytes, type);
  if (answer.kind === "too-large") {
    const message = `${statusLine(response)}, but the answer is longer than maxResponseBytes (${settings.maxResponseBytes})`;
    return { kind: "permanent", errorKind: "parse", message, status, called: true };
  }
  const value = answerValue(answer.text, settings.value, type);
  if (value === undefined) {
    // Garbage is what a target in trouble answers: it may be well again at the next try.
    const message = `${statusLine(response)}, but the answer is not JSON`;
    const { words: _, ...detail } = failedBodyOf(answer.text, message, mask);
    return { kind: "transient", errorKind: "parse", message, status, retryAfterMs: null, ...detail };
  }
  const { failWhen } = plan;
  if (failWhen !== null && failsBy(value, failWhen)) {
    const { words, ...detail } = failedBodyOf(answer.text, failWhen.says, mask);
    const message = withWords(failWhen.says, isSentence(value) ? words : null);
    return { kind: "permanent", errorKind: "http", message, status, called: true, ...detail };
  }
  return { kind: "ok", value, status };
}

/** A value that may hold a sentence; a text is a whole page. */
function isSentence(value: Json): boolean {
  return typeof value === "object" && value !== null;
}

/** Undefined: it was to be JSON and is none. */
function answerValue(text: string, wanted: HttpSettings["value"], { isJson }: ContentType): Json | undefined {
  if (wanted === "text") return text;
  if (wanted === "auto") {
    if (text === "") return null;
    if (!isJson) return text;
  }
  try {
    return parseJson(text);
  } catch {
    return undefined;
  }
}

/** Whether a value is one that `failWhen` names. */
export function failsBy(value: Json, failWhen: NonNullable<HttpPlan["failWhen"]>): boolean {
  const found = jsonAt(value, failWhen.path);
  return found !== undefined && stringifyJson(found) === failWhen.equals;
}
