/** What the content type of an answer says of its text, beside the encoding (`bodyText.ts`). */

export interface ContentType {
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
  return { isJson: /[/+]json\b/i.test(text) };
}
