import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createTolerance, judge } from "../../../src/core/run/tolerance.ts";

const HALF = { failureRate: 0.5, over: 1000, then: "pause" } as const;

/** Commits in any order: parts of up to 20 rows. */
const parts = fc.array(fc.record({ ok: fc.nat(20), failed: fc.nat(20) }), { minLength: 1, maxLength: 60 });

function verdicts(given: readonly { ok: number; failed: number }[], limit: Parameters<typeof judge>[2]) {
  const tolerance = createTolerance();
  let left = given.reduce((sum, { ok, failed }) => sum + ok + failed, 0);
  return given.map((part) => {
    left -= part.ok + part.failed;
    return judge(tolerance, part, limit, left).kind;
  });
}

describe("tolerated failures", () => {
  it("never stop a list of which up to half fails, whatever its order", () => {
    fc.assert(
      fc.property(parts, (given) => {
        const failed = given.reduce((sum, part) => sum + part.failed, 0);
        const ok = given.reduce((sum, part) => sum + part.ok, 0);
        fc.pre(failed <= ok && failed + ok <= HALF.over);
        expect(verdicts(given, HALF)).not.toContain("passed");
      }),
    );
  });

  it("stop a list of which more than half fails, at the latest with its last part", () => {
    fc.assert(
      fc.property(parts, (given) => {
        const failed = given.reduce((sum, part) => sum + part.failed, 0);
        const ok = given.reduce((sum, part) => sum + part.ok, 0);
        fc.pre(failed > ok && failed + ok >= 50 && failed + ok <= HALF.over);
        expect(verdicts(given, HALF)).toContain("passed");
      }),
    );
  });

  it("stop nothing where the share is 1, and at the first failed row where it is 0", () => {
    const given = Array.from({ length: 10 }, (_, n) => ({ ok: n < 6 ? 10 : 9, failed: n < 6 ? 0 : 1 }));
    expect(verdicts(given, { ...HALF, failureRate: 1 })).not.toContain("passed");
    expect(verdicts(given, { ...HALF, failureRate: 0 }).indexOf("passed")).toBe(6);
  });
});
