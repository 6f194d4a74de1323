import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseJson, stringifyJson } from "../../../src/core/json.ts";
import { escapeJson, escapeXml } from "../../../src/core/template/bodyTemplate.ts";
import { createMask } from "../../../src/core/template/mask.ts";

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

  const ODD = "a b&c<d>e\"f'g/h\\i!j*k(l)m~n+o%p=q;r;é€😀\tz";
  const odd = createMask([{ name: "ODD", value: ODD }]);
  const each = (encode: (character: string) => string, which = /[^a-z0-9]/i) =>
    [...ODD].map((c) => (which.test(c) ? encode(c) : c)).join("");
  const units = (c: string) => Array.from({ length: c.length }, (_, n) => c.charCodeAt(n));
  const escapes = (c: string) =>
    units(c)
      .map((u) => `\\u${u.toString(16).padStart(4, "0")}`)
      .join("");
  const entity = (c: string) =>
    ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;" })[c] ?? c;
  const bytes = (c: string) =>
    [...new TextEncoder().encode(c)].map((b) => `%${b.toString(16).padStart(2, "0")}`).join("");

  it.each<[string, string]>([
    ["in an XML body", each(entity)],
    ["as PHP and Python write it into HTML", each((c) => (c === "'" ? "&#039;" : entity(c)))],
    ["as Go writes it into HTML", each((c) => ({ "'": "&#39;", '"': "&#34;" })[c] ?? entity(c))],
    ["in decimal references", each((c) => `&#${c.codePointAt(0)};`)],
    ["in hexadecimal references", each((c) => `&#x${c.codePointAt(0)?.toString(16)};`)],
    ["in upper-case ones", each((c) => `&#X${c.codePointAt(0)?.toString(16).toUpperCase()};`)],
    ["as a URL's parser writes it", `${encodeURIComponent(ODD).replaceAll("'", "%27")}`],
    ["as PHP writes it into a URL", each(bytes, /[^-_.a-z0-9]/i)],
    ["as PHP writes it, in upper case", each((c) => bytes(c).toUpperCase(), /[^-_.a-z0-9]/i)],
    ["as Python writes it into a form", each((c) => (c === " " ? "+" : bytes(c)), /[^-_.~a-z0-9]/i)],
    [
      "as Go and ASP.NET write it into JSON",
      JSON.stringify(ODD)
        .slice(1, -1)
        .replace(/[&<>'+]/g, escapes),
    ],
    [
      "as Python writes it into JSON",
      JSON.stringify(ODD)
        .slice(1, -1)
        .replace(/[^ -~]/g, escapes),
    ],
    [
      "as PHP writes it into JSON",
      JSON.stringify(ODD)
        .slice(1, -1)
        .replaceAll("/", "\\/")
        .replace(/[^ -~]/g, escapes),
    ],
    ["with every escape in upper case", each((c) => escapes(c).toUpperCase().replaceAll("U", "u"))],
    ["in base64 inside a URL", encodeURIComponent(Buffer.from(ODD).toString("base64").replace(/=+$/, ""))],
  ])("finds a secret of odd characters %s", (_form, text) => {
    expect(odd.text(`before ${text} after ${text}.`)).toBe("before [secret:ODD] after [secret:ODD].");
  });

  it("leaves nothing of a secret that ends in characters with escapes", () => {
    const one = createMask([{ name: "N", value: "aa\\\\" }]);
    expect(one.text(`"${escapeJson("aa\\\\")}"`)).toBe('"[secret:N]"');
    expect(createMask([{ name: "N", value: "aa&a" }]).text("<aa&amp;a>")).toBe("<[secret:N]>");
  });

  it("finds every secret in whatever a URL, a body or a header of Weir's own holds", () => {
    fc.assert(
      fc.property(
        fc.string({ minLength: 4, unit: fc.constantFrom(..."ab1&<>\"'/\\ %+!*()~;#?é") }),
        (value) => {
          const one = createMask([{ name: "N", value }]);
          const url = new URL(`https://h.example/${encodeURIComponent(value)}?k=${encodeURIComponent(value)}`)
            .href;
          expect(one.text(url)).toBe("https://h.example/[secret:N]?k=[secret:N]");
          for (const text of [value, escapeXml(value), escapeJson(value)])
            expect(one.text(`[${text}]`)).toBe("[[secret:N]]");
        },
      ),
    );
  });

  it("looks through long text once, whatever the secret repeats", () => {
    const repeating = createMask([{ name: "N", value: `${"\\%&+ ".repeat(20)}x` }]);
    const text = "\\%&+ ".repeat(40_000);
    expect(repeating.text(text)).toBe(text);
  });

  it("says that a value is too deep to look through it", () => {
    const deep = JSON.parse(`${"[".repeat(100_000)}${"]".repeat(100_000)}`);
    expect(() => mask.json(deep)).toThrow("levels deep: too deep to look for secrets in it");
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
