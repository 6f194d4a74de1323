/**
 * Lines that the Worker writes on its console because a test made something fail: the file that provokes them names
 * them, and every other line is printed.
 */
import { afterAll, beforeAll } from "vitest";

/** For the tests of the file, or of the `describe` around the call. Matched is a line's text as it would be printed. */
export function silence(...expected: readonly RegExp[]): void {
  const { warn, error } = console;
  const unless =
    (print: (...args: unknown[]) => void) =>
    (...args: unknown[]): void => {
      const line = args.map(String).join(" ");
      if (!expected.some((pattern) => pattern.test(line))) print(...args);
    };
  beforeAll(() => {
    console.warn = unless(warn);
    console.error = unless(error);
  });
  afterAll(() => {
    console.warn = warn;
    console.error = error;
  });
}
