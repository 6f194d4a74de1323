import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseJson } from "../../../src/core/json.ts";
import type { Json } from "../../../src/core/spec.ts";
import { expandBody, parseBodyTemplate } from "../../../src/core/template/bodyTemplate.ts";
import {
  complainAboutHeaderName,
  expandHeader,
  parseHeaderTemplate,
} from "../../../src/core/template/headerTemplate.ts";
import {
  CannotExpand,
  hideSecrets,
  type Parsed,
  type SecretText,
} from "../../../src/core/template/template.ts";
import { expandUrl, parseUrlTemplate } from "../../../src/core/template/urlTemplate.ts";

function ok<T>(parsed: Parsed<T>): T {
  if (parsed.kind === "invalid") throw new Error(parsed.message);
  return parsed.value;
}

/** The text, or the reason why there is none. */
function run(expand: () => SecretText): string {
  try {
    return hideSecrets(expand());
  } catch (fault) {
    if (fault instanceof CannotExpand) return `fails: ${fault.message}`;
    throw fault;
  }
}

const url = (template: string, item: Json) => run(() => expandUrl(ok(parseUrlTemplate(template)), item));
const body = (template: Json, item: Json, type: string | null = null) =>
  run(() => expandBody(ok(parseBodyTemplate(template, type)), item));
const header = (template: string, item: Json) =>
  run(() => expandHeader("x-id", ok(parseHeaderTemplate("x-id", template)), item));

