/**
 * Marks what a task says on its console, on one's own machine: the runtime's log also holds what the runtime and Weir
 * say, and only a task's words are for the terminal.
 */
const MARK = "task says: ";

/** What goes to the console in the place of `said`. */
export function markSaid(said: readonly unknown[]): readonly unknown[] {
  const [first, ...others] = said;
  // A first text may be a format for the others.
  return typeof first === "string" ? [`${MARK}${first}`, ...others] : [MARK.trimEnd(), ...said];
}

/** The words of a marked message; null: nobody's task said it. */
export function saidByTask(message: string): string | null {
  if (message.startsWith(MARK)) return message.slice(MARK.length);
  return message === MARK.trimEnd() ? "" : null;
}
