/** Waiting for a condition instead of for a time. */

/**
 * Asks until the answer is neither false nor null nor undefined, and gives it back. Throws with `what` after
 * `withinMs`, which is only there to end a test that would hang: it states no expectation about speed.
 */
export async function until<T>(
  what: string,
  ask: () => T | false | null | undefined | Promise<T | false | null | undefined>,
  withinMs = 30_000,
): Promise<T> {
  const endMs = performance.now() + withinMs;
  for (;;) {
    const answer = await ask();
    if (answer !== false && answer !== null && answer !== undefined) return answer;
    if (performance.now() > endMs) throw new Error(`waited ${withinMs} ms for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}
