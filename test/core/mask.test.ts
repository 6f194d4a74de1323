import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseJson, stringifyJson } from "../../src/core/json.ts";
import { createMask } from "../../src/core/mask.ts";

const SECRET = 's3 cr+t/"é\\';
const mask = createMask([
  { name: "KEY", value: SECRET },
  { name: "PIN", value: "12345678" },
]);

describe("the mask", () => {
  it.each<[string, string]>([
    ["as it is", SECRET],
    ["percent-encoded", encodeURIComponent(SECRET)],
    ["percent-encoded in lower case", encodeURIComponent(SECRET).replace(/%../g, (e) => e.toLowerCase())],
    ["percent-encoded as a form", encodeURIComponent(SECRET).replaceAll("%20", "+")],
    ["inside JSON", JSON.stringify(SECRET).slice(1, -1)],
    ["inside JSON with escaped slashes", JSON.stringify(SECRET).slice(1, -1).replaceAll("/", "\\/")],
    ["in base64", Buffer.from(SECRET).toString("base64").replace(/=+$/, "")],
    ["in base64url", Buffer.from(SECRET).toString("base64url")],
  ])("finds a secret %s", (_form, text) => {
    expect(mask.text(`before ${text} after ${text}`)).toBe("before [secret:KEY] after [secret:KEY]");
  });

  it("finds it in every string, key and number of a value", () => {
    const value = { [`k-${SECRET}`]: ["x", { deep: `a ${SECRET} b` }], n: 12345678, big: 912345678, ok: 1 };
    expect(mask.json(value)).toEqual({
      "k-[secret:KEY]": ["x", { deep: "a [secret:KEY] b" }],
      n: "[secret:PIN]",
      big: "9[secret:PIN]",
      ok: 1,
    });
    expect(stringifyJson(mask.json(parseJson("[1234567812345678000001,99999999999999999999]")))).toBe(
      '["[secret:PIN][secret:PIN]000001",99999999999999999999]',
    );
  });

  it("gives the same value back when there is nothing to mask", () => {
    const value = { a: [1, { b: "c" }] };
    expect(mask.json(value)).toBe(value);
  });

  it("prefers the longer of two secrets where one begins with the other", () => {
    const both = createMask([
      { name: "A", value: "abcd" },
      { name: "B", value: "abcdefgh" },
    ]);
    expect(both.text("abcdefgh abcd")).toBe("[secret:B] [secret:A]");
  });

  it("leaves no trace of any secret of four characters or more", () => {
    fc.assert(
      fc.property(fc.string({ minLength: 4, unit: "binary" }), fc.json(), (value, around) => {
        // What the mask itself writes may hold a short secret such as "secr".
        fc.pre(!"[secret:N]".includes(value) && !around.includes(value));
        const { json } = createMask([{ name: "N", value }]);
        expect(String(json(`<${value}>`))).not.toContain(`<${value}>`);
      }),
    );
  });
});
