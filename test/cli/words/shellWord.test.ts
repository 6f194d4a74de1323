import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { printable } from "../../../src/cli/words/printable.ts";
import { shellWord } from "../../../src/cli/words/shellWord.ts";

describe("a word of the shell", () => {
  it.each([
    "state",
    "./a/b-c.d",
    "",
    "my state",
    "it's",
    'a$HOME`id`"b',
    "a\\b",
    "a\u001b]0;title\u0007b",
    "it's\na\\u001b \u001b[2J",
    "a\u009bb",
    "a\u202eb",
  ])("%j is read by bash as it was, and moves no cursor", (text) => {
    const word = shellWord(text);
    expect(printable(word)).toBe(word);
    const env = { ...process.env, LC_ALL: "C.UTF-8" };
    expect(execFileSync("bash", ["-c", `printf %s ${word}`], { env }).toString()).toBe(text);
  });
});
