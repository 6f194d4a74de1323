import { describe, expect, it } from "vitest";
import { MAX_ERROR_DETAIL_BYTES } from "../../../src/core/limits.ts";
import { cutText, cutUtf8, readable } from "../../../src/core/outsideText.ts";
import { wordsOfText } from "../../../src/tasks/answer/answerWords.ts";
import { failedBodyOf } from "../../../src/tasks/answer/failedBody.ts";

const wordsOf = (body: unknown, line = "422 Unprocessable Content") =>
  wordsOfText(typeof body === "string" ? body : JSON.stringify(body), line);

describe("the words of an answer", () => {
  it.each<[string, unknown, string | null]>([
    ["stand in message", { message: "email is not an address" }, "email is not an address"],
    ["stand in error", { error: "no such user" }, "no such user"],
    ["stand in error.message", { error: { code: 7, message: "bad dimension" } }, "bad dimension"],
    [
      "stand in errors[0].message",
      { data: null, errors: [{ message: "no such product" }] },
      "no such product",
    ],
    [
      "stand in errors[0]",
      { errors: ["name is empty", "age is negative"] },
      "name is empty; age is negative",
    ],
    [
      "stand in detail",
      { type: "about:blank", title: "Invalid", detail: "age is negative" },
      "age is negative",
    ],
    [
      "stand in title",
      { status: 422, title: "Your request does not validate" },
      "Your request does not validate",
    ],
    [
      "stand in error_description",
      { error: "invalid_grant", error_description: "code is used up" },
      "code is used up",
    ],
    ["stand in errorMessage", { errorMessage: "no such key" }, "no such key"],
    [
      "stand in detail[0].msg",
      { detail: [{ loc: ["body", "email"], msg: "field required" }] },
      "field required",
    ],
    ["stand in a list of objects", [{ errorCode: "DUP", message: "duplicate value" }], "duplicate value"],
    ["stand in Fault.Error[0].Message", { Fault: { Error: [{ Message: "stale object" }] } }, "stale object"],
    ["stand in fault.faultstring", { fault: { faultstring: "quota is over" } }, "quota is over"],
    [
      "are several sentences of message",
      { statusCode: 400, message: ["a is empty", "b is empty"] },
      "a is empty; b is empty",
    ],
    ["are named by their field", { errors: { email: ["is not an address"] } }, "email: is not an address"],
    [
      "are a heading and a field",
      { message: "The given data was invalid.", errors: { email: ["is taken"] } },
      "The given data was invalid. email: is taken",
    ],
    ["are a text in JSON", '"no such user"', "no such user"],
    ["are a short plain text", "no such user\n", "no such user"],
    ["are the first line of a long one", `it broke\n${"at x\n".repeat(200)}`, "it broke"],
    [
      "are the title of a page",
      "<!doctype html><html><head><title>Caf&eacute; is closed</title>",
      "Café is closed",
    ],
    ["are a heading where a page has no title", "<html><body><h1>Come back later</h1>", "Come back later"],
    [
      "are the message of XML",
      "<?xml version='1.0'?><Error><Code>NoSuchKey</Code><Message>not there</Message>",
      "not there",
    ],
    ["are a code where no sentence is", { code: "quota_exceeded" }, "quota_exceeded"],
    ["are JSON that nobody can read, as text", "{nope", "{nope"],
    ["are in one line", "a\r\nb\tc", "a b c"],
    ["hold nothing that moves a cursor", "a\u001b[2Jb\u202ec", "a [2Jb c"],
  ])("%s", (_rule, body, words) => {
    expect(wordsOf(body)).toBe(words);
  });

  it.each<[string, unknown, string | undefined]>([
    ["an empty body", "", undefined],
    ["blanks", " \n", undefined],
    ["a page that repeats the status", "<html><head><title>404 Not Found</title></head>", "404 Not Found"],
    ["a page that repeats it in its own way", "<title>Error 404 (Not Found)!!1</title>", "404 Not Found"],
    ["JSON that repeats the status", { statusCode: 404, error: "Not Found", message: "" }, "404 Not Found"],
    ["a bare error", { status: "error", error: true }, undefined],
    ["a list of nothing", [], undefined],
    ["a number", "17", undefined],
    ["a long text of one line", "x".repeat(5000), undefined],
  ])("are none in %s", (_rule, body, line) => {
    expect(wordsOf(body, line)).toBeNull();
  });

  it("are cut, and no search goes on for ever", () => {
    expect(wordsOf({ message: "word ".repeat(200) })?.length).toBe(300);
    let deep: unknown = { message: "deep" };
    for (let n = 0; n < 500; n++) deep = { inner: deep };
    expect(wordsOf(deep)).toBeNull();
  });
});

describe("what a failed row takes from a body", () => {
  const mask = (text: string) => text.replaceAll("hunter2-hunter2", "[secret:KEY]");

  it("is masked before it is cut", () => {
    const before = "x".repeat(MAX_ERROR_DETAIL_BYTES - 6);
    const { detail } = failedBodyOf(`${before}hunter2-hunter2`, "400", mask);
    expect(detail).toBe(`${before}[secre`);
    const { words } = failedBodyOf(
      JSON.stringify({ message: `${"y".repeat(295)}hunter2-hunter2` }),
      "400",
      mask,
    );
    expect(words).not.toContain("hunter");
  });

  it("is at most a kilobyte of whole characters", () => {
    const { detail } = failedBodyOf("😀".repeat(1000), "400", mask);
    expect(detail).toBe("😀".repeat(MAX_ERROR_DETAIL_BYTES / 4));
  });

  it("is absent where there is no body", () => {
    expect(failedBodyOf(" ", "400", mask)).toEqual({ words: null });
  });
});

describe("text of the other side", () => {
  it("keeps its lines and loses what nobody can read", () => {
    expect(readable("\ufeffa\r\nb\u0000\u0007c\u2028d ")).toBe("a\nb c d");
  });

  it("is cut between characters", () => {
    expect(cutText("ab😀cd", 4)).toBe("ab…");
    expect(cutText("abcd", 4)).toBe("abcd");
    expect(cutUtf8("aé😀", 6)).toBe("aé");
    expect(cutUtf8("aé😀", 7)).toBe("aé😀");
  });
});
