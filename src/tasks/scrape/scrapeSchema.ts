/** What a spec may say about the task `scrape`. */
import { z } from "zod";
import { MAX_CALL_TIMEOUT_MS, MAX_REDIRECTS, MAX_RESPONSE_BYTES } from "../../core/limits.ts";
import { about } from "../../schema/about.ts";
import { line, wholeNumber } from "../../schema/fields.ts";
import { answers } from "../http/answersSchema.ts";
import { httpSchema } from "../http/httpSchema.ts";
import { USER_AGENT } from "./scrapeSettings.ts";

const FIELD = 'must be a CSS selector, or {"selector": …, "attribute"?: …, "all"?: true}';
const selector = z.string({ error: FIELD }).min(1, { error: FIELD }).max(500, { error: FIELD });
const field = z.union(
  [
    selector,
    z.strictObject({
      selector: selector.meta(about("A CSS selector.", "a[href]")),
      attribute: line(100).optional().meta(about("An attribute's value in the place of the text.", "href")),
      all: z.boolean().default(false).meta(about("True: a list of all matches, 1,000 at most.", true)),
    }),
  ],
  { error: FIELD },
);

export const scrapeSchema = z.strictObject({
  kind: z.literal("scrape").meta(about("One page of a website for each item: docs/scrape.md.", "scrape")),
  url: z
    .string()
    .max(8192)
    .meta(
      about(
        'The page\'s address: "{{item}}" takes each item as an absolute URL; or a template as in `http`.',
        "{{item}}",
      ),
    ),
  headers: httpSchema.shape.headers,
  answers,
  userAgent: line(500)
    .default(USER_AGENT)
    .meta(
      about(
        "Says who calls, to pages and to robots.txt.",
        "mybot/2 (+https://example.com/bot)",
        "The product in it decides which group of robots.txt counts.",
      ),
    ),
  timeoutMs: wholeNumber(1, MAX_CALL_TIMEOUT_MS)
    .default(30_000)
    .meta(about("The longest one call may take, headers and body together.", 30_000)),
  maxRedirects: wholeNumber(0, MAX_REDIRECTS)
    .default(5)
    .meta(about("Redirects that are followed; each is a call with a permit of its own.", 5)),
  maxResponseBytes: wholeNumber(1, MAX_RESPONSE_BYTES)
    .default(2_097_152)
    .meta(about("A longer page is a failed row.", 2_097_152, "A cut one would look like a whole one.")),
  fields: z
    .record(z.string().min(1).max(100), field)
    .default({})
    .meta(
      about("What to take from the page besides its title, by name: a CSS selector, or one with settings.", {
        heading: "h1",
        links: { selector: "a[href]", attribute: "href", all: true },
      }),
    ),
  robots: z
    .boolean()
    .default(true)
    .meta(about("False: robots.txt is not asked. For sites of your own.", false)),
  browser: z
    .boolean()
    .default(false)
    .meta(
      about(
        "True: a page without text but with scripts is rendered by the binding BROWSER.",
        true,
        "Else it is a failed row that says so: a row with the title of an empty shell would be wrong unnoticed.",
      ),
    ),
});

export type ScrapeSettings = z.infer<typeof scrapeSchema>;
