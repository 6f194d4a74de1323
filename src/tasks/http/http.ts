/**
 * The task `http`: one request per item, or with `batch` for several, redirects followed by hand.
 *
 * Every request, each hop of a redirect too, goes through `context.fetch` and so takes its own permit. A redirect
 * to another origin carries no secret and no credential header.
 */
import type { AnswerRule } from "../../core/answer/answerRules.ts";
import type { Json } from "../../core/spec.ts";
import { expandBody } from "../../core/template/bodyTemplate.ts";
import { expandHeader } from "../../core/template/headerTemplate.ts";
import { CannotExpand, hideSecrets, type SecretText } from "../../core/template/template.ts";
import { expandUrl } from "../../core/template/urlTemplate.ts";
import { drain } from "../answer/answer.ts";
import { besideOf } from "../answer/beside.ts";
import { readFailedText } from "../answer/failedBody.ts";
import { Cookies } from "../calls/cookies.ts";
import { outcomeOfFault } from "../faults.ts";
import { perSettings } from "../perSettings.ts";
import {
  type BatchOutcome,
  describeComplaints,
  type OutgoingRequest,
  type Task,
  type TaskContext,
  type TaskOutcome,
} from "../task.ts";
import { classOfStatus, outcomeOfValue } from "./httpAnswer.ts";
import { type Answered, callBatch, entryOf } from "./httpBatch.ts";
import type { HttpSettings } from "./httpSchema.ts";
import { type HttpPlan, planHttp, secretsOfPlan } from "./httpSettings.ts";
import { isRedirect, redirected } from "./redirect.ts";
import { holdAgainstRules, type Ruled } from "./ruledAnswer.ts";

export const httpTask: Task<HttpSettings> = {
  kind: "http",
  isWeirs: true,
  check(settings) {
    const planned = planHttp(settings);
    return planned.kind === "invalid" ? planned.complaints : null;
  },
  urls(settings) {
    const { origin } = planOf(settings).url;
    return origin === null ? [] : [origin];
  },
  secrets: (settings) => secretsOfPlan(planOf(settings)),
  hostsVary: (settings) => planOf(settings).url.origin === null,
  preview(settings, item) {
    try {
      const plan = planOf(settings);
      return show(build(plan, settings, plan.batch === null ? item : [entryOf(plan.batch, item)]));
    } catch (fault) {
      if (fault instanceof CannotExpand) return null;
      throw fault;
    }
  },
  open: async () => undefined,
  run: callOnce,
  batch: ({ batch }) => batch ?? 1,
  runBatch: callForAll,
  close: async () => {},
};

const planOf = perSettings((settings: HttpSettings): HttpPlan => {
  const planned = planHttp(settings);
  if (planned.kind === "invalid") throw new Error(describeComplaints(planned.complaints));
  return planned.plan;
});

/** The rules of a spec, for a task whose requests are like ours. */
export function rulesOf(settings: HttpSettings): readonly AnswerRule[] {
  return planOf(settings).rules;
}

/** The request of one item. Throws CannotExpand. */
export function requestOf(settings: HttpSettings, item: Json): OutgoingRequest {
  return build(planOf(settings), settings, item);
}

/** Throws CannotExpand. */
function build(plan: HttpPlan, settings: HttpSettings, item: Json): OutgoingRequest {
  const headers: Record<string, SecretText> = {};
  for (const { name, template } of plan.headers) headers[name] = expandHeader(name, template, item);
  return {
    url: expandUrl(plan.url, item),
    method: plan.method,
    headers,
    body: plan.body === null ? null : expandBody(plan.body, item),
    timeoutMs: settings.timeoutMs,
  };
}

function show(request: OutgoingRequest) {
  const headers = Object.entries(request.headers).map(([name, text]) => [name, hideSecrets(text)]);
  return {
    method: request.method,
    url: hideSecrets(request.url),
    headers: Object.fromEntries(headers) as Record<string, string>,
    body: request.body === null ? null : hideSecrets(request.body),
  };
}

function callOnce(item: Json, context: TaskContext, settings: HttpSettings): Promise<TaskOutcome> {
  const plan = planOf(settings);
  let request: OutgoingRequest;
  try {
    request = build(plan, settings, item);
  } catch (fault) {
    return Promise.resolve(outcomeOfFault(fault, false));
  }
  if (settings.idempotencyHeader === null) return follow(request, context, settings, plan);
  const keyed = withKey(request, context, settings);
  return keyed.then((first) => follow(first, context, settings, plan));
}

