/** What is said of a committed part that is not as it was committed. */
import { number } from "./sentence.ts";

export interface Unreadable {
  readonly chunk: number;
  readonly n: number;
  /** What is wrong with it: `it is missing`. */
  readonly problem: string;
}

/** `others`: parts that turned out so before. */
export function whyUnreadable({ chunk, n, problem }: Unreadable, others: number): string {
  const more = others === 0 ? "" : ` (and ${number(others)} before it)`;
  return `part ${n} of chunk ${chunk}${more} cannot be read: ${problem}; the rows of the other parts are kept`;
}
