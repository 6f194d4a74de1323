/** A programmer's error, not an expected outcome: thrown also in production. */
export function assert(condition: unknown, rule: string): asserts condition {
  if (!condition) throw new Error(`assertion failed: ${rule}`);
}
