/** Retry-After (RFC 9110, 10.2.3): how long a server asks to be left alone, in any form that says it plainly. */
import { type Against, readWait } from "./waitText.ts";

/**
 * Milliseconds to wait from the moment of the answer, 0 or more; null when nothing usable was said.
 * Where other headers count too: `askedWait.ts`.
 */
export function parseRetryAfter(value: string | null, against: Against): number | null {
  return value === null ? null : readWait(value, against);
}
