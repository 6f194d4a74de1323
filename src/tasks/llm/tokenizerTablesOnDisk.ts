/**
 * The tokenizer's tables in the embedded runtime: files that are read when the first text is counted. As modules they
 * went through memory at every start of every run, three megabytes several times over.
 */
import { env } from "cloudflare:workers";
import type { Encoding } from "./tokenizer.ts";
import type { Ranks } from "./tokenizerTables.ts";

/** Takes the place of `tokenizerTables.ts` (`cli/runtime/workerBuild.ts`); `cli/runtime/bundle.ts` binds TABLES. */
export async function ranksOf(encoding: Encoding): Promise<Ranks> {
  const { TABLES } = env as unknown as { readonly TABLES: Fetcher };
  const answer = await TABLES.fetch(`http://tables/${encoding}.json`);
  if (!answer.ok) throw new Error(`the tokenizer's table ${encoding}: ${answer.status}`);
  return answer.json();
}
