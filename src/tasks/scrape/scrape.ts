/**
 * The task `scrape`: a polite fetch of one page per item, and what stands in it.
 *
 * robots.txt is asked before every page, the redirect's target too, and each request takes a permit of its own. A
 * page that may not be called is not called. Only HTML is read; anything else is a failed row. Where the hosts come
 * from the items each of them stands for itself: one that refuses or is down slows nobody else.
 */
import { MAX_KEPT_HEADER_CHARS, ROBOTS_HOSTS_KEPT, ROBOTS_WAIT_MS } from "../../core/limits.ts";
import { cutText } from "../../core/outsideText.ts";
import type { Json } from "../../core/spec.ts";
import { hideSecrets } from "../../core/template/template.ts";
import { drain, readBody } from "../answer/answer.ts";
import { decodePage } from "../answer/pageText.ts";
import { Cookies } from "../calls/cookies.ts";
import { readRendered } from "../calls/rendered.ts";
import { outcomeOfFault } from "../faults.ts";
import { httpTask, requestOf, rulesOf } from "../http/http.ts";
import { outcomeOfStatus, statusLine } from "../http/httpAnswer.ts";
import { isRedirect, redirected } from "../http/redirect.ts";
import { holdAgainstRules } from "../http/ruledAnswer.ts";
import { perSettings } from "../perSettings.ts";
import { ItemNotDue, type OutgoingRequest, type Task, type TaskContext, type TaskOutcome } from "../task.ts";
import { type Page, readPage } from "./page.ts";
import { fetchRobots, type RobotsAnswer, RobotsCache } from "./robots.ts";
import type { ScrapeSettings } from "./scrapeSchema.ts";
import { asHttp, complainAboutFields, fieldRules } from "./scrapeSettings.ts";

export const scrapeTask: Task<ScrapeSettings> = {
  kind: "scrape",
  isWeirs: true,
  check(settings) {
    const own = Object.keys(settings.headers).find((name) => name.toLowerCase() === "user-agent");
    const message = "user-agent stands in userAgent, which robots.txt is asked for too";
    const ofRequest = [httpTask.check(httpOf(settings)) ?? []].flat();
    return [
      ...(own === undefined ? [] : [{ path: "headers", message }]),
      ...ofRequest.filter(({ path }) => path.toLowerCase() !== "headers.user-agent"),
      ...complainAboutFields(settings),
    ];
  },
  urls: (settings) => httpTask.urls(httpOf(settings)),
  secrets: (settings) => httpTask.secrets(httpOf(settings)),
  bindings: (settings) => (settings.browser ? ["BROWSER"] : []),
  hostsVary,
  preview: (settings, item) => httpTask.preview(httpOf(settings), item),
  open: async () => undefined,
  run: scrapeOnce,
  close: async () => {},
};

function hostsVary(settings: ScrapeSettings): boolean {
  return httpTask.urls(httpOf(settings)).length === 0;
}

const httpOf = perSettings(asHttp);

const robotsKept = new RobotsCache();
/** Whose robots.txt is being fetched, and until when that counts. */
const robotsUnderWay = new Map<string, number>();

async function scrapeOnce(item: Json, context: TaskContext, settings: ScrapeSettings): Promise<TaskOutcome> {
  let request: OutgoingRequest;
  try {
    request = requestOf(httpOf(settings), item);
  } catch (fault) {
    return outcomeOfFault(fault, false);
  }
  const redirects: string[] = [];
  // A page says in its value where it is; what failed says it beside its error.
  const ended = (outcome: TaskOutcome): TaskOutcome => {
    if (outcome.kind === "ok" || outcome.url !== undefined) return outcome;
    const [asked = "", answered] = [redirects[0], hideSecrets(request.url)];
    if (redirects.length === 0 || asked === answered) return outcome;
    return { ...outcome, url: cutText(context.mask(answered), MAX_KEPT_HEADER_CHARS) };
  };
  const cookies = new Cookies();
  for (;;) {
    const allowed = await allow(request, context, settings, redirects.length === 0);
    if (allowed.kind === "failed") return ended(allowed.outcome);
    request = spaced(request, allowed.spacingMs, settings);
    const answer = await context.fetch(redirects.length === 0 ? request : cookies.dress(request));
    const leadsOn = isRedirect(answer);
    const isLast = redirects.length === settings.maxRedirects;
    const ruled = await holdAgainstRules(answer, {
      rules: rulesOf(httpOf(settings)),
      url: hideSecrets(request.url),
      maxBytes: settings.maxResponseBytes,
      isExpected: answer.ok,
      isRedirect: leadsOn && !isLast,
      mask: context.mask,
    });
    if (ruled.kind === "ended") return ended(ruled.outcome);
    const { response } = ruled;
    const isPage = answer.ok || ruled.kind === "ok";
    if (isPage || !leadsOn)
      return ended(await read({ request, response, isPage, redirects, context, settings }));
    if (isLast) {
      const note = `, beyond maxRedirects (${settings.maxRedirects})`;
      return ended(await outcomeOfStatus(response, context.mask, Date.now(), note));
    }
    await drain(response);
    redirects.push(hideSecrets(request.url));
    cookies.take(request, response);
    request = redirected(request, response);
  }
}

