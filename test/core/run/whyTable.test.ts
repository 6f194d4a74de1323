/** Whatever `why` can say stands in docs/why.md, with what to do about it. */
import { globSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { sentencesIn } from "../../support/sentences.ts";

const ROOT = resolve(import.meta.dirname, "../../..");
const table = readFileSync(resolve(ROOT, "docs/why.md"), "utf8");

/** What is said of a run that waits, is refused, or was stopped comes from these. */
const FILES = [
  ...globSync("src/core/run/why*.ts", { cwd: ROOT }),
  ...[
    "run/waiting",
    "run/refusals",
    "run/smoke",
    "run/deadline",
    "run/rampCap",
    "limiter/ramp",
    "limiter/budget",
  ].map((name) => `src/core/${name}.ts`),
];
const sentences = FILES.flatMap((file) =>
  sentencesIn(resolve(ROOT, file)).map((sentence) => ({ file, sentence })),
).filter(({ sentence }) => sentence.includes(" "));

describe("docs/why.md", () => {
  test.each(sentences)("says what to do about '$sentence' ($file)", ({ sentence }) => {
    expect(table).toContain(sentence);
  });
});
