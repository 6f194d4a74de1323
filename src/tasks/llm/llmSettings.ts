/**
 * What a spec says about the task `llm`, its templates parsed once.
 * Pure: the same settings always make the same requests.
 */
import { Validator } from "@cfworker/json-schema";
import { type AnswerRule, planRules } from "../../core/answer/answerRules.ts";
import type { Json } from "../../core/spec.ts";
import { type BodyTemplate, parseBodyTemplate } from "../../core/template/bodyTemplate.ts";
import { secretsOf, type Template, usesItem } from "../../core/template/template.ts";
import { parseUrlTemplate, type UrlTemplate } from "../../core/template/urlTemplate.ts";
import { headerEntries, type PlannedHeader, planHeaders } from "../http/headerSettings.ts";
import type { Complaint } from "../task.ts";
import type { LlmSettings } from "./llmSchema.ts";

/** The settings with every template parsed and every default decided. */
export interface LlmPlan {
  readonly url: UrlTemplate;
  readonly headers: readonly PlannedHeader[];
  readonly messages: BodyTemplate;
  /** Everything else in the request. */
  readonly rest: BodyTemplate;
  /** Null: the answer is text. */
  readonly validator: Validator | null;
  readonly rules: readonly AnswerRule[];
}

export type PlannedLlm =
  | { readonly kind: "ok"; readonly plan: LlmPlan }
  | { readonly kind: "invalid"; readonly complaints: readonly Complaint[] };

/** Parses the templates; invalid carries every complaint. */
export function planLlm(settings: LlmSettings): PlannedLlm {
  const url = planUrl(settings);
  const key = complainAboutKey(settings);
  const { headers, complaints: ofHeaders } = planHeaders(headersOf(settings), OWN_HEADERS);
  const messages = planMessages(settings);
  const rest = parseBodyTemplate(restOf(settings), null);
  const validator = settings.schema === null ? null : validatorOf(settings.schema);
  const rules = planRules(settings.answers ?? [], "answers");
  const complaints = [
    ...(url.kind === "invalid" ? [url.complaint] : []),
    ...(key === null ? ofHeaders : [key, ...ofHeaders.filter(({ path }) => path !== key.path)]),
    ...(messages.kind === "invalid" ? [messages.complaint] : []),
    ...(rest.kind === "invalid" ? [{ path: "body", message: rest.message }] : []),
    ...rules.complaints,
    ...(typeof validator === "string" ? [{ path: "schema", message: validator }] : []),
  ];
  if (
    complaints.length > 0 ||
    url.kind === "invalid" ||
    messages.kind === "invalid" ||
    rest.kind === "invalid"
  )
    return { kind: "invalid", complaints };
  if (typeof validator === "string") return { kind: "invalid", complaints };
  const plan = {
    url: url.url,
    headers,
    messages: messages.template,
    rest: rest.value,
    validator,
    rules: rules.rules,
  };
  if (templatesOf(plan).some(usesItem)) return { kind: "ok", plan };
  const path = settings.messages === null ? "prompt" : "messages";
  const message =
    "holds no {{item}}, so every call would be the same; accepted are {{item}} and {{item.field}}";
  return { kind: "invalid", complaints: [{ path, message }] };
}

/** Names of the secrets in the templates, each once. */
export function secretsOfPlan(plan: LlmPlan): string[] {
  return [...new Set(templatesOf(plan).flatMap(secretsOf))];
}

function invalid(path: string, message: string): { readonly kind: "invalid"; readonly complaint: Complaint } {
  return { kind: "invalid", complaint: { path, message } };
}

function templatesOf(plan: LlmPlan): readonly Template[] {
  return [
    plan.url.template,
    ...plan.headers.map(({ template }) => template),
    ...plan.messages.templates,
    ...plan.rest.templates,
  ];
}

function chatUrl(url: string): string {
  return url.includes("/chat/completions") ? url : `${url.replace(/\/+$/, "")}/chat/completions`;
}

function planUrl(settings: LlmSettings) {
  const url = parseUrlTemplate(chatUrl(settings.url));
  if (url.kind === "invalid") return invalid("url", url.message);
  const { origin, template } = url.value;
  if (origin === null || usesItem(template))
    return invalid("url", "holds {{item}}; accepted is the endpoint's own URL, the same for every item");
  if (URL.parse(origin) === null) return invalid("url", `${origin} is not a valid host`);
  return { kind: "ok", url: url.value } as const;
}

const OWN_HEADERS = [
  { name: "user-agent", template: [{ kind: "text", text: "weir" }] },
  { name: "content-type", template: [{ kind: "text", text: "application/json" }] },
] as const satisfies readonly PlannedHeader[];

function headersOf({ headers, apiKey }: LlmSettings) {
  const given = headerEntries(headers);
  if (apiKey === null) return given;
  return [...given, { name: "authorization", text: `Bearer ${apiKey.trim()}`, path: "apiKey" }];
}

function complainAboutKey({ apiKey }: LlmSettings): Complaint | null {
  if (apiKey === null || /^\s*\{\{\s*secret:[^{}]*\}\}\s*$/.test(apiKey)) return null;
  return {
    path: "apiKey",
    message: "must be {{secret:NAME}}, with WEIR_SECRET_NAME set; a literal key would be stored",
  };
}

function planMessages(settings: LlmSettings) {
  const { system, prompt, messages } = settings;
  if ((messages === null) === (prompt === null))
    return invalid("prompt", "or messages must be given, and not both");
  if (messages !== null && system !== null)
    return invalid("system", "goes with prompt; in messages it is a message of the role system");
  const list: Json = messages ?? [
    ...(system === null ? [] : [{ role: "system", content: system }]),
    { role: "user", content: prompt },
  ];
  const parsed = parseBodyTemplate(list, null);
  if (parsed.kind === "invalid") return invalid(messages === null ? "prompt" : "messages", parsed.message);
  return { kind: "ok", template: asText(parsed.value) } as const;
}

/** A message is text: an insertion that stands alone in its string is text too, and not a value of its own. */
function asText(body: BodyTemplate): BodyTemplate {
  if (body.root.kind !== "json") return body;
  const parts = body.root.parts.map((part) =>
    part.kind === "string" && part.template.length === 1
      ? { kind: "string" as const, template: [{ kind: "text" as const, text: "" }, ...part.template] }
      : part,
  );
  return { ...body, root: { kind: "json", parts } };
}

function restOf({ model, maxTokens, temperature, schema, body }: LlmSettings): Json {
  // Models that think before they answer take the bound under another name.
  const bound = /(?:^|\/)(?:o\d|gpt-5)/.test(model) ? "max_completion_tokens" : "max_tokens";
  const format = { type: "json_schema", json_schema: { name: "answer", strict: true, schema } };
  return {
    model,
    ...(maxTokens === null ? {} : { [bound]: maxTokens }),
    ...(temperature === null ? {} : { temperature }),
    ...(schema === null ? {} : { response_format: format }),
    ...body,
  };
}

/** A sentence when it is not a schema. */
function validatorOf(schema: Readonly<Record<string, Json>>): Validator | string {
  try {
    return new Validator(schema, "2020-12");
  } catch (fault) {
    return `is not a JSON schema: ${fault instanceof Error ? fault.message : String(fault)}`;
  }
}
