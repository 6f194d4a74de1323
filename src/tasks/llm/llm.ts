/**
 * The task `llm`: one chat completion per item, at any endpoint that speaks OpenAI's protocol.
 *
 * A call says what tokens it will probably use before it leaves, and the row says what it did use. An answer that does
 * not fit the schema is tried again like garbage from any target; what it cost is counted all the same. No redirect
 * is followed: prompts and keys go to the address in the spec or nowhere.
 */

import type { TokenCost } from "../../core/limiter/tokenQuota.ts";
import type { Json } from "../../core/spec.ts";
import { expandBody } from "../../core/template/bodyTemplate.ts";
import { expandHeader } from "../../core/template/headerTemplate.ts";
import { CannotExpand, hideSecrets, type SecretText } from "../../core/template/template.ts";
import { expandUrl } from "../../core/template/urlTemplate.ts";
import { outcomeOfFault } from "../faults.ts";
import { holdAgainstRules } from "../http/ruledAnswer.ts";
import { perSettings } from "../perSettings.ts";
import {
  describeComplaints,
  type OutgoingRequest,
  type Task,
  type TaskContext,
  type TaskOutcome,
} from "../task.ts";
import { outcomeOfCompletion, spentBy } from "./llmAnswer.ts";
import type { LlmSettings } from "./llmSchema.ts";
import { type LlmPlan, planLlm, secretsOfPlan } from "./llmSettings.ts";
import { type CountTokens, tokenizerFor } from "./tokenizer.ts";

export const llmTask: Task<LlmSettings> = {
  kind: "llm",
  isWeirs: true,
  countsTokens: true,
  check(settings) {
    const planned = planLlm(settings);
    return planned.kind === "invalid" ? planned.complaints : null;
  },
  urls(settings) {
    const { origin } = planOf(settings).url;
    return origin === null ? [] : [origin];
  },
  secrets: (settings) => secretsOfPlan(planOf(settings)),
  preview(settings, item) {
    try {
      const { request } = build(planOf(settings), settings, item);
      const headers = Object.entries(request.headers).map(([name, text]) => [name, hideSecrets(text)]);
      return {
        method: request.method,
        url: hideSecrets(request.url),
        headers: Object.fromEntries(headers) as Record<string, string>,
        body: hideSecrets(request.body ?? []),
      };
    } catch (fault) {
      if (fault instanceof CannotExpand) return null;
      throw fault;
    }
  },
  costOf: (settings, item) => costOf(expandBody(planOf(settings).messages, item), settings),
  open: async () => undefined,
  run: complete,
  close: async () => {},
};

const planOf = perSettings((settings: LlmSettings): LlmPlan => {
  const planned = planLlm(settings);
  if (planned.kind === "invalid") throw new Error(describeComplaints(planned.complaints));
  return planned.plan;
});

async function complete(item: Json, context: TaskContext, settings: LlmSettings): Promise<TaskOutcome> {
  const plan = planOf(settings);
  let built: Built;
  try {
    built = build(plan, settings, item);
  } catch (fault) {
    return outcomeOfFault(fault, false);
  }
  const response = await context.fetch({ ...built.request, tokens: () => costOf(built.messages, settings) });
  return outcomeByRules(response, plan, settings, {
    url: hideSecrets(built.request.url),
    mask: context.mask,
  });
}

/** The rules of the spec come first; an answer that is ok by one is read as a completion whatever its status. */
async function outcomeByRules(
  response: Response,
  { rules, validator }: LlmPlan,
  settings: LlmSettings,
  { url, mask }: { readonly url: string; readonly mask: (text: string) => string },
): Promise<TaskOutcome> {
  if (rules.length === 0) return outcomeOfCompletion(response, settings, validator, mask);
  const { status } = response;
  const maxBytes = settings.maxResponseBytes;
  const isExpected = status === 200;
  const ruled = await holdAgainstRules(response, {
    rules,
    url,
    maxBytes,
    isExpected,
    isRedirect: false,
    mask,
  });
  if (ruled.kind === "ended") return { ...ruled.outcome, ...spentBy(response, ruled.facts.value) };
  if (ruled.kind === "none" || isExpected) {
    return outcomeOfCompletion(ruled.response, settings, validator, mask);
  }
  const { body, headers } = ruled.response;
  const outcome = await outcomeOfCompletion(new Response(body, { headers }), settings, validator, mask);
  return { ...outcome, status };
}

interface Built {
  readonly request: OutgoingRequest;
  readonly messages: SecretText;
}

/** Throws CannotExpand. */
function build(plan: LlmPlan, settings: LlmSettings, item: Json): Built {
  const headers: Record<string, SecretText> = {};
  for (const { name, template } of plan.headers) headers[name] = expandHeader(name, template, item);
  const messages = expandBody(plan.messages, item);
  const [first, ...more] = expandBody(plan.rest, item);
  const rest = typeof first === "string" ? [first.slice(1), ...more] : more;
  const request = {
    url: expandUrl(plan.url, item),
    method: "POST",
    headers,
    body: ['{"messages":', ...messages, ",", ...rest],
    timeoutMs: settings.timeoutMs,
  };
  return { request, messages };
}

/** Around every message, and before the answer (OpenAI's own recipe for counting). */
const TOKENS_PER_MESSAGE = 4;
const TOKENS_BEFORE_ANSWER = 3;

async function costOf(messages: SecretText, settings: LlmSettings): Promise<TokenCost> {
  const count = await tokenizerFor(settings.model);
  const list = JSON.parse(hideSecrets(messages)) as readonly Json[];
  const schema = settings.schema === null ? 0 : count(JSON.stringify(settings.schema));
  const input = list.reduce<number>(
    (sum, message) => sum + TOKENS_PER_MESSAGE + countStrings(message, count),
    TOKENS_BEFORE_ANSWER + schema,
  );
  return { input, output: settings.maxTokens };
}

function countStrings(value: Json, count: CountTokens): number {
  if (typeof value === "string") return count(value);
  if (typeof value !== "object" || value === null) return 0;
  return Object.values(value).reduce<number>((sum, member) => sum + countStrings(member as Json, count), 0);
}
