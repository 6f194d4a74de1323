import { describe, expect, it } from "vitest";
import type { Json } from "../../src/core/spec.ts";
import type { Browser } from "../../src/objects/env.ts";
import { parseSpec } from "../../src/runSpec/schema.ts";
import { createEgress } from "../../src/tasks/calls/egress.ts";
import { taskOf } from "../../src/tasks/registry.ts";
import type { TaskOutcome } from "../../src/tasks/task.ts";

/** What one run has scraped: its tries share what they learnt of robots.txt. */
class Scraper {
  permits = 0;
  readonly #run: string;
  readonly #task: { readonly [key: string]: Json };
  readonly #browser: Browser | undefined;
  readonly #stop = new AbortController();

  constructor(task: { readonly [key: string]: Json } = {}, browser?: Browser) {
    this.#run = crypto.randomUUID();
    this.#task = { kind: "scrape", url: "{{item}}", ...task };
    this.#browser = browser;
  }

  try(url: string): Promise<TaskOutcome> {
    const source = { kind: "range", from: 0, to: 1 };
    const parsed = parseSpec({ source, task: this.#task });
    if (parsed.kind === "invalid") throw new Error(`${parsed.path} ${parsed.message}`);
    const { spec } = parsed;
    const task = taskOf("scrape");
    if (task === null) throw new Error("there is no task scrape");
    const settings = { version: 1, run: this.#run, root: "root", spec, itemSource: source, child: false };
    const egress = createEgress({ env: {}, settings, browser: this.#browser });
    const permits = {
      take: async () => ({
        use: () => ++this.permits > 0,
        done: () => {},
        giveWay: () => null,
        epoch: 0,
        probe: false,
      }),
    };
    return egress.run({ task, client: undefined, item: url, index: 0, permits, signal: this.#stop.signal });
  }

  stop(): void {
    this.#stop.abort();
  }
}

/** Paths that a host was asked for. */
async function asked(host: string): Promise<string[]> {
  const urls = await (await fetch("http://log.site.test/")).json<string[]>();
  return urls.filter((url) => new URL(url).hostname === host).map((url) => new URL(url).pathname);
}

let hosts = 0;
const newHost = (kind = "plain") => `${kind}${++hosts}.site.test`;

describe("a page", () => {
  it("is a row with its URL and title, after one look at robots.txt", async () => {
    const host = newHost();
    const scraper = new Scraper();
    expect(await scraper.try(`http://${host}/plain`)).toEqual({
      kind: "ok",
      status: 200,
      value: { url: `http://${host}/plain`, title: "Plain & simple", redirects: [] },
    });
    await scraper.try(`http://${host}/latin1`);
    expect(await asked(host)).toEqual(["/robots.txt", "/plain", "/latin1"]);
    expect(scraper.permits).toBe(3);
  });

  it.each<[string, Partial<TaskOutcome>]>([
    ["/latin1", { kind: "ok", value: { title: "café" } as never }],
    ["/untyped", { kind: "ok" }],
    [
      "/untyped-text",
      { kind: "permanent", errorKind: "parse", message: "200 OK, but the answer is not HTML" },
    ],
    ["/pdf", { kind: "permanent", errorKind: "parse", message: "200 OK, but application/pdf is not HTML" }],
    [
      "/big",
      {
        kind: "permanent",
        errorKind: "parse",
        message: "200 OK, but the page is longer than maxResponseBytes (100000)",
      },
    ],
    ["/nowhere", { kind: "permanent", errorKind: "http", message: "404 Not Found: Not here", status: 404 }],
    ["/busy", { kind: "throttled", status: 503 }],
    ["/too-many", { kind: "throttled", status: 429, retryAfterMs: 7000 }],
    [
      "/app",
      {
        kind: "permanent",
        errorKind: "parse",
        message: "the page needs a browser: it has scripts and no text",
      },
    ],
  ])("%s becomes what it is", async (path, outcome) => {
    const scraper = new Scraper({ maxResponseBytes: 100_000 });
    expect(await scraper.try(`http://${newHost()}${path}`)).toMatchObject(outcome);
  });

  it("that is refused to everybody is not a refusal of credentials", async () => {
    const outcome = await new Scraper().try(`http://${newHost()}/forbidden`);
    expect(outcome).toMatchObject({ kind: "permanent", status: 403 });
    expect(outcome).not.toHaveProperty("refused");
  });

  it("gives the fields that are asked for", async () => {
    const scraper = new Scraper({ fields: { text: "p", none: { selector: "h1", all: true } } });
    expect(await scraper.try(`http://${newHost()}/item/7`)).toMatchObject({
      value: { title: "Item 7", fields: { text: "text", none: [] } },
    });
  });

  it("is called as who the spec says", async () => {
    expect(await new Scraper({ userAgent: "MyBot/1.0" }).try(`http://${newHost()}/who`)).toMatchObject({
      value: { title: "MyBot/1.0" },
    });
    expect(await new Scraper().try(`http://${newHost()}/who`)).toMatchObject({
      value: { title: expect.stringMatching(/^Weir\//) },
    });
  });
});

describe("a redirect", () => {
  it("is followed with a permit of its own and recorded", async () => {
    const host = newHost();
    const scraper = new Scraper();
    expect(await scraper.try(`http://${host}/moved`)).toMatchObject({
      value: { url: `http://${host}/plain`, title: "Plain & simple", redirects: [`http://${host}/moved`] },
    });
    expect(scraper.permits).toBe(3);
  });

  it("to another host asks that host's robots.txt", async () => {
    const host = newHost();
    expect(await new Scraper().try(`http://${host}/away`)).toMatchObject({ kind: "ok" });
    expect(await asked("open-other.site.test")).toEqual(["/robots.txt", "/plain"]);
  });

  it("to a page that is disallowed is not followed", async () => {
    const host = newHost();
    expect(await new Scraper().try(`http://${host}/to-private`)).toMatchObject({
      kind: "permanent",
      errorKind: "disallowed",
      called: true,
    });
    expect(await asked(host)).toEqual(["/robots.txt", "/to-private"]);
  });

  it("ends at maxRedirects", async () => {
    const outcome = await new Scraper({ maxRedirects: 2 }).try(`http://${newHost()}/loop`);
    expect(outcome).toMatchObject({ kind: "permanent", message: "302 Found, beyond maxRedirects (2)" });
  });
});

describe("robots.txt", () => {
  it("keeps a disallowed page from being called", async () => {
    const host = newHost();
    const scraper = new Scraper();
    const disallowed = { kind: "permanent", errorKind: "disallowed" };
    const message = `robots.txt of ${host} disallows the page`;
    // The first try called for the robots.txt, the second one called nothing.
    for (const called of [true, false]) {
      expect(await scraper.try(`http://${host}/private/page?x`)).toEqual({ ...disallowed, message, called });
    }
    expect(await scraper.try(`http://${host}/private/door`)).toMatchObject({ kind: "ok" });
    expect(await asked(host)).toEqual(["/robots.txt", "/private/door"]);
  });

  it("is for the product that the user agent names", async () => {
    const outcome = await new Scraper({ userAgent: "Mozilla/5.0 (compatible; OtherBot/2.1)" }).try(
      `http://${newHost()}/plain`,
    );
    expect(outcome).toMatchObject({ errorKind: "disallowed" });
  });

  it("that is missing allows everything", async () => {
    expect(await new Scraper().try(`http://${newHost("open")}/private/page`)).toMatchObject({ kind: "ok" });
  });

  it("that cannot be read allows nothing for now", async () => {
    const host = newHost("dead");
    expect(await new Scraper().try(`http://${host}/plain`)).toMatchObject({
      kind: "transient",
      errorKind: "http",
      message: expect.stringContaining("robots.txt cannot be read (500"),
    });
    expect(await asked(host)).toEqual(["/robots.txt"]);
  });

  it("is not asked for when the spec says so", async () => {
    const host = newHost();
    expect(await new Scraper({ robots: false }).try(`http://${host}/private/page`)).toMatchObject({
      kind: "ok",
    });
    expect(await asked(host)).toEqual(["/private/page"]);
  });

  it("is asked for again by another run", async () => {
    const host = newHost();
    for (const scraper of [new Scraper(), new Scraper()]) await scraper.try(`http://${host}/plain`);
    expect(await asked(host)).toEqual(["/robots.txt", "/plain", "/robots.txt", "/plain"]);
  });
});

/** The browser's answer to one request, and what it was asked. */
function browserThat(answer: () => Promise<Response>) {
  const asked: unknown[] = [];
  const browser: Browser = {
    quickAction: (action, options) => {
      asked.push({ action, ...options });
      return answer();
    },
  };
  return { browser, asked };
}

const rendered = (result: unknown, meta: object = { status: 200 }) =>
  Response.json({ success: true, result, meta });

describe("a page that needs a browser", () => {
  it("is rendered where there is one, with a permit and as the same user agent", async () => {
    const { browser, asked } = browserThat(async () => rendered("<title>Rendered</title><p>now"));
    const scraper = new Scraper({ browser: true, userAgent: "MyBot/1.0" }, browser);
    const host = newHost();
    expect(await scraper.try(`http://${host}/app`)).toMatchObject({
      kind: "ok",
      value: { title: "Rendered" },
    });
    expect(asked).toMatchObject([{ action: "content", url: `http://${host}/app`, userAgent: "MyBot/1.0" }]);
    expect(scraper.permits).toBe(3);
  });

  it("is the only kind that is rendered", async () => {
    const { browser, asked } = browserThat(async () => rendered(""));
    await new Scraper({ browser: true }, browser).try(`http://${newHost()}/plain`);
    expect(asked).toEqual([]);
  });

  it.each<[string, () => Promise<Response>, Partial<TaskOutcome>]>([
    [
      "is busy",
      async () => new Response("", { status: 429, headers: { "retry-after": "3" } }),
      { kind: "transient", retryAfterMs: 3000 },
    ],
    [
      "cannot load the page",
      async () => Response.json({ success: false, errors: [] }, { status: 422 }),
      { kind: "transient" },
    ],
    [
      "answers garbage",
      async () => new Response("<html>"),
      { kind: "transient", message: "the browser's answer holds no page" },
    ],
    [
      "answers what is no text",
      async () => new Response(Uint8Array.from([0x89, 0x50, 0, 0xff])),
      { kind: "transient", message: "the browser's answer holds no page" },
    ],
    ["answers without a page", async () => rendered(null), { kind: "transient" }],
    [
      "says no for all its 200",
      async () => Response.json({ success: false, errors: [] }),
      { kind: "transient" },
    ],
    [
      "answers without end",
      async () => rendered("x".repeat(300_000)),
      { kind: "permanent", errorKind: "parse" },
    ],
    ["was refused by the target", async () => rendered("<p>", { status: 403 }), { kind: "transient" }],
    [
      "throws",
      () => Promise.reject(new Error("no browser")),
      { kind: "transient", errorKind: "network", message: "no browser" },
    ],
    ["never answers", () => new Promise(() => {}), { kind: "transient", errorKind: "timeout" }],
  ])("is a failed try when the browser %s", async (_rule, answer, outcome) => {
    const { browser } = browserThat(answer);
    const scraper = new Scraper({ browser: true, timeoutMs: 500, maxResponseBytes: 100_000 }, browser);
    expect(await scraper.try(`http://${newHost()}/app`)).toMatchObject(outcome);
  });

  it("ends with its lane", async () => {
    let scraper: Scraper | null = null;
    const { browser } = browserThat(() => {
      queueMicrotask(() => scraper?.stop());
      return new Promise(() => {});
    });
    scraper = new Scraper({ browser: true }, browser);
    await expect(scraper.try(`http://${newHost()}/app`)).rejects.toThrow("the lane has to stop");
  });

  it("pauses the run when the binding has gone", async () => {
    await expect(new Scraper({ browser: true }).try(`http://${newHost()}/app`)).rejects.toThrow(
      "the Browser Rendering binding BROWSER is missing",
    );
  });
});
