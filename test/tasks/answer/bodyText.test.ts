import { describe, expect, it } from "vitest";
import { jsonFault } from "../../../src/core/json.ts";
import { base64Of, textOfBody } from "../../../src/tasks/answer/bodyText.ts";

const PNG = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 0x0d];
const TEXT = "text/plain";

describe("a body", () => {
  it.each<[string, number[], string | null, string]>([
    ["UTF-8 without a charset", [0xc3, 0xa9], TEXT, "\u00e9"],
    ["UTF-8 without a content type", [0xc3, 0xa9], null, "\u00e9"],
    ["UTF-8 behind its mark", [0xef, 0xbb, 0xbf, 0x61], TEXT, "a"],
    [
      "UTF-16 behind its mark, whatever the charset says",
      [0xff, 0xfe, 0x61, 0],
      `${TEXT}; charset=utf-8`,
      "a",
    ],
    ["Latin-1 by the Encoding standard's label", [0x80], `${TEXT}; charset=latin1`, "\u20ac"],
    ["Shift_JIS", [0x82, 0xa0], `${TEXT}; charset="shift_jis"`, "\u3042"],
    ["GBK", [0xc4, 0xe3], `${TEXT}; charset=gb2312`, "\u4f60"],
    ["what no charset names and is not UTF-8, as browsers do", [0x63, 0xe9], TEXT, "c\u00e9"],
    ["a charset that nobody knows", [0x61], `${TEXT}; charset=klingon`, "a"],
    ["text that calls itself bytes", [0x61], "application/octet-stream", "a"],
    ["a replacement character that was sent", [0xef, 0xbf, 0xbd], TEXT, "\ufffd"],
    ["an escape sequence in a text", [0x1b, 0x5b], TEXT, "\u001b["],
    ["nothing", [], null, ""],
  ])("is text: %s", (_rule, bytes, contentType, text) => {
    expect(textOfBody(new Uint8Array(bytes), contentType)).toEqual({ kind: "text", text });
  });

  it.each<[string, number[], string | null, string]>([
    ["a picture", PNG, "image/png", "the answer (image/png) is not text"],
    ["a picture that calls itself text", PNG, TEXT, "the answer (text/plain) is not text"],
    ["a picture of no content type", PNG, null, "the answer (of no content type) is not text"],
    [
      "bytes that are ASCII but for zeros",
      [0, 0x61, 0x73, 0x6d],
      "application/wasm",
      "the answer (application/wasm) is not text",
    ],
    [
      "JSON that is not UTF-8",
      [0x22, 0xe9, 0x22],
      "application/json",
      "the answer (application/json) is not text",
    ],
    [
      "what is not the charset it names",
      [0x61, 0xff],
      `${TEXT}; charset=utf-8`,
      "the answer (text/plain) is not utf-8",
    ],
  ])("is not text: %s", (_rule, bytes, contentType, reason) => {
    expect(textOfBody(new Uint8Array(bytes), contentType)).toEqual({ kind: "not-text", reason });
  });

  it("is kept as base64, secrets masked", () => {
    expect(base64Of(new Uint8Array(PNG), (text) => text)).toBe(Buffer.from(PNG).toString("base64"));
    const large = new Uint8Array(100_000).fill(0xff);
    expect(base64Of(large, (text) => text)).toBe(Buffer.from(large).toString("base64"));
    const masked = base64Of(new TextEncoder().encode("a hunter2 b"), (text) =>
      text.replace("hunter2", "***"),
    );
    expect(atob(masked)).toBe("a *** b");
  });
});

describe("a text that is not JSON", () => {
  it.each<[string, string]>([
    ["", "it is empty"],
    ['{"a": 1, "b": ', "it ends too early, after"],
    ['{"total": 7, "name": undefined}', "undefined}"],
    ["<html><body>", "<html><bod"],
    [`{"a": 1,${" ".repeat(100)}}`, "at position 108, near"],
    ["{'a': 1}", "'a'"],
  ])("%s is excerpted around its fault", (text, excerpt) => {
    expect(jsonFault(text)).toContain(excerpt);
    expect(jsonFault(text).length).toBeLessThan(200);
  });
});
