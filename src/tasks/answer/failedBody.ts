/**
 * The body of an answer that is a failure: its words for the message, and its beginning for the row. It is read in the
 * place of being drained, never further, and whatever goes wrong with it changes nothing of what the status says.
 */
import { ERROR_BODY_BYTES, MAX_ERROR_DETAIL_BYTES } from "../../core/limits.ts";
import { cutUtf8, readable } from "../../core/outsideText.ts";
import { readBeginning } from "./answer.ts";
import { wordsOfText } from "./answerWords.ts";
import { codingOf, undoCodings } from "./contentCoding.ts";
import { decodePage } from "./pageText.ts";

/** What a failed row takes from the body: `words` for its message, `detail` beside it. */
export interface FailedBody {
  readonly words: string | null;
  readonly detail?: string;
}

/** The body as text as far as it is read; "" for one that is not text. */
export async function readFailedText(response: Response): Promise<string> {
  const beginning = await readBeginning(response, ERROR_BODY_BYTES);
  const coding = codingOf(response);
  const bytes = coding === null ? beginning : await undoCodings(beginning, coding, ERROR_BODY_BYTES);
  if (bytes === null) return "";
  return bytes.includes(0) ? "" : decodePage(bytes, response.headers.get("content-type"));
}

/** `line`: what the message says already. `mask` hides secrets; cutting comes after it. */
export function failedBodyOf(text: string, line: string, mask: (text: string) => string): FailedBody {
  const masked = mask(text);
  const words = wordsOfText(masked, line);
  const detail = detailOf(masked);
  return { words: words === null ? null : mask(words), ...(detail === "" ? {} : { detail }) };
}

function detailOf(masked: string): string {
  // Only what can be in the first kilobyte is looked at.
  return cutUtf8(readable(masked.slice(0, 2 * MAX_ERROR_DETAIL_BYTES)), MAX_ERROR_DETAIL_BYTES);
}
