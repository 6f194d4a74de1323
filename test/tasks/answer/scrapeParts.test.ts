/** The parts of `scrape` that need no HTML reader: references, encodings, robots.txt, settings. */

import fc from "fast-check";
import robotsParser from "robots-parser";
import { describe, expect, it } from "vitest";
import { parseSpec } from "../../../src/runSpec/schema.ts";
import { collapseSpace, decodeReferences } from "../../../src/tasks/answer/characterReferences.ts";
import { decodePage } from "../../../src/tasks/answer/pageText.ts";
import { parseRobots, productOf, RobotsCache } from "../../../src/tasks/scrape/robots.ts";

describe("a character reference", () => {
  it.each<[string, string]>([
    ["&amp;&lt;&gt;&quot;&apos;", "&<>\"'"],
    ["&eacute;&EACUTE;", "é&EACUTE;"],
    ["&eacute and &copy2026", "é and ©2026"],
    ["&notit; &notin;", "¬it; ∉"],
    ["&NotEqualTilde;", "\u2242\u0338"],
    ["&#233;&#xe9;&#XE9 x", "ééé x"],
    ["&#150;&#x80;", "–€"],
    ["&#0;&#xD800;&#x110000;", "\ufffd\ufffd\ufffd"],
    ["AT&T & co; &unknown; &#; &", "AT&T & co; &unknown; &#; &"],
    ["&amp;lt;", "&lt;"],
  ])("%s reads %s", (text, decoded) => {
    expect(decodeReferences(text)).toBe(decoded);
  });

  it("without its semicolon stays in an attribute where it could be a parameter", () => {
    expect(decodeReferences("?a=1&copy=2&reg1&amp;x&copy;", true)).toBe("?a=1&copy=2&reg1&x©");
    expect(decodeReferences("?x&copy", true)).toBe("?x©");
  });

  it("is decoded before white space is judged, and a no-break space is none", () => {
    expect(collapseSpace(decodeReferences(" a&#10;&#9;b&nbsp; "))).toBe("a b\u00a0");
  });
});

describe("a page's text", () => {
  const bytes = (...codes: number[]) => Uint8Array.from(codes);
  const ascii = (text: string, ...codes: number[]) => bytes(...new TextEncoder().encode(text), ...codes);
  it.each<[string, Uint8Array, string | null, string]>([
    ["is in the header's charset", bytes(0xe9), "text/html; charset=iso-8859-1", "é"],
    ["is in its own charset without one", ascii('<meta charset="windows-1251">', 0xcf), "text/html", "П"],
    [
      "finds the charset in the older form",
      ascii('<meta http-equiv="Content-Type" content="text/html; charset=windows-1251">', 0xcf),
      null,
      "П",
    ],
    [
      "prefers the header to the page",
      ascii("<meta charset=windows-1251>", 0xe9),
      "text/html;charset=ISO-8859-1",
      "é",
    ],
    [
      "prefers a byte order mark to both",
      bytes(0xef, 0xbb, 0xbf, 0xc3, 0xa9),
      "text/html; charset=iso-8859-1",
      "é",
    ],
    ["reads UTF-16 with its mark", bytes(0xff, 0xfe, 0x41, 0, 0x42, 0), null, "AB"],
    ["takes no charset from a comment", ascii("<!-- <meta charset=windows-1251> -->", 0xc3, 0xa9), null, "é"],
    ["is UTF-8 without any", bytes(0xc3, 0xa9), "text/html", "é"],
    ["is windows-1252 where it cannot be UTF-8", bytes(0x93, 0xe9, 0x94), "text/html", "“é”"],
    ["takes an unknown charset for none", bytes(0xc3, 0xa9), "text/html; charset=klingon", "é"],
    ["believes no page that says UTF-16 in ASCII", ascii('<meta charset="utf-16">é'), null, "é"],
  ])("%s", (_rule, page, contentType, text) => {
    expect(decodePage(page, contentType).replace(/<[^>]*>|<!--|-->|\s/g, "")).toBe(text);
  });
});

