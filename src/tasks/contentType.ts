/** What the content type of an answer says of its text. */

export interface ContentType {
  /** Lower-case; without one, or one that UTF-8 contains: "utf-8". */
  readonly charset: string;
  readonly isJson: boolean;
}

/** A target says few different ones, and thousands of times a second: the last one is remembered. */
let known: { readonly text: string | null; readonly type: ContentType } | null = null;

export function contentTypeOf(response: Response): ContentType {
  const text = response.headers.get("content-type");
  if (known === null || known.text !== text) known = { text, type: parse(text ?? "") };
  return known.type;
}

function parse(text: string): ContentType {
  const charset = /charset="?([^\s";]+)/i.exec(text)?.[1]?.toLowerCase();
  const isUtf8 = charset === undefined || charset === "utf8" || charset === "us-ascii";
  return { charset: isUtf8 ? "utf-8" : charset, isJson: /[/+]json\b/i.test(text) };
}
