import { describe, expect, it } from "vitest";
import {
  type AnswerFacts,
  messageAt,
  planRules,
  type RuleText,
  ruleFor,
  waitAt,
} from "../../../src/core/answer/answerRules.ts";
import { RULE_TEXT_CHARS } from "../../../src/core/limits.ts";
import type { Json } from "../../../src/core/spec.ts";

interface Answer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly url?: string;
  readonly value?: Json;
  readonly text?: string;
}

function factsOf({ status = 200, headers = {}, url = "http://x/", value, text = "" }: Answer): AnswerFacts {
  return { status, header: (name) => headers[name] ?? null, url, value, text };
}

function rulesOf(texts: readonly RuleText[]) {
  const { rules, complaints } = planRules(texts, "answers");
  expect(complaints).toEqual([]);
  return rules;
}

function fits(when: RuleText["when"], answer: Answer): boolean {
  return ruleFor(rulesOf([{ when, is: "failed" }]), factsOf(answer)) !== null;
}

const CODE = "/errors/0/extensions/code";
const THROTTLED = { errors: [{ message: "slow", extensions: { code: "THROTTLED" } }] };

describe("a rule's condition", () => {
  it.each<[string, RuleText["when"], Answer, boolean]>([
    ["a status", { status: ["403"] }, { status: 403 }, true],
    ["a status as a number", { status: [403] }, { status: 403 }, true],
    ["another status", { status: ["403"] }, { status: 404 }, false],
    ["a class of statuses", { status: ["4xx"] }, { status: 404 }, true],
    ["a header that is there", { header: { name: "X-Reason" } }, { headers: { "x-reason": "a" } }, true],
    ["a header that is wanted away", { header: { name: "x", exists: false } }, {}, true],
    ["a header that is equal", { header: { name: "x", equals: "a" } }, { headers: { x: " a " } }, true],
    ["a header that equals a number", { header: { name: "x", equals: 0 } }, { headers: { x: "0" } }, true],
    ["a header that differs", { header: { name: "x", equals: "a" } }, { headers: { x: "ab" } }, false],
    ["a header that matches", { header: { name: "x", matches: "^a+$" } }, { headers: { x: "aa" } }, true],
    ["a header that is not there", { header: { name: "x", matches: "" } }, {}, false],
    ["an equal value", { pointer: CODE, equals: "THROTTLED" }, { value: THROTTLED }, true],
    ["another value", { pointer: CODE, equals: "OTHER" }, { value: THROTTLED }, false],
    ["a number is not its text", { pointer: "/a", equals: "1" }, { value: { a: 1 } }, false],
    [
      "an object in another order",
      { pointer: "", equals: { a: 1, b: [2] } },
      { value: { b: [2], a: 1 } },
      true,
    ],
    ["an object with more in it", { pointer: "", equals: { a: 1 } }, { value: { a: 1, b: 2 } }, false],
    ["null by name", { pointer: "/a", equals: null }, { value: { a: null } }, true],
    ["something that is there", { pointer: "/errors", exists: true }, { value: THROTTLED }, true],
    ["a pointer alone", { pointer: "/errors" }, { value: THROTTLED }, true],
    ["null, which is nothing", { pointer: "/a", exists: true }, { value: { a: null } }, false],
    ["nothing that is wanted", { pointer: "/data", exists: false }, { value: { data: null } }, true],
    ["nothing in an empty body", { pointer: "/data", exists: false }, {}, true],
    ["a value that matches", { pointer: CODE, matches: "THROTTL|SLOW" }, { value: THROTTLED }, true],
    ["a number that matches", { pointer: "/code", matches: "^4(17|32)$" }, { value: { code: 417 } }, true],
    ["a body that is not JSON", { pointer: "", equals: "ERROR" }, { value: "ERROR" }, true],
    ["the text", { text: "(?i)session (has )?expired" }, { text: "<p>Session expired</p>" }, true],
    ["the text in long form", { text: { matches: "x$" } }, { text: "ax" }, true],
    ["the URL", { url: "/login" }, { url: "http://x/login?next=7" }, true],
    ["the URL in long form", { url: { matches: "^http://y" } }, { url: "http://x/" }, false],
    ["all of them", { status: ["200"], url: "x", pointer: "/errors" }, { value: THROTTLED }, true],
    ["all of them but one", { status: ["404"], url: "x", pointer: "/errors" }, { value: THROTTLED }, false],
  ])("fits %s", (_case, when, answer, expected) => {
    expect(fits(when, answer)).toBe(expected);
  });

  it("looks at the beginning of a long text", () => {
    expect(fits({ text: "a" }, { text: `${"x".repeat(RULE_TEXT_CHARS - 1)}a` })).toBe(true);
    expect(fits({ text: "a" }, { text: `${"x".repeat(RULE_TEXT_CHARS)}a` })).toBe(false);
  });
});

