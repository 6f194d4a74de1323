import { describe, expect, test } from "vitest";
import { type AskedWait, askedWait, unclearNote } from "../../../src/core/answer/askedWait.ts";

const NOW = Date.UTC(2026, 10, 21, 12, 0, 0);
const SECONDS = NOW / 1000;

/** `plainly`: the answer says that one has to wait, and not only when a window ends. */
function run(fields: Record<string, string>): AskedWait {
  const asked = askedWait((name) => fields[name] ?? null, NOW);
  if (asked.kind === "asked") expect(asked.ms).toBeGreaterThanOrEqual(0);
  return asked;
}

describe("what an answer asks for", () => {
  test.each<[Record<string, string>, number, string, boolean]>([
    [{ "retry-after": "5" }, 5000, "retry-after", true],
    [{ "retry-after": "0" }, 0, "retry-after", true],
    [{ "retry-after": String(SECONDS + 5) }, 5000, "retry-after", true],
    [{ "retry-after-ms": "1200", "retry-after": "2" }, 1200, "retry-after-ms", true],
    [{ "x-ms-retry-after-ms": "40" }, 40, "x-ms-retry-after-ms", true],
    [
      { "retry-after": "5", "x-ratelimit-reset": "60", "x-ratelimit-remaining": "0" },
      5000,
      "retry-after",
      true,
    ],
    [{ "retry-after": "soon", "x-ratelimit-reset": "6" }, 6000, "x-ratelimit-reset", false],
    [{ "x-ratelimit-reset": "6" }, 6000, "x-ratelimit-reset", false],
    [{ "x-ratelimit-reset": "6", "x-ratelimit-remaining": "0" }, 6000, "x-ratelimit-reset", true],
    [{ "x-ratelimit-reset": "6", "x-ratelimit-remaining": "-1" }, 6000, "x-ratelimit-reset", true],
    [{ "x-ratelimit-reset": "6", "x-ratelimit-remaining": "none" }, 6000, "x-ratelimit-reset", false],
    [{ "x-ratelimit-reset": String(SECONDS + 30) }, 30_000, "x-ratelimit-reset", false],
    [{ "x-ratelimit-reset": String(NOW + 1500) }, 1500, "x-ratelimit-reset", false],
    [{ "x-ratelimit-reset": "2026-11-21T12:01Z" }, 60_000, "x-ratelimit-reset", false],
    [{ "x-ratelimit-reset": "6m0s" }, 360_000, "x-ratelimit-reset", false],
    [
      { "x-ratelimit-reset": String(SECONDS + 9), "x-ratelimit-reset-after": "3.5" },
      3500,
      "x-ratelimit-reset-after",
      false,
    ],
    [{ "x-rate-limit-reset": String(SECONDS + 900) }, 900_000, "x-rate-limit-reset", false],
    [{ "ratelimit-reset": "12", "ratelimit-remaining": "0;w=60" }, 12_000, "ratelimit-reset", true],
    [{ "ratelimit-reset": "12;w=60" }, 12_000, "ratelimit-reset", false],
    [{ ratelimit: '"default";r=0;t=30' }, 30_000, "ratelimit", true],
    [{ ratelimit: "limit=10, remaining=0, reset=7" }, 7000, "ratelimit", true],
    [{ ratelimit: '"burst";r=0;t=1, "daily";r=0;t=3600' }, 3_600_000, "ratelimit", true],
    [{ ratelimit: '"burst";r=0;t=1, "daily";r=9;t=3600' }, 1000, "ratelimit", true],
    [{ ratelimit: '"a, b";r=0;t=4' }, 4000, "ratelimit", true],
    [
      { "x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1m2.5s" },
      62_500,
      "x-ratelimit-reset-requests",
      true,
    ],
    [
      {
        "x-ratelimit-remaining-requests": "59",
        "x-ratelimit-reset-requests": "1s",
        "x-ratelimit-remaining-tokens": "0",
        "x-ratelimit-reset-tokens": "6m0s",
      },
      360_000,
      "x-ratelimit-reset-tokens",
      true,
    ],
    [
      {
        "anthropic-ratelimit-tokens-remaining": "0",
        "anthropic-ratelimit-tokens-reset": "2026-11-21T12:00:20Z",
      },
      20_000,
      "anthropic-ratelimit-tokens-reset",
      true,
    ],
    [
      { "x-ratelimit-requests-remaining": "0", "x-ratelimit-requests-reset": String(NOW + 4000) },
      4000,
      "x-ratelimit-requests-reset",
      true,
    ],
    [
      { date: "Sat, 21 Nov 2026 11:00:00 GMT", "x-ratelimit-reset": String(SECONDS - 3600 + 8) },
      8000,
      "x-ratelimit-reset",
      false,
    ],
  ])("%j", (fields, ms, by, plainly) => {
    expect(run(fields)).toEqual({ kind: "asked", ms, by, plainly });
  });

  test.each<[string, Record<string, string>]>([
    ["without a header", {}],
    ["while requests remain", { "x-ratelimit-remaining": "3", "x-ratelimit-reset": "60" }],
    ["while the draft's field says that some remain", { ratelimit: '"default";r=3;t=30' }],
    ["after the reset", { "x-ratelimit-reset": String(SECONDS - 5) }],
    ["with a remaining and no reset", { "x-ratelimit-remaining": "0" }],
  ])("%s it says nothing", (_when, fields) => {
    expect(run(fields)).toEqual({ kind: "silent" });
  });

  test.each([
    [{ "retry-after": "soon" }, ' (retry-after: "soon" is not understood)'],
    [{ "x-ratelimit-reset": "tomorrow" }, ' (x-ratelimit-reset: "tomorrow" is not understood)'],
    [{ "retry-after": "5" }, ""],
  ])("a form that is not understood is named: %j", (fields: Record<string, string>, note) => {
    expect(unclearNote(run(fields))).toBe(note);
  });
});
