/**
 * What a spec says about the task `http`, its templates parsed once.
 * Pure: the same settings always make the same requests.
 */
import { type BodyTemplate, parseBodyTemplate } from "../core/bodyTemplate.ts";
import { complainAboutHeaderName, parseHeaderTemplate } from "../core/headerTemplate.ts";
import { pointerSteps } from "../core/jsonPointer.ts";
import { secretsOf, type Template, usesItem } from "../core/template.ts";
import { parseUrlTemplate, type UrlTemplate } from "../core/urlTemplate.ts";
import { type BatchPlan, complainAboutBatch, planBatch } from "./httpBatchSettings.ts";
import type { HttpSettings } from "./httpSchema.ts";

export interface Complaint {
  /** Below `task`. */
  readonly path: string;
  readonly message: string;
}

/** The settings with every template parsed and every default decided. */
export interface HttpPlan {
  readonly method: string;
  readonly url: UrlTemplate;
  readonly headers: readonly { readonly name: string; readonly template: Template }[];
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
  | { readonly kind: "invalid"; readonly complaint: Complaint };

/** Parses the templates; invalid carries the first complaint. */
export function planHttp(settings: HttpSettings): PlannedHttp {
  const url = parseUrlTemplate(settings.url);
  if (url.kind === "invalid") return invalid("url", url.message);
  const headers: { name: string; template: Template }[] = [];
  for (const [name, text] of Object.entries(settings.headers)) {
    const complaint = complainAboutHeaderName(name);
    if (complaint !== null) return invalid(`headers.${name}`, complaint);
    const template = parseHeaderTemplate(name, text);
    if (template.kind === "invalid") return invalid(`headers.${name}`, template.message);
    headers.push({ name: name.toLowerCase(), template: template.value });
  }
  const twice = headers.find(({ name }, n) => headers.findIndex((other) => other.name === name) !== n);
  if (twice !== undefined) return invalid("headers", `${twice.name} stands there twice`);
  const body = planBody(settings);
  if (body.kind === "invalid") return invalid("body", body.message);
  const method = settings.method ?? (body.value === null ? "GET" : "POST");
  if (body.value !== null && (method === "GET" || method === "HEAD")) {
    return invalid("body", `a ${method} request has no body; accepted with "method": "POST" and others`);
  }
  const batch = planBatch(settings);
  if (batch.kind === "invalid") return batch;
  const plan: HttpPlan = {
    method,
    url: url.value,
    headers: [...headers, ...defaultHeaders(headers, body.value)],
    body: body.value,
    expected: expectedStatuses(settings.expect),
    failWhen: planFailWhen(settings.failWhen),
    batch: batch.plan,
  };
  const complaint = complainAboutBatch(settings, plan, templatesOf(plan)) ?? complain(settings, plan);
  return complaint === null ? { kind: "ok", plan } : { kind: "invalid", complaint };
}

function invalid(path: string, message: string): PlannedHttp {
  return { kind: "invalid", complaint: { path, message } };
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
function complain(settings: HttpSettings, plan: HttpPlan): Complaint | null {
  if (!templatesOf(plan).some(usesItem)) {
    const message =
      "{{item}} stands neither in the url nor in headers or body, so every call would be the same; accepted are {{item}} and {{item.field}}";
    return { path: "url", message };
  }
  if (plan.url.origin !== null && URL.parse(plan.url.origin) === null) {
    return { path: "url", message: `${plan.url.origin} is no valid host` };
  }
  if (settings.failWhen !== null && settings.value === "none") {
    return {
      path: "failWhen",
      message: 'needs a value to look at; accepted with "value": "auto", "json" or "text"',
    };
  }
  const header = settings.idempotencyHeader;
  if (header === null) return null;
  const message = complainAboutHeaderName(header);
  if (message !== null) return { path: "idempotencyHeader", message };
  const isGiven = plan.headers.some(({ name }) => name === header.toLowerCase());
  return isGiven ? { path: "idempotencyHeader", message: `${header} stands in headers too` } : null;
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
