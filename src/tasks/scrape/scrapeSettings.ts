/**
 * What a spec says about the task `scrape`. Its request is one of the task `http` with fixed method: the same
 * templates, the same secrets, the same rules of where they go.
 */
import { MAX_FIELDS } from "../../core/limits.ts";
import type { HttpSettings } from "../http/httpSchema.ts";
import type { Complaint } from "../task.ts";
import { complainAboutSelector, type FieldRules } from "./page.ts";
import type { ScrapeSettings } from "./scrapeSchema.ts";

/** Says who calls: a site's owner finds out what it is. A spec that calls for somebody should name them. */
export const USER_AGENT = "Weir/0.1 (backfill scheduler; obeys robots.txt)";

/** What only the selectors' own reader can tell, of every field. */
export function complainAboutFields(settings: ScrapeSettings): readonly Complaint[] {
  const names = Object.keys(settings.fields);
  const many = `must be at most ${MAX_FIELDS}, not ${names.length}`;
  if (names.length > MAX_FIELDS) return [{ path: "fields", message: many }];
  return Object.entries(fieldRules(settings)).flatMap(([name, rule]) => {
    const message = complainAboutSelector(rule.selector);
    return message === null ? [] : [{ path: `fields.${name}`, message }];
  });
}

/** The fields with every default in its place. */
export function fieldRules(settings: ScrapeSettings): FieldRules {
  const rules = Object.entries(settings.fields).map(([name, rule]) =>
    typeof rule === "string"
      ? ([name, { selector: rule, attribute: null, all: false }] as const)
      : ([name, { ...rule, attribute: rule.attribute ?? null }] as const),
  );
  return Object.fromEntries(rules);
}

/** The request of a page, as the task `http` would make it. */
export function asHttp(settings: ScrapeSettings): HttpSettings {
  const { url, headers, userAgent, timeoutMs, maxRedirects, maxResponseBytes } = settings;
  const own = { accept: "text/html, application/xhtml+xml;q=0.9, */*;q=0.1", "user-agent": userAgent };
  const given = Object.keys(headers).map((name) => name.toLowerCase());
  const added = Object.entries(own).filter(([name]) => name === "user-agent" || !given.includes(name));
  return {
    kind: "http",
    method: "GET",
    url,
    headers: { ...headers, ...Object.fromEntries(added) },
    body: null,
    timeoutMs,
    expect: ["2xx"],
    value: "auto",
    keepHeaders: [],
    answers: settings.answers,
    failWhen: null,
    maxRedirects,
    idempotencyHeader: null,
    maxResponseBytes,
  };
}
