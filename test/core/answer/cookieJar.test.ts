import { describe, expect, it } from "vitest";
import { CookieJar } from "../../../src/core/answer/cookieJar.ts";

const FROM = new URL("https://a.example.com/dir/page");

describe("a cookie that a hop sets", () => {
  it.each<[string, string, string, string | null]>([
    ["goes to its host and path", "k=1", "https://a.example.com/dir/next", "k=1"],
    ["goes to no other path", "k=1", "https://a.example.com/else", null],
    ["goes everywhere with Path=/", "k=1; Path=/", "https://a.example.com/else", "k=1"],
    ["goes to no other host", "k=1; Path=/", "https://b.example.com/", null],
    ["goes to its domain's hosts", "k=1; Path=/; Domain=example.com", "https://b.example.com/", "k=1"],
    ["is not taken for a domain that its host is not in", "k=1; Domain=other.com", FROM.href, null],
    ["is not taken for a whole suffix", "k=1; Domain=com", FROM.href, null],
    ["stays with https where it says Secure", "k=1; Path=/; Secure", "http://a.example.com/", null],
    ["is gone with Max-Age=0", "k=1; Max-Age=0", FROM.href, null],
    ["has a name", "=1", FROM.href, null],
    ["holds what headers can carry", "k=\u00e9", FROM.href, null],
  ])("%s", (_rule, header, to, sent) => {
    const jar = new CookieJar();
    jar.take(FROM, [header]);
    expect(jar.header(new URL(to))).toBe(sent);
  });

  it("takes the place of an older one of its name", () => {
    const jar = new CookieJar();
    jar.take(FROM, ["k=1", "l=2"]);
    jar.take(FROM, ["k=3"]);
    expect(jar.header(FROM)).toBe("l=2; k=3");
  });
});