/** A request that is for its host where hosts are told apart: because there are many, or because this one says how often. */
function spaced(request: OutgoingRequest, spacingMs: number, settings: ScrapeSettings): OutgoingRequest {
  const { spacingMs: _, ...plain } = request;
  return spacingMs > 0 || hostsVary(settings) ? { ...plain, spacingMs } : plain;
}

type Allowed =
  | { readonly kind: "allowed"; readonly spacingMs: number }
  | { readonly kind: "failed"; readonly outcome: TaskOutcome };

/** Whether the page may be called, and how far apart calls to its host should be. */
async function allow(
  request: OutgoingRequest,
  context: TaskContext,
  settings: ScrapeSettings,
  isFirst: boolean,
): Promise<Allowed> {
  const url = URL.parse(hideSecrets(request.url));
  if (!settings.robots || url === null) return { kind: "allowed", spacingMs: 0 };
  const answer = await robotsOf(url.origin, context, settings, isFirst);
  if (answer.kind === "failed") return answer;
  if (answer.robots.allows(url.href)) return { kind: "allowed", spacingMs: answer.robots.crawlDelayMs };
  const message = `robots.txt of ${url.host} disallows the page`;
  return {
    kind: "failed",
    outcome: { kind: "permanent", errorKind: "disallowed", message, called: !isFirst || answer.isNew },
  };
}

async function robotsOf(
  origin: string,
  context: TaskContext,
  settings: ScrapeSettings,
  isFirst: boolean,
): Promise<RobotsAnswer & { readonly isNew: boolean }> {
  const { userAgent, timeoutMs } = settings;
  const key = `${context.runId} ${origin} ${userAgent}`;
  const nowMs = Date.now();
  const robots = robotsKept.get(key, nowMs);
  if (robots !== null) return { kind: "robots", robots, isNew: false };
  if (isFirst && (robotsUnderWay.get(key) ?? 0) > nowMs) throw new ItemNotDue(ROBOTS_WAIT_MS);
  if (robotsUnderWay.size > ROBOTS_HOSTS_KEPT) robotsUnderWay.clear();
  robotsUnderWay.set(key, nowMs + timeoutMs);
  try {
    const answer = await fetchRobots(origin, context, {
      userAgent,
      timeoutMs,
      isForHost: hostsVary(settings),
    });
    if (answer.kind === "robots") {
      robotsKept.set(key, { robots: answer.robots, chars: answer.chars ?? 0, atMs: nowMs });
    }
    return { ...answer, isNew: true };
  } finally {
    robotsUnderWay.delete(key);
  }
}

interface Answered {
  readonly request: OutgoingRequest;
  readonly response: Response;
  /** Its status is a success, or a rule says so. */
  readonly isPage: boolean;
  /** URLs that were called before, in order. */
  readonly redirects: readonly string[];
  readonly context: TaskContext;
  readonly settings: ScrapeSettings;
}

async function read(answered: Answered): Promise<TaskOutcome> {
  const { request, response, isPage, context, settings } = answered;
  const { status } = response;
  if (!isPage) return outcomeOfPageStatus(answered);
  const type = response.headers.get("content-type");
  if (type !== null && !/^\s*(?:text\/html|application\/xhtml\+xml)\b/i.test(type)) {
    await drain(response);
    return noPage(status, `${statusLine(response)}, but ${type.split(";")[0]?.trim()} is not HTML`);
  }
  const bytes = await readBody(response, settings.maxResponseBytes);
  if (bytes === null) {
    const limit = `maxResponseBytes (${settings.maxResponseBytes})`;
    return noPage(status, `${statusLine(response)}, but the page is longer than ${limit}`);
  }
  const html = decodePage(bytes, type);
  if (type === null && !html.trimStart().startsWith("<")) {
    return noPage(status, `${statusLine(response)}, but the answer is not HTML`);
  }
  const page = await readPage(html, fieldRules(settings));
  if (!page.needsBrowser) return { kind: "ok", value: rowValue(page, answered), status };
  if (!settings.browser) return noPage(status, "the page needs a browser: it has scripts and no text");
  const rendered = await readRendered(context, request, settings);
  if (rendered.kind !== "html") return rendered;
  return {
    kind: "ok",
    value: rowValue(await readPage(rendered.html, fieldRules(settings)), answered),
    status,
  };
}

function rowValue(page: Page, { request, redirects, settings }: Answered): Json {
  const value = { url: hideSecrets(request.url), title: page.title, redirects };
  return Object.keys(settings.fields).length === 0 ? value : { ...value, fields: page.fields };
}

/** A site that refuses everybody who is not a browser (403) has not refused credentials. */
async function outcomeOfPageStatus({ response, settings, context }: Answered): Promise<TaskOutcome> {
  const outcome = await outcomeOfStatus(response, context.mask, Date.now());
  if (outcome.kind === "transient" && outcome.status === 503) {
    const { errorKind: _, isDown: __, ...said } = outcome;
    return { ...said, kind: "throttled" };
  }
  if (outcome.kind === "permanent" && outcome.refused === true && scrapeTask.secrets(settings).length === 0) {
    const { refused: _, because: __, ...permanent } = outcome;
    return permanent;
  }
  return outcome;
}

function noPage(status: number, message: string): TaskOutcome {
  return { kind: "permanent", errorKind: "parse", message, status, called: true };
}
