/**
 * What an HTTP answer means that no rule of the spec speaks of: a value where its status is expected, else one of the
 * classes of `core/answer/answerClass.ts`.
 */
import { classOfAnswer } from "../../core/answer/answerClass.ts";
import { type AskedWait, askedWait, unclearNote } from "../../core/answer/askedWait.ts";
import { jsonFault, parseJson } from "../../core/json.ts";
import type { Json } from "../../core/spec.ts";
import { drain, readBody } from "../answer/answer.ts";
import { withWords } from "../answer/answerWords.ts";
import { base64Of, textOfBody } from "../answer/bodyText.ts";
import { codingOf } from "../answer/contentCoding.ts";
import { type ContentType, contentTypeOf } from "../answer/contentType.ts";
import { failedBodyOf, readFailedText } from "../answer/failedBody.ts";
import type { TaskOutcome } from "../task.ts";
import type { HttpSettings } from "./httpSchema.ts";
import type { HttpPlan } from "./httpSettings.ts";

/** RFC 9110 statuses with a body that never is there. */
const BODILESS = new Set([204, 205, 304]);

/** Reasons for the statuses that come most, for answers that bring none (HTTP/2 has no place for them). */
const REASONS: Readonly<Record<number, string>> = {
  200: "OK",
  201: "Created",
  202: "Accepted",
  301: "Moved Permanently",
  302: "Found",
  303: "See Other",
  304: "Not Modified",
  307: "Temporary Redirect",
  308: "Permanent Redirect",
  400: "Bad Request",
  401: "Unauthorized",
  402: "Payment Required",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  408: "Request Timeout",
  409: "Conflict",
  410: "Gone",
  422: "Unprocessable Content",
  423: "Locked",
  425: "Too Early",
  429: "Too Many Requests",
  500: "Internal Server Error",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
};

/** "404 Not Found": what a failed row says, and what failures are grouped by. */
export function statusLine({ status, statusText }: Pick<Head, "status" | "statusText">): string {
  const reason = statusText || REASONS[status];
  return reason === undefined ? `${status}` : `${status} ${reason}`;
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

/** What the status of an answer says, or of a part of one that has a status of its own. */
export type Head = Pick<Response, "status" | "statusText"> & { readonly headers: Pick<Headers, "get"> };

/** The same for a body that was read already. `mayBeUnderWay`: an earlier try with the same key was not answered. */
export function classOfStatus(
  head: Head,
  of: {
    readonly text: string;
    readonly mask: (text: string) => string;
    readonly nowMs: number;
    readonly note?: string;
    readonly mayBeUnderWay?: boolean;
  },
): TaskOutcome {
  const { text, mask, nowMs, note = "", mayBeUnderWay = false } = of;
  const { status } = head;
  const header = (name: string) => head.headers.get(name);
  const asked = askedWait(header, nowMs);
  const asksToWait = asked.kind === "asked" && asked.plainly;
  const line = statusLine(head) + note;
  const { words, ...detail } = failedBodyOf(text, line, mask);
  // The body of a redirect only repeats where it leads.
  const message = withWords(line, status >= 300 && status < 400 ? null : words);
  const said = { message, status, ...detail };
  const plain = asksToWait ? waitOf(asked) : { retryAfterMs: null };
  const kind = classOfAnswer({ status, header, text, asksToWait, mayBeUnderWay });
  switch (kind) {
    case "throttled":
      return { kind, ...said, message: message + unclearNote(asked), ...waitOf(asked) };
    case "again":
      return { kind, ...said, ...plain };
    case "transient":
      return { kind, errorKind: "http", ...said, ...plain };
    case "refused":
      return { kind: "permanent", errorKind: "http", ...said, called: true, refused: true };
    case "used-up":
      return { kind: "permanent", errorKind: "http", ...said, called: true, refused: true, because: kind };
    case "failed":
      return { kind: "permanent", errorKind: "http", ...said, called: true };
    default:
      kind satisfies never;
      throw new Error("unknown class of answer");
  }
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
  const bytes = await readBody(response, settings.maxResponseBytes);
  if (bytes === null) {
    const message = `${statusLine(response)}, but the answer is longer than maxResponseBytes (${settings.maxResponseBytes})`;
    return { kind: "permanent", errorKind: "parse", message, status, called: true };
  }
  const contentType = response.headers.get("content-type");
  if (settings.value === "base64") {
    const value = bytes.length === 0 ? null : { base64: base64Of(bytes, mask), contentType };
    return { kind: "ok", value, status };
  }
  const type = contentTypeOf(response);
  const body = textOfBody(bytes, contentType);
  if (body.kind === "not-text") {
    const coding = codingOf(response);
    const packed = coding === null ? "" : `, its content-encoding is ${coding}`;
    const message = `${statusLine(response)}, but ${body.reason}${packed}; "value": "base64" keeps it`;
    return { kind: "permanent", errorKind: "parse", message, status, called: true };
  }
  const value = answerValue(body.text, settings.value, type);
  if (value !== undefined) return { kind: "ok", value, status };
  const message = `${statusLine(response)}, but the answer is not JSON: ${jsonFault(mask(body.text))}`;
  const { words: _, ...detail } = failedBodyOf(body.text, message, mask);
  // Garbage is what a target in trouble answers: it may be well again at the next try, and is not asked for five times.
  const parse = { kind: "transient", errorKind: "parse", retryAfterMs: null, answersMost: 2 } as const;
  return { ...parse, message, status, ...detail };
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
