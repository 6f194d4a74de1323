/**
 * A page as a browser renders it: Browser Rendering's quick action `content`, through the binding BROWSER.
 *
 * The browser is not the target: what it cannot do (no free browser, a page that does not load) is a failure of its
 * own, and what it answers is read as anything from outside is. One permit is taken for a page, whatever the page
 * loads; images, fonts and media are not loaded.
 */
import { parseRetryAfter } from "../../core/answer/retryAfter.ts";
import { hideSecrets } from "../../core/template/template.ts";
import type { Browser } from "../../objects/env.ts";
import { type AnswerText, readText } from "../answer/answer.ts";
import { AnswerUnreadable, type OutgoingRequest, type TaskContext, type TaskOutcome } from "../task.ts";

/** The binding takes no longer navigation than this. */
const NAVIGATION_MOST_MS = 60_000;
/** JSON around a page makes it longer: escapes at worst double it. */
const ESCAPED = 2;

/** The part of its answer that is used. */
interface Rendered {
  readonly result: string;
  /** What the page itself was answered with. */
  readonly meta?: { readonly status: number };
}

/** Asks the browser for a page; its answer is JSON. */
export function askBrowser(
  browser: Browser,
  request: {
    readonly url: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly timeoutMs: number;
  },
): Promise<Response> {
  const userAgent = request.headers["user-agent"];
  return browser.quickAction("content", {
    url: request.url,
    ...(userAgent !== undefined && { userAgent }),
    cacheTTL: 0,
    gotoOptions: {
      timeout: Math.min(request.timeoutMs, NAVIGATION_MOST_MS),
      waitUntil: "networkidle2",
    },
    rejectResourceTypes: ["image", "media", "font"],
  });
}

/** The HTML of the rendered page, or the outcome of a try in which there was none. */
export async function readRendered(
  context: TaskContext,
  request: OutgoingRequest,
  limits: { readonly maxResponseBytes: number },
): Promise<{ readonly kind: "html"; readonly html: string } | TaskOutcome> {
  const response = await context.fetch({ ...request, rendered: true });
  const { status } = response;
  const answer = await readText(response, ESCAPED * limits.maxResponseBytes).catch(noText);
  if (status === 429 || status === 503) {
    const nowMs = Date.now();
    const retryAfterMs = parseRetryAfter(response.headers.get("retry-after"), { dateHeader: null, nowMs });
    return transient(`the browser has no time: ${status}`, retryAfterMs);
  }
  if (status !== 200) return transient(`the browser could not render the page: ${status}`, null);
  const rendered = answer.kind === "text" ? parse(answer.text) : null;
  if (answer.kind === "too-large" || (rendered?.result.length ?? 0) > limits.maxResponseBytes) {
    const message = `the rendered page is longer than maxResponseBytes (${limits.maxResponseBytes})`;
    return { kind: "permanent", errorKind: "parse", message, called: true };
  }
  if (rendered === null) return transient("the browser's answer holds no page", null);
  if ((rendered.meta?.status ?? 200) >= 400) {
    return transient(`the browser was answered ${rendered.meta?.status} by ${hostOf(request)}`, null);
  }
  return { kind: "html", html: rendered.result };
}

/** The browser's answer is its own affair: what is no text holds no page. */
function noText(fault: unknown): AnswerText {
  if (fault instanceof AnswerUnreadable) return { kind: "text", text: "" };
  throw fault;
}

function parse(text: string): Rendered | null {
  try {
    const answer: unknown = JSON.parse(text);
    return isRendered(answer) ? answer : null;
  } catch {
    return null;
  }
}

function isRendered(answer: unknown): answer is Rendered {
  const { success, result, meta } = (answer ?? {}) as Readonly<Record<string, unknown>>;
  if (success !== true || typeof result !== "string") return false;
  return meta === undefined || typeof (meta as { readonly status?: unknown } | null)?.status === "number";
}

function hostOf(request: OutgoingRequest): string {
  return URL.parse(hideSecrets(request.url))?.host ?? "the target";
}

/** No `status`: it would be the browser's, and a 5xx of the browser is not a word about the target. */
function transient(message: string, retryAfterMs: number | null): TaskOutcome {
  return { kind: "transient", errorKind: "task", message, retryAfterMs };
}
