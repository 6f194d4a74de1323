import { describe, expect, it } from "vitest";
import { withoutPassword } from "../../../src/tasks/postgres/postgresPassword.ts";

const PASSWORD = "pa/Ss w0rd";
const URLS = [
  `postgres://me:${encodeURIComponent(PASSWORD)}@db.example/base`,
  `postgres://me@db.example/base?password=${encodeURIComponent(PASSWORD)}`,
  `postgres://me@db.example/base?sslpassword=${encodeURIComponent(PASSWORD)}&application_name=x`,
];

describe.each(URLS)("the password of %s", (url) => {
  it.each([
    ["as it is", PASSWORD],
    ["in percent encoding", encodeURIComponent(PASSWORD)],
    ["in upper case", PASSWORD.toUpperCase()],
    ["in lower case", PASSWORD.toLowerCase()],
    ["in base64", Buffer.from(PASSWORD).toString("base64")],
    ["in JSON", JSON.stringify(PASSWORD).slice(1, -1)],
    ["in the connection string", url],
  ])("is masked %s", (_form, text) => {
    const masked = withoutPassword(`FATAL: ${text}, said the server`, url);
    expect(masked).toMatch(/^FATAL: \[secret\]=*, said the server$/);
  });

  it("leaves everything else as it is", () => {
    const message = 'FATAL: role "me" does not exist in "base"';
    expect(withoutPassword(message, url)).toBe(message);
  });
});

describe("a connection string without a password", () => {
  it.each(["postgres://me@db.example/base", "not a URL"])("%s changes no message", (url) => {
    expect(withoutPassword("FATAL: too many connections", url)).toBe("FATAL: too many connections");
    expect(withoutPassword(`FATAL: ${url}`, url)).toBe("FATAL: [secret]");
  });
});