describe("a url template", () => {
  const U = "https://api.example.com/v1/users/{{item}}";
  it.each<[string, Json, string]>([
    [U, "u_1", "https://api.example.com/v1/users/u_1"],
    [U, "a/b", "https://api.example.com/v1/users/a%2Fb"],
    [U, "?x", "https://api.example.com/v1/users/%3Fx"],
    [U, "#x&y=1", "https://api.example.com/v1/users/%23x%26y%3D1"],
    [U, 'say "hi" \\', "https://api.example.com/v1/users/say%20%22hi%22%20%5C"],
    [U, "{{secret:API_KEY}}", "https://api.example.com/v1/users/%7B%7Bsecret%3AAPI_KEY%7D%7D"],
    [U, "%2e%2e", "https://api.example.com/v1/users/%252e%252e"],
    [U, "日本", "https://api.example.com/v1/users/%E6%97%A5%E6%9C%AC"],
    [U, 17, "https://api.example.com/v1/users/17"],
    [U, false, "https://api.example.com/v1/users/false"],
    [U, "", "fails: item is empty"],
    [U, null, "fails: item is null"],
    [U, "..", 'fails: a path segment of the url would become "." or ".."'],
    [U, ".", 'fails: a path segment of the url would become "." or ".."'],
    [U, "...", "https://api.example.com/v1/users/..."],
    [U, "\ud800", "fails: item is not valid Unicode"],
    [U, { id: 1 }, "fails: item is an object; name one of its fields"],
    ["https://h.example/%2e{{item}}/x", ".", 'fails: a path segment of the url would become "." or ".."'],
    ["https://h.example/v{{item}}/x", "..", "https://h.example/v../x"],
    ["https://h.example/?id={{item}}", "..", "https://h.example/?id=.."],
    ["https://h.example/{{ item.a.b }}", { a: { b: "x y" } }, "https://h.example/x%20y"],
    ["https://h.example/{{item.a.b}}", { a: "text" }, "fails: item.a.b is missing"],
    ["https://h.example/{{item.0}}", ["x"], "https://h.example/x"],
    ["https://h.example/{{item.constructor}}", {}, "fails: item.constructor is missing"],
    [
      "https://h.example/{{item.id}}",
      parseJson('{"id":12345678901234567890}'),
      "https://h.example/12345678901234567890",
    ],
    ["https://h.example/{{item}}?k={{secret:KEY}}", "1", "https://h.example/1?k=[secret:KEY]"],
    ["{{item}}", "https://other.example/a/../b?c=d", "https://other.example/a/../b?c=d"],
    ["{{item.url}}?n={{item.n}}", { url: "http://o.example/a", n: "&" }, "http://o.example/a?n=%26"],
    ["{{item.url}}/x", { url: "http://o.example/" }, "http://o.example/x"],
    [
      "{{item}}",
      "ftp://o.example/",
      "fails: item is not an absolute http:// or https:// URL without credentials and spaces",
    ],
    [
      "{{item}}",
      "https://user:pw@o.example/",
      "fails: item is not an absolute http:// or https:// URL without credentials and spaces",
    ],
    [
      "{{item}}",
      "javascript:alert(1)",
      "fails: item is not an absolute http:// or https:// URL without credentials and spaces",
    ],
    [
      "{{item}}",
      "https://o.example/\nx",
      "fails: item is not an absolute http:// or https:// URL without credentials and spaces",
    ],
  ])("%s with %j gives %s", (template, item, expected) => {
    expect(url(template, item)).toBe(expected);
  });

  it.each([
    "api.example.com/{{item}}",
    "ftp://h.example/{{item}}",
    "https://{{item}}.example.com/",
    "https://h.example:{{item}}/",
    "https://h.example{{item}}",
    "https://{{secret:KEY}}@h.example/{{item}}",
    "https://user:pw@h.example/{{item}}",
    "https://h.example/a/../{{item}}",
    "https://h.example/a b/{{item}}",
    "https://h.example/{{item}}?api_key=abc",
    "https://h.example/{{item",
    "https://h.example/{{other}}",
    "https://h.example/{{item.}}",
    "https://h.example/{{secret:A B}}/{{item}}",
    "https://h.example/{{secret:A_HOSTS}}/{{item}}",
    "{{item}}{{item}}",
    "{{item}}.evil.example",
    "{{secret:URL}}/{{item}}",
    "",
  ])("%s is refused when the spec is checked", (template) => {
    expect(parseUrlTemplate(template).kind).toBe("invalid");
  });

  it("keeps any text in its place: the path's shape and the query's keys stay the spec's", () => {
    const template = ok(parseUrlTemplate("https://h.example/a/{{item}}/b?x={{item}}&y=1"));
    fc.assert(
      fc.property(fc.string({ unit: "binary", minLength: 1 }), (item) => {
        let text: string;
        try {
          text = hideSecrets(expandUrl(template, item));
        } catch (fault) {
          expect(fault).toBeInstanceOf(CannotExpand);
          return;
        }
        const parsed = new URL(text);
        expect(parsed.origin).toBe("https://h.example");
        expect(parsed.pathname.split("/").map(decodeURIComponent)).toEqual(["", "a", item, "b"]);
        expect([...parsed.searchParams]).toEqual([
          ["x", item],
          ["y", "1"],
        ]);
        expect(parsed.hash).toBe("");
      }),
    );
  });
});

