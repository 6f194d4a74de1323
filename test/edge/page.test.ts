import { describe, expect, it } from "vitest";
import { complainAboutSelector, type FieldRule, readPage } from "../../src/tasks/scrape/page.ts";

const rule = (selector: string, change: Partial<FieldRule> = {}): FieldRule => ({
  selector,
  attribute: null,
  all: false,
  ...change,
});

async function titleOf(html: string): Promise<string | null> {
  return (await readPage(html, {})).title;
}

async function fieldOf(html: string, one: FieldRule) {
  return (await readPage(html, { one })).fields.one;
}

describe("a page's title", () => {
  it.each<[string, string, string | null]>([
    ["is the title's text", "<html><head><title>A page</title></head><body>x</body></html>", "A page"],
    [
      "has its references decoded",
      "<title>a &lt;b&gt; &amp; &eacute; &#8211; &#x1F600;</title>",
      "a <b> & é – 😀",
    ],
    ["keeps markup as text", "<title>How to use <b></title>", "How to use <b>"],
    ["has its white space collapsed", "<title>\n  two\t words \r\n</title>", "two words"],
    ["keeps a no-break space", "<title>a&nbsp;b</title>", "a\u00a0b"],
    ["is the first one", "<title>first</title><title>second</title>", "first"],
    ["is not one of a drawing", "<svg><title>drawing</title></svg><title>page</title>", "page"],
    ["is found after a drawing that closes itself", "<svg/><title>page</title>", "page"],
    ["is not what a comment says", "<!-- <title>comment</title> --><title>page</title>", "page"],
    ["is not what a script says", '<script>"<title>script</title>"</script><title>page</title>', "page"],
    ["may be empty", "<title></title><p>x", ""],
    ["may be missing", "<p>x", null],
    ["needs no head", "<TITLE lang=en>Old</TITLE><P>x", "Old"],
    ["is read over any length", `<title>${"word ".repeat(20_000)}</title>`, "word ".repeat(20_000).trim()],
    ["is read whatever charset the page claims", '<meta charset="windows-1252"><title>žluť</title>', "žluť"],
  ])("%s", async (_rule, html, title) => {
    expect(await titleOf(html)).toBe(title);
  });
});

describe("a field", () => {
  const list = '<ul class="tags"><li>one</li><li class=b>t&amp;wo <b>bold</b></li></ul><p id=p>end';
  it.each<[string, string, FieldRule, unknown]>([
    ["is the first match's text", list, rule("li"), "one"],
    ["includes the text of what stands inside", list, rule(".b"), "t&wo bold"],
    ["is a list of all matches when asked for", list, rule("li", { all: true }), ["one", "t&wo bold"]],
    ["is null without a match", list, rule("h1"), null],
    ["is an empty list without a match", list, rule("h1", { all: true }), []],
    ["reaches to the end without an end tag", list, rule("#p"), "end"],
    [
      "is an attribute",
      '<a href="/x?a=1&amp;b=2&copy=3">x</a>',
      rule("a", { attribute: "href" }),
      "/x?a=1&b=2&copy=3",
    ],
    ["takes no match without the attribute", "<a>x</a><a rel=n>y</a>", rule("a", { attribute: "rel" }), "n"],
    [
      "takes attributes of elements without content",
      '<meta name=d content="D">',
      rule("meta[name=d]", { attribute: "content" }),
      "D",
    ],
    ["has no text of scripts", "<div>a<script>b</script><style>c</style>d</div>", rule("div"), "ad"],
    [
      "may be a script",
      '<script type="application/ld+json">{"a":1}</script>',
      rule("script[type='application/ld+json']"),
      '{"a":1}',
    ],
    ["may be the title", "<title>T</title>", rule("title"), "T"],
    [
      "is told apart where matches nest",
      "<div>a<div>b</div>c</div>",
      rule("div", { all: true }),
      ["abc", "b"],
    ],
    ["ends where its element ends", "<div><p>a</p></div><p>b</p>", rule("div"), "a"],
  ])("%s", async (_rule, html, field, value) => {
    expect(await fieldOf(html, field)).toEqual(value);
  });

  it("may ask for an element that another field asks for", async () => {
    const fields = { a: rule("h1"), b: rule("h1", { all: true }), c: rule(".x", { attribute: "class" }) };
    const page = await readPage("<h1 class=x>one</h1><p>and</p><h1>two</h1>", fields);
    expect(page.fields).toEqual({ a: "one", b: ["one", "two"], c: "x" });
  });

  it("holds no more matches than its bound", async () => {
    const values = await fieldOf("<i>x</i>".repeat(1500), rule("i", { all: true }));
    expect(values).toHaveLength(1000);
  });
});

describe("a selector", () => {
  it.each(["h1", ".price", "#main > p", "a[href]", "li:first-child", "h1, h2"])("may be %s", (selector) => {
    expect(complainAboutSelector(selector)).toBeNull();
  });
  it.each(["", "h1 >", "a + b", "p::before", ":has(a)", "[", "{{item}}"])("may not be %j", (selector) => {
    expect(complainAboutSelector(selector)).toContain("accepted are");
  });
});

describe("a page", () => {
  const script = "<script>go()</script>";
  it.each<[string, boolean]>([
    [`<title>App</title><div id="root"></div>${script}`, true],
    [`<div id="root">Loading…</div><noscript>Please enable scripts</noscript>${script}`, true],
    [`<p>Text</p>${script}`, false],
    [`<p>Loading docks of the world</p>${script}`, false],
    ["<title>Empty</title><body></body>", false],
    [`<head><title>No end of head</title><p>Text${script}`, false],
    [`<!-- comment --><svg><text>drawn</text></svg><style>p{}</style>${script}`, true],
  ])("%s needs a browser: %s", async (html, needsBrowser) => {
    expect((await readPage(html, {})).needsBrowser).toBe(needsBrowser);
  });
});
