/**
 * What a spec says about the task `http`, its templates parsed once.
 * Pure: the same settings always make the same requests.
 */
import { type BodyTemplate, parseBodyTemplate } from "../core/bodyTemplate.ts";
import { complainAboutHeaderName } from "../core/headerTemplate.ts";
import { pointerSteps } from "../core/jsonPointer.ts";
import { secretsOf, type Template, usesItem } from "../core/template.ts";
import { parseUrlTemplate, type UrlTemplate } from "../core/urlTemplate.ts";
import { headerEntries, type PlannedHeader, planHeaders } from "./headerSettings.ts";
import { type BatchPlan, complainAboutBatch, planBatch } from "./httpBatchSettings.ts";
import type { HttpSettings } from "./httpSchema.ts";
import type { Complaint } from "./task.ts";

/** The settings with every template parsed and every default decided. */
export interface HttpPlan {
  readonly method: string;
  readonly url: UrlTemplate;
  readonly headers: readonly PlannedHeader[];
  readonly body: BodyTemplate | null;
  /** By status: whether it is expected. */
  readonly expected: readonly boolean[];
  readonly failWhen: {
    readonly path: readonly string[];
    readonly equals: string;
    readonly says: string;
  } | null;
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
  const complaints = [
    ...(url.kind === "invalid" ? [{ path: "url", message: url.message }] : []),
    ...ofHeaders,
    ...(body.kind === "invalid" ? [{ path: "body", message: body.message }] : []),
    ...(batch.kind === "invalid" ? [batch.complaint] : []),
  ];
  if (complaints.length > 0 || url.kind === "invalid" || body.kind === "invalid" || batch.kind === "invalid")
    return { kind: "invalid", complaints };
  const plan: HttpPlan = {
    method: settings.method ?? (body.value === null ? "GET" : "POST"),
    url: url.value,
    headers: [...headers, ...defaultHeaders(headers, body.value)],
    body: body.value,
    expected: expectedStatuses(settings.expect),
    failWhen: planFailWhen(settings.failWhen),
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

function expectedStatuses(patterns: readonly (string | number)[]): readonly boolean[] {
  const wanted = patterns.map(String);
  const isExpected = (status: string): boolean =>
    wanted.includes(status) || wanted.includes(`${status[0]}xx`);
  return Array.from({ length: 600 }, (_, status) => status >= 200 && isExpected(String(status)));
}

function planFailWhen(failWhen: HttpSettings["failWhen"]): HttpPlan["failWhen"] {
  if (failWhen === null) return null;
  const equals = JSON.stringify(failWhen.equals);
  return {
    path: pointerSteps(failWhen.pointer),
    equals,
    says: `the answer has ${equals} at ${failWhen.pointer === "" ? "its root" : failWhen.pointer}`,
  };
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