async function callForAll(
  items: readonly Json[],
  context: TaskContext,
  settings: HttpSettings,
): Promise<BatchOutcome> {
  const { batch, ...plan } = planOf(settings);
  if (batch === null) throw new Error("calls with several items have a plan");
  const whole = { ...plan, batch };
  return callBatch(
    items,
    whole,
    (entries) => build(whole, settings, entries),
    async (request) => {
      let answered: Answered | null = null;
      const outcome = await follow(
        await withKey(request, context, settings),
        context,
        settings,
        whole,
        (by) => {
          answered = by;
        },
      );
      return { outcome, answered };
    },
    context.mask,
  );
}

async function withKey(
  request: OutgoingRequest,
  context: TaskContext,
  { idempotencyHeader }: HttpSettings,
): Promise<OutgoingRequest> {
  if (idempotencyHeader === null) return request;
  const name = idempotencyHeader.toLowerCase();
  const key = await context.idempotencyKey(saidBy(request));
  return { ...request, headers: { ...request.headers, [name]: [key] }, isRepeatable: true };
}

/** What a target binds a key to. A secret counts by its name: a new key of an account changes nothing. */
function saidBy({ method, url, body }: OutgoingRequest): string {
  return `${method} ${hideSecrets(url)}\n${body === null ? "" : hideSecrets(body)}`;
}

/** Most specs have no rules, and most answers wait for nothing. */
function ruledBy(
  plan: HttpPlan,
  answer: Response,
  of: {
    readonly request: OutgoingRequest;
    readonly context: TaskContext;
    readonly settings: HttpSettings;
    readonly isExpected: boolean;
    readonly isRedirect: boolean;
  },
): Ruled | Promise<Ruled> {
  if (plan.rules.length === 0) return { kind: "none", response: answer };
  const { request, context, settings, isExpected, isRedirect } = of;
  // What an expected answer says of each item is looked at by itself.
  const isApart = isExpected && plan.batch !== null && plan.batch.results !== null;
  return holdAgainstRules(answer, {
    rules: isApart ? plan.rules.filter(({ looksAtValue }) => !looksAtValue) : plan.rules,
    url: hideSecrets(request.url),
    maxBytes: settings.maxResponseBytes,
    isExpected,
    isRedirect,
    mask: context.mask,
  });
}

/** `onAnswer` is told which answer has the value. */
async function follow(
  first: OutgoingRequest,
  context: TaskContext,
  settings: HttpSettings,
  plan: HttpPlan,
  onAnswer?: (answered: Answered) => void,
): Promise<TaskOutcome> {
  let request = first;
  let cookies: Cookies | null = null;
  for (let hops = 0; ; hops++) {
    const answer = await context.fetch(cookies?.dress(request) ?? request);
    const isExpected = plan.expected[answer.status] === true;
    const leadsOn = !isExpected && isRedirect(answer);
    const isLast = hops === settings.maxRedirects;
    const ruling = { isExpected, isRedirect: leadsOn && !isLast };
    const ruled = await ruledBy(plan, answer, { request, context, settings, ...ruling });
    const [asked, answered] = [hideSecrets(first.url), hideSecrets(request.url)];
    // A run of an older Weir has no list.
    const beside = () =>
      besideOf(answer, { keepHeaders: settings.keepHeaders ?? [], asked, answered, mask: context.mask });
    if (ruled.kind === "ended") return { ...ruled.outcome, ...beside() };
    const { response } = ruled;
    if (isExpected || ruled.kind === "ok") {
      onAnswer?.({ response, url: answered });
      return { ...(await outcomeOfValue(response, settings, plan, context.mask)), ...beside() };
    }
    if (!leadsOn || isLast) {
      const outcome = classOfStatus(response, {
        text: await readFailedText(response),
        mask: context.mask,
        nowMs: Date.now(),
        note: leadsOn ? `, beyond maxRedirects (${settings.maxRedirects})` : "",
        mayBeUnderWay: settings.idempotencyHeader !== null && context.mayBeUnderWay,
      });
      return { ...outcome, ...beside() };
    }
    await drain(response);
    cookies ??= new Cookies();
    cookies.take(request, response);
    request = redirected(request, response);
  }
}
