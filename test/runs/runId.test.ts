import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isRunId, newRunId, RANDOM_BYTES } from "../../src/runs/runId.ts";

const instant = fc.integer({ min: 0, max: 2 ** 45 - 1 });
const random = fc.uint8Array({ minLength: RANDOM_BYTES, maxLength: RANDOM_BYTES });

describe("run id", () => {
  it("is recognised, and is 20 characters that fit in a URL", () => {
    fc.assert(
      fc.property(instant, random, (nowMs, bytes) => {
        const id = newRunId(nowMs, bytes);
        expect(id).toHaveLength(20);
        expect(encodeURIComponent(id)).toBe(id);
        expect(isRunId(id)).toBe(true);
      }),
    );
  });

  it("sorts by the time it was made", () => {
    fc.assert(
      fc.property(instant, instant, random, random, (a, b, bytesA, bytesB) => {
        if (a === b) return;
        expect(newRunId(a, bytesA) < newRunId(b, bytesB)).toBe(a < b);
      }),
    );
  });

  it.each([
    "",
    "r_",
    "r_0123456789abcdefghij",
    "x_0123456789abcdefgh",
    "r_0123456789abcdefgi",
    "r_../../../../../..",
  ])("refuses %j", (text) => {
    expect(isRunId(text)).toBe(false);
  });
});