describe("robots.txt", () => {
  const text =
    "User-agent: *\nCrawl-delay: 2\nDisallow: /a\nAllow: /a/b\n\nUser-agent: weir\nDisallow: /only-weir$\n";
  const robots = (userAgent: string) => parseRobots("http://h.example:81", text, userAgent);

  it("lets the longest rule decide", () => {
    const all = robots("other");
    expect([all.allows("http://h.example:81/a/c"), all.allows("http://h.example:81/a/b/c")]).toEqual([
      false,
      true,
    ]);
    expect(all.crawlDelayMs).toBe(2000);
  });

  it("has one group for a product, whatever the version", () => {
    const own = robots("Weir/0.1 (a scheduler)");
    expect([own.allows("http://h.example:81/a"), own.allows("http://h.example:81/only-weir")]).toEqual([
      true,
      false,
    ]);
    expect(own.crawlDelayMs).toBe(0);
  });

  it.each([
    ["Weir/0.1", "weir"],
    ["Mozilla/5.0 (compatible; MyBot/2.1; +http://x)", "mybot"],
    ["  ", "*"],
  ])("takes the product of %j as %s", (userAgent, product) => {
    expect(productOf(userAgent)).toBe(product);
  });

  it("asks for no delay beyond the bound, nor for a negative one", () => {
    const delay = (value: string) =>
      parseRobots("http://h", `User-agent: *\nCrawl-delay: ${value}`, "w").crawlDelayMs;
    expect([delay("86400"), delay("-1"), delay("soon"), delay("0.5")]).toEqual([60_000, 0, 0, 500]);
  });

  it("says of every page what the reference says", () => {
    const piece = fc.constantFrom("/", "a", "b", "*", "$", "%2f", "%2F", "é", "ab", "?", ".");
    const path = fc.array(piece, { maxLength: 6 }).map((pieces) => `/${pieces.join("")}`);
    const key = fc.constantFrom("Allow", "disallow", "Disallow", "User-agent", "Crawl-delay", "Sitemap", "X");
    const value = fc.oneof(path, fc.constantFrom("*", "weir", "Weir/2", "other", "", "3", "x # c"));
    const line = fc.tuple(key, value).map(([name, text]) => `${name}: ${text}`);
    fc.assert(
      fc.property(fc.array(line, { maxLength: 12 }), path, (lines, page) => {
        const file = ["User-agent: *", ...lines].join("\n");
        const reference = robotsParser("http://h.example/robots.txt", file);
        const ours = parseRobots("http://h.example", file, "Weir/1");
        const url = `http://h.example${page}`;
        expect(ours.allows(url)).toBe(reference.isAllowed(url, "weir") !== false);
        expect(ours.crawlDelayMs).toBe(1000 * (reference.getCrawlDelay("weir") ?? 0));
      }),
    );
  });

  it("of wildcards alone is read in no more steps than it has rules and parts", () => {
    const rules = Array.from({ length: 2500 }, () => `Disallow: /${"*a".repeat(100)}b`).join("\n");
    const robots = parseRobots("http://h", `User-agent: *\n${rules}`, "w");
    // With backtracking one page would take longer than all tests.
    for (let n = 0; n < 10; n++) expect(robots.allows(`http://h/${"a".repeat(1000)}`)).toBe(true);
  });

  it("that is garbage allows everything", () => {
    expect(parseRobots("http://h", "<html>\0%%%\nDisallow", "w").allows("http://h/x")).toBe(true);
  });

  it("is kept for a day, and the longest unused go first", () => {
    const cache = new RobotsCache();
    const one = { robots: robots("w"), chars: 3_000_000, atMs: 0 };
    cache.set("a", one);
    cache.set("b", one);
    expect(cache.get("a", 1000)).toBe(one.robots);
    cache.set("c", one);
    expect([cache.get("a", 1000) !== null, cache.get("b", 1000), cache.get("c", 1000) !== null]).toEqual([
      true,
      null,
      true,
    ]);
    expect(cache.get("c", 25 * 3_600_000)).toBeNull();
  });
});

describe("a spec's scrape", () => {
  const source = { kind: "range", from: 0, to: 1 };
  const url = "https://example.com/{{item}}";
  it.each<[string, object, string]>([
    ["a url without the item", { url: "https://example.com/" }, "task.url"],
    ["an unknown key", { url, method: "POST" }, "task.method"],
    ["a field that is not a selector", { url, fields: { a: 1 } }, "task.fields.a"],
    [
      "a field with an unknown key",
      { url, fields: { a: { selector: "a", attr: "href" } } },
      "task.fields.a.attr",
    ],
    [
      "too many fields",
      { url, fields: Object.fromEntries(Array.from({ length: 51 }, (_, i) => [`f${i}`, "a"])) },
      "task.fields",
    ],
    ["a user agent among the headers", { url, headers: { "User-Agent": "x" } }, "task.headers"],
    ["a literal credential", { url, headers: { authorization: "Bearer abc" } }, "task.headers.authorization"],
  ])("refuses %s by name", (_rule, task, path) => {
    expect(parseSpec({ source, task: { kind: "scrape", ...task } })).toMatchObject({ kind: "invalid", path });
  });

  it("fills in what it leaves out", () => {
    const parsed = parseSpec({ source, task: { kind: "scrape", url } });
    expect(parsed).toMatchObject({
      spec: { task: { robots: true, browser: false, maxRedirects: 5, timeoutMs: 30_000, fields: {} } },
    });
  });
});
