/**
 * What a spec says about the task `http`, its templates parsed once.
 * Pure: the same settings always make the same requests.
 */
import { type AnswerRule, planRules, type RuleText } from "../../core/answer/answerRules.ts";
import { type Statuses, statusesOf } from "../../core/statuses.ts";
import { type BodyTemplate, parseBodyTemplate } from "../../core/template/bodyTemplate.ts";
import { complainAboutHeaderName } from "../../core/template/headerTemplate.ts";
import { secretsOf, type Template, usesItem } from "../../core/template/template.ts";
import { parseUrlTemplate, type UrlTemplate } from "../../core/template/urlTemplate.ts";
import type { Complaint } from "../task.ts";
import { headerEntries, type PlannedHeader, planHeaders } from "./headerSettings.ts";
import { type BatchPlan, complainAboutBatch, planBatch } from "./httpBatchSettings.ts";
import type { HttpSettings } from "./httpSchema.ts";

/** The settings with every template parsed and every default decided. */
export interface HttpPlan {
  readonly method: string;
  readonly url: UrlTemplate;
  readonly headers: readonly PlannedHeader[];
  readonly body: BodyTemplate | null;
  /** By status: whether it is expected. */
  readonly expected: Statuses;
  /** What the spec says that answers mean, `failWhen` as the last of them. */
  readonly rules: readonly AnswerRule[];
  /** How calls with several items are made; null where each item has a call of its own. */
  readonly batch: BatchPlan | null;
}

export type PlannedHttp =
  | { readonly kind: "ok"; readonly plan: HttpPlan }
  | { readonly kind: "invalid"; readonly complaints: readonly Complaint[] };

/** Parses the templates; invalid carries every complaint. */
export function planHttp(settings: HttpSettings): PlannedHttp {
  const url = parseUrlTemplate(settings.url);
  const { headers, complaints: ofHeaders } = planHeaders(headerEntries(settings.headers));
  const body = planBody(settings);
  const batch = planBatch(settings);
  const rules = planRules([...(settings.answers ?? []), ...failRule(settings)], "answers");
  const complaints = [
    ...(url.kind === "invalid" ? [{ path: "url", message: url.message }] : []),
    ...ofHeaders,
    ...(body.kind === "invalid" ? [{ path: "body", message: body.message }] : []),
    ...rules.complaints,
    ...(batch.kind === "invalid" ? [batch.complaint] : []),
  ];
  if (complaints.length > 0 || url.kind === "invalid" || body.kind === "invalid" || batch.kind === "invalid")
    return { kind: "invalid", complaints };
  const plan: HttpPlan = {
    method: settings.method ?? (body.value === null ? "GET" : "POST"),
    url: url.value,
    headers: [...headers, ...defaultHeaders(headers, body.value)],
    body: body.value,
    expected: statusesOf(settings.expect),
    rules: rules.rules,
    batch: batch.plan,
  };
  const together = complain(settings, plan);
  return together.length === 0 ? { kind: "ok", plan } : { kind: "invalid", complaints: together };
}

function planBody(
  settings: HttpSettings,
):
  | { readonly kind: "ok"; readonly value: BodyTemplate | null }
  | { readonly kind: "invalid"; message: string } {
  if (settings.body === null) return { kind: "ok", value: null };
  const type = Object.entries(settings.headers).find(([name]) => name.toLowerCase() === "content-type");
  return parseBodyTemplate(settings.body, type?.[1] ?? null);
}

function defaultHeaders(given: readonly { readonly name: string }[], body: BodyTemplate | null) {
  const defaults = [["user-agent", "weir"]];
  if (body !== null) defaults.push(["content-type", body.contentType]);
  return defaults
    .filter(([name]) => !given.some((header) => header.name === name))
    .map(([name = "", text = ""]) => ({ name, template: [{ kind: "text", text }] as const }));
}

/** `failWhen` as a rule: an expected answer that has a value in its body. */
function failRule({ failWhen, expect }: HttpSettings): readonly RuleText[] {
  if (failWhen === null) return [];
  return [{ when: { status: expect, pointer: failWhen.pointer, equals: failWhen.equals }, is: "failed" }];
}

/** What the parts allow one by one and not together. */
function complain(settings: HttpSettings, plan: HttpPlan): readonly Complaint[] {
  const complaints: Complaint[] = [];
  const say = (path: string, message: string) => complaints.push({ path, message });
  if (plan.body !== null && (plan.method === "GET" || plan.method === "HEAD"))
    say("body", `a ${plan.method} request has no body; accepted with "method": "POST" and others`);
  const ofBatch = complainAboutBatch(settings, plan, templatesOf(plan));
  if (ofBatch !== null) complaints.push(ofBatch);
  else if (!templatesOf(plan).some(usesItem)) {
    const accepted = "accepted are {{item}} and {{item.field}}";
    say(
      "url",
      `{{item}} stands neither in the url nor in headers or body, so every call would be the same; ${accepted}`,
    );
  }
  if (plan.url.origin !== null && URL.parse(plan.url.origin) === null)
    say("url", `${plan.url.origin} is not a valid host`);
  if (settings.failWhen !== null && settings.value === "none")
    say("failWhen", 'needs a value to look at; accepted with "value": "auto", "json" or "text"');
  const header = settings.idempotencyHeader;
  if (header === null) return complaints;
  const message = complainAboutHeaderName(header);
  if (message !== null) say("idempotencyHeader", message);
  else if (plan.headers.some(({ name }) => name === header.toLowerCase()))
    say("idempotencyHeader", `${header} stands in headers too`);
  return complaints;
}

function templatesOf(plan: HttpPlan): readonly Template[] {
  return [
    plan.url.template,
    ...plan.headers.map(({ template }) => template),
    ...(plan.body?.templates ?? []),
  ];
}

/** Names of the secrets in the templates, each once. */
export function secretsOfPlan(plan: HttpPlan): string[] {
  return [...new Set(templatesOf(plan).flatMap(secretsOf))];
}
