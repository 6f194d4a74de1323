/**
 * Web pages whose titles are known, in the ways pages are written: charsets, references, drawings, scripts, old
 * markup. What a page's title is was decided before the page was made, so no parser has to be believed.
 */

export interface KnownPage {
  readonly title: string;
  readonly contentType: string;
  readonly body: Uint8Array;
}

/** Page `n`: eight ways to write one, in turn. */
export function knownPage(n: number): KnownPage {
  const make = WAYS[n % WAYS.length];
  if (make === undefined) throw new Error("there is a way for every number");
  return make(n);
}

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const plain = "text/html; charset=utf-8";

/** Text in a charset of one byte a character, whose upper half is an alphabet from `from` on. */
function oneByte(text: string, from: number): Uint8Array {
  return Uint8Array.from(text, (char) => {
    const code = char.charCodeAt(0);
    return code < 0x80 ? code : 0xc0 + code - from;
  });
}

function utf16(text: string): Uint8Array {
  const bytes = [0xff, 0xfe];
  for (const char of text) bytes.push(char.charCodeAt(0) & 0xff, char.charCodeAt(0) >> 8);
  return Uint8Array.from(bytes);
}

const WAYS: readonly ((n: number) => KnownPage)[] = [
  (n) => ({
    title: `Page ${n} – ünïcödé 😀`,
    contentType: plain,
    body: utf8(
      `<!doctype html><html><head><title>Page ${n} – ünïcödé 😀</title></head><body><p>text</body></html>`,
    ),
  }),
  (n) => ({
    title: `<b>${n}</b> & é € ≂̸ "q"`,
    contentType: plain,
    body: utf8(
      `<title>&lt;b&gt;${n}</b> &amp; &eacute; &#8364; &NotEqualTilde; &quot;q&#x22;</title><p>text`,
    ),
  }),
  (n) => ({
    title: `Страница ${n}`,
    contentType: "text/html",
    body: oneByte(`<html><head><meta charset="windows-1251"><title>Страница ${n}</title><body>x`, 0x410),
  }),
  (n) => ({
    title: `Café ${n} © é`,
    contentType: "text/html; charset=ISO-8859-1",
    body: oneByte(`<TITLE>Caf\u00e9 ${n} &copy &eacute</TITLE><P>x`, 0xc0),
  }),
  (n) => ({
    title: `Two lines of page ${n}`,
    contentType: plain,
    body: utf8(`<HTML><HEAD>\n<TITLE LANG=en\n>\n  Two lines\r\n\tof page ${n}\n</TITLE >\n<BODY><H1>x</H1>`),
  }),
  (n) => ({
    title: `The page ${n}`,
    contentType: plain,
    body: utf8(
      `<!-- <title>comment</title> --><script>document.write("<title>script</title>")</script>` +
        `<body><svg viewBox="0 0 1 1"><title>drawing</title></svg><title>The page ${n}</title><p>x`,
    ),
  }),
  (n) => ({ title: `Wide ${n}`, contentType: "text/html", body: utf16(`<title>Wide ${n}</title><p>x`) }),
  (n) => ({
    title: `Long ${n} ${"word ".repeat(2000)}`.trim(),
    contentType: plain,
    body: utf8(
      `<head>${"<meta name=x content=y>".repeat(500)}<title>Long ${n} ${"word ".repeat(2000)}</title>`,
    ),
  }),
];
