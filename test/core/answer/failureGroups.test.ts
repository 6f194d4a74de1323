import { describe, expect, it } from "vitest";
import { groupOf } from "../../../src/core/answer/failureGroups.ts";
import type { Json } from "../../../src/core/spec.ts";

describe("the group of a failure", () => {
  it.each<[string, Json, string, string]>([
    ["keeps a status", "u_7", "404 Not Found", "404 Not Found"],
    ["keeps a status that is the item", "404", "404 Not Found: 404 is gone", "404 Not Found: … is gone"],
    [
      "loses the item",
      "ann",
      "422 Unprocessable Content: no user ann",
      "422 Unprocessable Content: no user …",
    ],
    ["loses the quoted item", "ann", '400 Bad Request: no user "ann"', '400 Bad Request: no user "…"'],
    ["keeps words that contain the item", "a", "400 Bad Request: a bad name", "400 Bad Request: … bad name"],
    ["loses texts of a record", { id: "x", mail: "bob" }, "bob has no mail", "… has no mail"],
    [
      "loses an id",
      1,
      "400 Bad Request: no such customer: cus_9AbC3",
      "400 Bad Request: no such customer: …",
    ],
    ["loses numbers", 1, "dimension 2, expected 3", "dimension …, expected …"],
    ["loses a date and a time", 1, "since 2026-11-28T10:00:00.123Z it is closed", "since … it is closed"],
    ["loses a uuid", 1, "trace 9b2fa3de-aaaa-bbbb-cccc-abcdefabcdef", "trace …"],
    ["loses a hash", 1, "etag deadbeefdeadbeefdeadbeef differs", "etag … differs"],
    ["loses a page's address", 1, "see https://example.com/docs/7?a=b for more", "see … for more"],
    ["loses an address of a person", 1, "ann@example.com is taken", "… is taken"],
    ["keeps quoted names", 1, '"email" is required', '"email" is required'],
    ["keeps a time limit", 1, "no complete answer within 300 ms", "no complete answer within 300 ms"],
    [
      "keeps a setting's value",
      1,
      "302 Found, beyond maxRedirects (5)",
      "302 Found, beyond maxRedirects (5)",
    ],
    [
      "keeps a server's address",
      1,
      "connection refused by 127.0.0.1:80",
      "connection refused by 127.0.0.1:80",
    ],
    [
      "keeps a server's name",
      1,
      "no connection to api.example.com:443",
      "no connection to api.example.com:443",
    ],
    ["keeps a database's code", 1, "line 501: bad (SQLSTATE 22P05)", "line …: bad (SQLSTATE 22P05)"],
    ["keeps the name of a charset", 1, "the answer is not utf-8", "the answer is not utf-8"],
    ["is one for a list of ids", 1, "unknown: a1, b2, c3", "unknown: …"],
    ["keeps what has nothing that differs", null, "the model refused: no", "the model refused: no"],
  ])("%s", (_rule, item, message, group) => {
    expect(groupOf(message, item)).toBe(group);
  });
});
