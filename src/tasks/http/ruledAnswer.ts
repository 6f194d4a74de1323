/**
 * An answer held against the rules of its spec, before anything built in looks at it.
 *
 * The body is read only where a rule needs it, once and within the spec's bound, and handed on as it was. A redirect
 * that would be followed is not an answer yet: only a rule that names its status looks at it.
 */
import {
  type AnswerFacts,
  type AnswerRule,
  messageAt,
  ruleFor,
  waitAt,
} from "../../core/answer/answerRules.ts";
import { askedWait } from "../../core/answer/askedWait.ts";
import { readWait } from "../../core/answer/waitText.ts";
import { parseJson } from "../../core/json.ts";
import type { Json } from "../../core/spec.ts";
import { readBody } from "../answer/answer.ts";
import { withWords } from "../answer/answerWords.ts";
import { failedBodyOf, readFailedText } from "../answer/failedBody.ts";
import { decodePage } from "../answer/pageText.ts";
import type { TaskOutcome } from "../task.ts";
import { statusLine, waitOf } from "./httpAnswer.ts";

export type Ruled =
  /** No rule fits: `response` as it came, its body unread or given back. */
  | { readonly kind: "none"; readonly response: Response }
  /** A success, whatever the status. */
  | { readonly kind: "ok"; readonly response: Response }
  | { readonly kind: "ended"; readonly outcome: TaskOutcome; readonly facts: AnswerFacts };

export interface Ruling {
  readonly rules: readonly AnswerRule[];
  /** The URL that answered. */
  readonly url: string;
  readonly maxBytes: number;
  readonly isExpected: boolean;
  /** It would be followed. */
  readonly isRedirect: boolean;
  readonly mask: (text: string) => string;
}

/** What the rules make of an answer. Throws CallFailed when its body breaks off. */
export async function holdAgainstRules(response: Response, ruling: Ruling): Promise<Ruled> {
  const rules = ruling.rules.filter(({ statuses }) =>
    statuses === null ? !ruling.isRedirect : statuses[response.status] === true,
  );
  if (rules.length === 0) return { kind: "none", response };
  const read = rules.some(({ needsBody }) => needsBody) ? await readWhole(response, ruling.maxBytes) : null;
  const facts = factsOf(response, ruling.url, read?.text ?? "");
  const rule = ruleFor(rules, facts);
  const rest = read === null ? response : read.again();
  if (rule === null) return { kind: "none", response: rest };
  if (rule.is === "ok") return { kind: "ok", response: rest };
  const text = read === null ? await readFailedText(response) : read.text;
  const said = { ...ruling, line: statusLine(response), text };
  return { kind: "ended", outcome: outcomeOfRule(rule, facts, said), facts };
}

/** The facts of an answer with this text. */
export function factsOf(response: Response, url: string, text: string): AnswerFacts {
  return {
    status: response.status,
    header: (name) => response.headers.get(name),
    url,
    value: jsonOf(text),
    text,
  };
}

/** What a rule makes of an answer, or of one of its results, that it fits; not for a rule that says ok. */
export function outcomeOfRule(
  rule: AnswerRule,
  facts: AnswerFacts,
  said: {
    readonly line: string;
    readonly text: string;
    readonly isExpected: boolean;
    readonly mask: (text: string) => string;
  },
): TaskOutcome {
  const { status } = facts;
  const line = said.isExpected && rule.says !== null ? rule.says : said.line;
  const { words, ...detail } = failedBodyOf(said.text, line, said.mask);
  const own = messageAt(rule.message, facts.value)?.slice(0, MESSAGE_CHARS) ?? null;
  const message = own === null ? withWords(line, words) : said.isExpected ? own : withWords(line, own);
  switch (rule.is) {
    case "throttled":
    case "again":
      return { kind: rule.is, message, status, ...waitFor(rule, facts), ...detail };
    case "failed":
      return { kind: "permanent", errorKind: "http", message, status, called: true, ...detail };
    case "refused":
      return {
        kind: "permanent",
        errorKind: "http",
        message,
        status,
        called: true,
        refused: true,
        because: "rule",
        ...detail,
      };
    case "ok":
      throw new Error("an answer that is ok has a value and not a failure");
    default:
      rule.is satisfies never;
      throw new Error("unknown meaning");
  }
}

/** Cut again after secrets are hidden: long enough that none is cut in two at the end of what is shown. */
const MESSAGE_CHARS = 4096;

/** What the body says at the rule's place, else what the headers say. */
function waitFor(rule: AnswerRule, { header, value }: AnswerFacts) {
  const nowMs = Date.now();
  const text = waitAt(rule.retryAfter, value);
  const retryAfterMs = text === null ? null : readWait(text, { dateHeader: header("date"), nowMs });
  if (retryAfterMs !== null) return { retryAfterMs };
  return waitOf(askedWait(header, nowMs));
}

/** JSON where it is some, else the text itself; undefined for an empty body. */
function jsonOf(text: string): Json | undefined {
  if (text.trim() === "") return undefined;
  try {
    return parseJson(text);
  } catch {
    return text;
  }
}

interface Whole {
  readonly text: string;
  /** The answer once more, its body unread. */
  readonly again: () => Response;
}

/** A body that is longer than the bound is not looked at, and is as long for whoever reads it next. */
async function readWhole(response: Response, maxBytes: number): Promise<Whole> {
  if (response.body === null) return { text: "", again: () => response };
  const bytes = await readBody(response, maxBytes);
  if (bytes === null) return { text: "", again: () => answerOf(response, new Uint8Array(maxBytes + 1)) };
  const isText = !bytes.includes(0);
  const text = isText ? decodePage(bytes, response.headers.get("content-type")) : "";
  return { text, again: () => answerOf(response, bytes) };
}

function answerOf(response: Response, body: Uint8Array): Response {
  const { status, statusText, headers, url } = response;
  const again = new Response(body.length === 0 ? null : (body as Uint8Array<ArrayBuffer>), {
    status,
    statusText,
    headers,
  });
  Object.defineProperty(again, "url", { value: url });
  return again;
}
