/** What is said of committed parts that are not as they were committed. */
import { UNREADABLE_PARTS_KEPT } from "../limits.ts";
import { number } from "../sentence.ts";

export interface Unreadable {
  readonly chunk: number;
  readonly n: number;
  /** What is wrong with it: `it is missing`. */
  readonly problem: string;
}

/** The parts of both lists, each once, at most `UNREADABLE_PARTS_KEPT`. */
export function withUnreadable(
  known: readonly Unreadable[],
  found: readonly Unreadable[],
): readonly Unreadable[] {
  const all = new Map<string, Unreadable>();
  for (const part of [...known, ...found]) {
    const key = `${part.chunk}/${part.n}`;
    if (!all.has(key) && all.size < UNREADABLE_PARTS_KEPT) all.set(key, part);
  }
  return [...all.values()];
}

/** One sentence; null without a part. */
export function whyUnreadable(parts: readonly Unreadable[]): string | null {
  const [first, ...others] = parts;
  if (first === undefined) return null;
  const orMore = parts.length === UNREADABLE_PARTS_KEPT ? " or more" : "";
  const many = `${number(others.length)} ${others.length === 1 ? "other" : "others"}`;
  const more = others.length === 0 ? "" : ` (and ${many}${orMore})`;
  const { chunk, n, problem } = first;
  return `part ${n} of chunk ${chunk}${more} cannot be read: ${problem}; the rows of the other parts are kept`;
}
