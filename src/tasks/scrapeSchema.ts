/** What a spec may say about the task `scrape`. */
import { z } from "zod";
import { MAX_CALL_TIMEOUT_MS, MAX_REDIRECTS, MAX_RESPONSE_BYTES } from "../core/limits.ts";
import { line, wholeNumber } from "../spec/fields.ts";
import { httpSchema } from "./httpSchema.ts";
import { USER_AGENT } from "./scrapeSettings.ts";

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
