/**
 * A web site for tests: the same pages for whoever serves them, a server on a socket or the outside of workerd. What it
 * says depends on the host name's first label: `open` has no robots.txt, `dead` cannot say, `slow` asks for a delay.
 */

export interface SiteAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
}

const HTML = { "content-type": "text/html; charset=utf-8" };

/** What the site answers to a GET. `userAgent`: of the request. */
export function answerOf(url: URL, userAgent: string | null): SiteAnswer {
  if (url.pathname === "/robots.txt") return robotsOf(url.hostname);
  const page = PAGES[url.pathname];
  if (page !== undefined) return typeof page === "function" ? page(url) : page;
  if (url.pathname.startsWith("/item/")) return html(`<title>Item ${url.pathname.slice(6)}</title><p>text`);
  if (url.pathname === "/who") return html(`<title>${userAgent}</title><p>you`);
  return { status: 404, headers: HTML, body: "<title>Not here</title>" };
}

export function html(
  body: string | Uint8Array,
  headers: Readonly<Record<string, string>> = HTML,
): SiteAnswer {
  return { status: 200, headers, body };
}

function robotsOf(hostname: string): SiteAnswer {
  const headers = { "content-type": "text/plain" };
  const kind = hostname.split(".")[0]?.replace(/\d+$/, "");
  if (kind === "open") return { status: 404, headers, body: "no such file" };
  if (kind === "dead") return { status: 500, headers, body: "" };
  const delay = kind === "slow" ? "Crawl-delay: 7\n" : "";
  const body = `User-agent: *\n${delay}Disallow: /private/\nAllow: /private/door\n\nUser-agent: otherbot\nDisallow: /\n`;
  return { status: 200, headers, body };
}

function redirect(to: string): SiteAnswer {
  return { status: 302, headers: { location: to }, body: "" };
}

const latin1 = (text: string): Uint8Array => Uint8Array.from(text, (char) => char.charCodeAt(0));

const PAGES: Readonly<Record<string, SiteAnswer | ((url: URL) => SiteAnswer)>> = {
  "/plain": html(
    "<!doctype html><html><head><title>Plain &amp; simple</title></head><body>text</body></html>",
  ),
  "/latin1": html(latin1("<title>caf\xe9</title><p>x"), { "content-type": "text/html; charset=ISO-8859-1" }),
  "/moved": redirect("/plain"),
  "/away": (url) =>
    redirect(`http://open-other.${url.hostname.split(".").slice(-2).join(".")}:${url.port || 80}/plain`),
  "/to-private": redirect("/private/page"),
  "/loop": redirect("/loop"),
  "/private/page": html("<title>secret</title>"),
  "/private/door": html("<title>Door</title><p>come in"),
  "/pdf": { status: 200, headers: { "content-type": "application/pdf" }, body: "%PDF-1.7" },
  "/untyped": { status: 200, headers: {}, body: latin1("<title>Untyped</title><p>x") },
  "/untyped-text": { status: 200, headers: {}, body: latin1("no markup") },
  "/big": html(`<title>Big</title>${"x".repeat(300_000)}`),
  "/busy": { status: 503, headers: HTML, body: "busy" },
  "/too-many": { status: 429, headers: { ...HTML, "retry-after": "7" }, body: "slow down" },
  "/forbidden": { status: 403, headers: HTML, body: "browsers only" },
  "/app": html(
    '<title>App</title><div id="root"></div><noscript>No scripts?</noscript><script src="/app.js"></script>',
  ),
};