describe("a body template", () => {
  it.each<[Json, Json, string | null, string]>([
    [{ id: "{{item}}" }, 'a"b\\\n', null, '{"id":"a\\"b\\\\\\n"}'],
    [{ id: "{{item}}" }, 17, null, '{"id":17}'],
    [{ id: "{{item}}" }, { a: [1] }, null, '{"id":{"a":[1]}}'],
    [{ id: "n-{{item}}" }, 17, null, '{"id":"n-17"}'],
    [{ a: [1, null, true, "{{item.x}}"], b: {} }, { x: "y" }, null, '{"a":[1,null,true,"y"],"b":{}}'],
    ['{"id":"{{item}}"}', '","admin":true,"x":"', null, '{"id":"\\",\\"admin\\":true,\\"x\\":\\""}'],
    ['{"id":"{{item}}"}', "{{secret:KEY}}", null, '{"id":"{{secret:KEY}}"}'],
    ['{"k":"{{secret:KEY}}","id":"{{item}}"}', "1", null, '{"k":"[secret:KEY]","id":"1"}'],
    ['{"n":12345678901234567890,"id":"{{item}}"}', "1", null, '{"n":12345678901234567890,"id":"1"}'],
    [{ id: "{{item.id}}" }, parseJson('{"id":12345678901234567890}'), null, '{"id":12345678901234567890}'],
    [{ id: "{{item.x}}" }, {}, null, "fails: item.x is missing"],
    [{ id: "{{item.x}}" }, { x: null }, null, "fails: item.x is null"],
    [{ id: "{{item.x}}" }, { x: "" }, null, "fails: item.x is empty"],
    ["{{item}}", { a: 1 }, "application/json", '{"a":1}'],
    ["{{item}}", "x", "application/json", '"x"'],
    ["id={{item}}&b=1", "a&b=2 c", null, "id=a%26b%3D2%20c&b=1"],
    ["{{item}}=1", "a&b", "application/x-www-form-urlencoded", "a%26b=1"],
    [
      "<id>{{item}}</id>",
      "</id><x a='1'>",
      "application/xml",
      "<id>&lt;/id&gt;&lt;x a=&apos;1&apos;&gt;</id>",
    ],
    [
      "<id>{{item}}</id>",
      "\u0000",
      "text/xml",
      "fails: the item holds a control character that XML cannot carry",
    ],
    ["plain {{item}}", "a\nb", null, "plain a\nb"],
    ["{{item}}", { a: 1 }, null, '{"a":1}'],
    ["{{item}}", "as it is", null, "as it is"],
  ])("%j with %j as %s gives %s", (template, item, type, expected) => {
    expect(body(template, item, type)).toBe(expected);
  });

  it.each<[Json, string | null]>([
    ['{"id": {{item}}}', null],
    ["not json {{item}}", "application/json"],
    [{ "{{item}}": 1 }, null],
    [{ a: "{{itme}}" }, null],
  ])("%j is refused when the spec is checked", (template, type) => {
    expect(parseBodyTemplate(template, type).kind).toBe("invalid");
  });

  it("keeps any text inside its JSON string", () => {
    const template = ok(parseBodyTemplate('{"id":"{{item}}","note":"of {{item}}","z":1}', null));
    fc.assert(
      fc.property(fc.string({ unit: "binary", minLength: 1 }), (item) => {
        expect(JSON.parse(hideSecrets(expandBody(template, item)))).toEqual({
          id: item,
          note: `of ${item}`,
          z: 1,
        });
      }),
    );
  });
});

describe("a header template", () => {
  it.each<[string, Json, string]>([
    ["id {{item}}", "a, b", "id a, b"],
    ["{{item}}", "a\r\nx-evil: 1", "fails: the header x-id would hold a character that headers cannot carry"],
    ["{{item}}", "a\u0000", "fails: the header x-id would hold a character that headers cannot carry"],
    ["{{item}}", "日本", "fails: the header x-id would hold a character that headers cannot carry"],
    ["{{item}}", "{{secret:KEY}}", "{{secret:KEY}}"],
    ["{{item.x}}", {}, "fails: item.x is missing"],
  ])("%s with %j gives %s", (template, item, expected) => {
    expect(header(template, item)).toBe(expected);
  });

  it.each([
    ["authorization", "Bearer abc"],
    ["Cookie", "session=1"],
    ["X-API-Key", "abc"],
    ["x-id", "a\nb"],
  ])("%s: %s is refused when the spec is checked", (name, text) => {
    expect(parseHeaderTemplate(name, text).kind).toBe("invalid");
  });

  it("has a name that the platform does not set itself", () => {
    expect(complainAboutHeaderName("x-id")).toBeNull();
    for (const name of ["", "a b", "a:b", "Host", "Content-Length", "transfer-encoding"]) {
      expect(complainAboutHeaderName(name), name).not.toBeNull();
    }
  });
});
