/**
 * The first text that a page of HTML shows, found without reading the rest: enough to tell a page from the shell of an
 * application. No parser: what stands between tags, outside comments and outside elements that show no text.
 */

/** Elements whose content is not text of the page, and everything that is not text by itself. */
const HIDDEN =
  /<!--[\s\S]*?(?:-->|$)|<(script|style|noscript|template|title|textarea|svg)\b[\s\S]*?(?:<\/\1\s*>|$)|<[^>]*(?:>|$)/gi;

/** Text from the page's start, at most about `chars` characters; "" when it shows none. */
export function firstText(html: string, chars: number): string {
  let text = "";
  let at = 0;
  for (const hidden of html.matchAll(HIDDEN)) {
    text += html.slice(at, hidden.index).replace(/\s+/g, " ");
    at = hidden.index + hidden[0].length;
    if (text.trim().length > chars) return text;
  }
  return text + html.slice(at, at + chars);
}
