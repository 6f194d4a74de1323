/**
 * Counting tokens as the models of OpenAI do. Loaded when the first text is counted: its tables are megabytes, and
 * only runs with a quota or a budget need them. Other makers' models count a little differently: what is counted here
 * is a reservation, and is settled with the target's own count.
 */

import { ranksOf } from "./tokenizerTables.ts";

/** How many tokens a text has. */
export type CountTokens = (text: string) => number;

export type Encoding = "o200k_base" | "cl100k_base";

/**
 * Counted in pieces: a text without spaces costs more than its length to count. Each piece may count one token too
 * many, one in a thousand.
 */
const PIECE_CHARS = 4000;

const loaded = new Map<Encoding, Promise<CountTokens>>();

/** The models of before GPT-4o, by name; everything else is counted with the present encoding. */
export function encodingOf(model: string): Encoding {
  return /(?:^|\/)(?:gpt-4(?!o|\.)|gpt-3\.5|text-embedding-)/.test(model) ? "cl100k_base" : "o200k_base";
}

/** The counter for a model; loads its tables the first time. */
export function tokenizerFor(model: string): Promise<CountTokens> {
  const encoding = encodingOf(model);
  const known = loaded.get(encoding);
  if (known !== undefined) return known;
  const loading = load(encoding);
  loaded.set(encoding, loading);
  return loading;
}

async function load(encoding: Encoding): Promise<CountTokens> {
  const [{ GptEncoding }, ranks] = await Promise.all([
    import("gpt-tokenizer/GptEncoding"),
    ranksOf(encoding),
  ]);
  const counter = GptEncoding.getEncodingApi(encoding, () => ranks);
  // What looks like a special token is text like any other.
  const plain = { disallowedSpecial: new Set<string>() };
  return (text) => {
    let tokens = 0;
    for (let at = 0; at < text.length; at += PIECE_CHARS) {
      tokens += counter.countTokens(text.slice(at, at + PIECE_CHARS), plain);
    }
    return tokens;
  };
}
