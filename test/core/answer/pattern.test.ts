import { describe, expect, it } from "vitest";
import { compilePattern } from "../../../src/core/answer/pattern.ts";
import { PATTERN_REPEATS_MOST, RULE_TEXT_CHARS } from "../../../src/core/limits.ts";

function matches(source: string, text: string): boolean {
  const compiled = compilePattern(source);
  if (compiled.kind === "invalid") throw new Error(compiled.message);
  return compiled.pattern.matches(text);
}

const TEXTS = [
  "",
  "a",
  "b",
  "ab",
  "abab",
  "aab",
  "abc",
  "ABC",
  "a b",
  "rate limit",
  "Rate-Limit exceeded",
  "x1",
  "12",
  "a\nb",
  "login",
  "/login?next=1",
  "é",
  "😀",
  "a😀b",
  "-",
  "]",
  "foo.bar",
  "aaaa",
  "_",
  "a-z",
];
const SOURCES = [
  "",
  "a",
  "ab",
  "a|b",
  "^a$",
  "^$",
  "a*",
  "a+b",
  "(ab)+",
  "(?:ab){2}",
  "a{2,}",
  "a{1,3}b",
  "^a{4}$",
  "a?b",
  "[abc]+$",
  "[^a]",
  "[a-c]{3}",
  "\\d+",
  "\\D",
  "\\w\\s\\w",
  "\\bab\\b",
  "\\Bb",
  "rate.?limit",
  "(rate|login)",
  "^/login",
  "foo\\.bar",
  "\\u00e9",
  "\\x61b",
  "^.$",
  "^..$",
  "a.b",
  "[\\d_]",
  "[\\]-]",
  "[a\\-z]-",
  "(a*)*b",
  "(a|aa)+$",
  "a*?b",
  "(?<name>a)b",
  "^(?:|a)b",
  "[^\\s]b",
  "x\\d|12",
  "()",
  "(|a)*$",
];

describe("a pattern", () => {
  it.each(SOURCES)("matches what JavaScript's own does: %s", (source) => {
    const own = new RegExp(source, "u");
    expect(TEXTS.map((text) => matches(source, text))).toEqual(TEXTS.map((text) => own.test(text)));
    const folded = new RegExp(source, "iu");
    expect(TEXTS.map((text) => matches(`(?i)${source}`, text))).toEqual(
      TEXTS.map((text) => folded.test(text)),
    );
  });

  it.each([
    ["(a)\\1", "back-reference"],
    ["(?=a)", "look-around"],
    ["(?<!a)b", "look-around"],
    ["a)", 'a ")" without "("'],
    ["(a", 'a "(" without ")"'],
    ["[a", 'a "[" without "]"'],
    ["*a", 'nothing before "*"'],
    ["a{3,1}", "out of order"],
    [`a{${PATTERN_REPEATS_MOST + 1}}`, "repetitions"],
    ["[z-a]", "out of order"],
    ["a\\", 'ends in "\\"'],
    ["\\q", "means nothing"],
    ["^*", "repeats a place"],
    ["(a{20}){20}", "too large"],
    ["\\u{110000}", "not a character"],
  ])("is refused with what is wrong: %s", (source, message) => {
    expect(compilePattern(source)).toEqual({ kind: "invalid", message: expect.stringContaining(message) });
  });

  it("takes time in proportion to the text where a backtracking matcher never ends", () => {
    const text = "a".repeat(RULE_TEXT_CHARS);
    for (const source of ["^(a+)+$b", "(a|a)*b", "(a*)*b", "(.*a){10}b", "(a?){50}a{50}b"]) {
      expect(matches(source, text)).toBe(false);
    }
  });
});
