/**
 * What the reference, the JSON Schema and the OpenAPI say of a key beside its type: it stands at the key, in its
 * schema (`schema.meta(about(…))`), so that nothing has to be kept in step by hand. A test asks it of every key.
 */
import type { Json } from "../core/spec.ts";

export interface About {
  readonly description: string;
  /** Values as they would stand in a spec; the first one is shown. */
  readonly examples: Json[];
  /** What speaks for the key, its default or its bounds. */
  readonly why?: string;
}

/** `what` in a sentence, one example, and the reason where it does not follow from the sentence. */
export function about(what: string, example: Json, why?: string) {
  const said: About = { description: what, examples: [example], ...(why === undefined ? {} : { why }) };
  return said as About & { readonly [key: string]: unknown };
}