describe("rules", () => {
  it("decide in their order: the first that fits", () => {
    const rules = rulesOf([
      { when: { pointer: CODE, equals: "THROTTLED" }, is: "throttled" },
      { when: { pointer: "/errors" }, is: "failed" },
    ]);
    expect(ruleFor(rules, factsOf({ value: THROTTLED }))?.is).toBe("throttled");
    expect(ruleFor(rules, factsOf({ value: { errors: [{}] } }))?.is).toBe("failed");
    expect(ruleFor(rules, factsOf({ value: {} }))).toBe(null);
  });

  it("know whether they look at a value, and whether they need the body", () => {
    const rules = rulesOf([
      { when: { status: ["403"] }, is: "failed" },
      { when: { status: ["403"] }, is: "failed", message: "/message" },
      { when: { text: "x" }, is: "failed" },
      { when: { pointer: "/x" }, is: "failed" },
    ]);
    expect(rules.map(({ looksAtValue, needsBody }) => [looksAtValue, needsBody])).toEqual([
      [false, false],
      [false, true],
      [false, true],
      [true, true],
    ]);
  });

  it("say what was found", () => {
    const [status, both] = rulesOf([
      { when: { status: ["403"] }, is: "failed" },
      { when: { pointer: "/a", equals: "x", header: { name: "H", exists: true } }, is: "failed" },
    ]);
    expect(status?.says).toBe(null);
    expect(both?.says).toBe('the answer has something in its header h and has "x" at /a');
  });

  it.each<[string, unknown, string, string]>([
    ["no condition", {}, "answers.1.when", "names nothing"],
    ["equals without a pointer", { status: ["403"], equals: 1 }, "answers.1.when", 'needs "pointer"'],
    ["two wants", { pointer: "/a", equals: 1, exists: true }, "answers.1.when", "one of"],
    [
      "two wants of a header",
      { header: { name: "a", equals: "1", matches: "1" } },
      "answers.1.when.header",
      "one of",
    ],
    ["a pattern that is none", { text: "(" }, "answers.1.when.text", 'the pattern "(" has a "(" without ")"'],
    ["a pattern that backtracks", { pointer: "/a", matches: "(a)\\1" }, "answers.1.when", "back-reference"],
  ])("are refused with the place: %s", (_case, when, path, message) => {
    const right: RuleText = { when: { status: ["403"] }, is: "ok" };
    const wrong: RuleText = { when: when as RuleText["when"], is: "ok" };
    expect(planRules([right, wrong, right], "answers").complaints).toEqual([
      { path, message: expect.stringContaining(message) },
    ]);
  });
});

describe("what a rule takes out of an answer", () => {
  it.each<[string, string, Json | undefined, string | null]>([
    ["text", "/m", { m: " no\n such " }, "no such"],
    ["anything else as JSON", "/m", { m: [1] }, "[1]"],
    ["nothing from null", "/m", { m: null }, null],
    ["nothing from an empty text", "/m", { m: " " }, null],
    ["nothing where nothing is", "/m", undefined, null],
  ])("is a message: %s", (_case, pointer, value, expected) => {
    expect(messageAt(pointer.split("/").slice(1), value)).toBe(expected);
  });

  it("is the time to wait, as it is written", () => {
    expect(waitAt(["wait"], { wait: 2.5 })).toBe("2.5");
    expect(waitAt(["wait"], { wait: "Wed, 21 Oct 2026 07:28:00 GMT" })).toBe("Wed, 21 Oct 2026 07:28:00 GMT");
    expect(waitAt(["wait"], {})).toBe(null);
  });
});
