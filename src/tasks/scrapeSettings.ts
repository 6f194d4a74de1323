/**
 * What a spec says about the task `scrape`. Its request is one of the task `http` with fixed method: the same
 * templates, the same secrets, the same rules of where they go.
 */
import { z } from "zod";
import { MAX_CALL_TIMEOUT_MS, MAX_FIELDS, MAX_REDIRECTS, MAX_RESPONSE_BYTES } from "../core/limits.ts";
import { line, wholeNumber } from "../spec/fields.ts";
import { type HttpSettings, httpSchema } from "./httpSettings.ts";
import { complainAboutSelector, type FieldRules } from "./page.ts";

/** Says who calls: a site's owner finds out what it is. A spec that calls for somebody should name them. */
export const USER_AGENT = "Weir/0.1 (backfill scheduler; obeys robots.txt)";

const FIELD = 'must be a CSS selector, or {"selector": …, "attribute"?: …, "all"?: true}';
const selector = z.string({ error: FIELD }).min(1, { error: FIELD }).max(500, { error: FIELD });
const field = z.union(
  [selector, z.strictObject({ selector, attribute: line(100).optional(), all: z.boolean().default(false) })],
  { error: FIELD },
);

export const scrapeSchema = z.strictObject({
  kind: z.literal("scrape"),
  /** Of a page; "{{item}}" takes each item as an absolute URL. */
  url: z.string().max(8192),
  headers: httpSchema.shape.headers,
  userAgent: line(500).default(USER_AGENT),
  timeoutMs: wholeNumber(1, MAX_CALL_TIMEOUT_MS).default(30_000),
  maxRedirects: wholeNumber(0, MAX_REDIRECTS).default(5),
  /** A longer page is a failed row: a cut one would look like a whole one. */
  maxResponseBytes: wholeNumber(1, MAX_RESPONSE_BYTES).default(2_097_152),
  /** By name: what to take from the page besides its title. */
  fields: z.record(z.string().min(1).max(100), field).default({}),
  /** False: robots.txt is not asked. For sites of one's own. */
  robots: z.boolean().default(true),
  /** A page without text but with scripts is rendered by the binding BROWSER; else it is a failed row. */
  browser: z.boolean().default(false),
});

export type ScrapeSettings = z.infer<typeof scrapeSchema>;

export interface Complaint {
  /** Below `task`. */
  readonly path: string;
  readonly message: string;
}

/** What only the selectors' own reader can tell; null when nothing is wrong. */
export function complainAboutFields(settings: ScrapeSettings): Complaint | null {
  const names = Object.keys(settings.fields);
  if (names.length > MAX_FIELDS) {
    return { path: "fields", message: `must be at most ${MAX_FIELDS}, not ${names.length}` };
  }
  for (const [name, rule] of Object.entries(fieldRules(settings))) {
    const message = complainAboutSelector(rule.selector);
    if (message !== null) return { path: `fields.${name}`, message };
  }
  return null;
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
  return httpSchema.parse({
    kind: "http",
    method: "GET",
    url,
    headers: { ...headers, ...Object.fromEntries(added) },
    timeoutMs,
    maxRedirects,
    maxResponseBytes,
  });
}
