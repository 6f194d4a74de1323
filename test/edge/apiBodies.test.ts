/** Bodies and keys that were made to hurt, or are simply wrong. */
import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { createApp } from "../../src/api/app.ts";
import { MAX_JSON_LEVELS } from "../../src/core/limits.ts";
import { answer, call } from "./callApi.ts";
import { SLOW, start } from "./runsOverApi.ts";

/** `levels` lists in each other. */
const nested = (levels: number) => `${"[".repeat(levels)}${"]".repeat(levels)}`;
const specWith = (items: string) =>
  `{"source":{"kind":"items","items":${items}},"task":{"kind":"http","url":"https://target.test/slow/{{item.0}}"}}`;

describe("a body", () => {
  it.each([MAX_JSON_LEVELS, 2000, 10_000, 700_000])(
    "of %i levels more than are accepted is refused, by where it is",
    async (levels) => {
      for (const path of ["/v1/runs", "/v1/plans", "/v1/schedules"]) {
        const refused = await answer(await call("POST", path, specWith(nested(levels))));
        expect([refused.status, refused.body.error.code]).toEqual([400, "invalid"]);
        expect(refused.body.error.path).toMatch(/^source\.items\.0\.0\.0/);
        expect(refused.body.error.message).toContain("100 levels");
      }
      // Nothing was made that others trip over.
      expect((await call("GET", "/v1/runs")).status).toBe(200);
    },
  );

  it("of as many levels as are accepted makes a run that is listed and read like any other", async () => {
    const items = `[${nested(MAX_JSON_LEVELS - 3)}]`;
    const made = await answer(await call("POST", "/v1/runs", specWith(items)));
    expect(made.status).toBe(201);
    for (const path of ["/v1/runs", `/v1/runs/${made.body.id}`])
      expect((await call("GET", path)).status).toBe(200);
    expect((await call("POST", "/v1/reindex")).status).toBe(200);
    expect((await call("POST", `/v1/runs/${made.body.id}/cancel`)).status).toBe(200);
  });

  it.each(["/v1/runs", "/v1/inputs/broken.txt"])(
    "that breaks off is the sender's fault, at %s",
    async (path) => {
      const body = new ReadableStream({
        start(controller) {
          controller.enqueue(new TextEncoder().encode('{"a'));
        },
        pull(controller) {
          controller.error(new Error("bad chunk"));
        },
      });
      const request = new Request(`https://weir.test${path}`, {
        method: path.includes("inputs") ? "PUT" : "POST",
        headers: { authorization: `Bearer ${env.WEIR_TOKEN}` },
        body,
      });
      const refused = await answer(await createApp().fetch(request, env, createExecutionContext()));
      expect([refused.status, refused.body.error.message]).toEqual([
        400,
        "the body broke off, or is not well-formed",
      ]);
    },
  );
});

describe("an Idempotency-Key", () => {
  const key = { "idempotency-key": "corrected" };
  const spec = { source: { kind: "items", items: ["a"] }, ...SLOW };

  it("whose spec was refused may come again with the corrected one, and then makes one run", async () => {
    for (const wrong of [
      { ...spec, colour: "red" },
      { ...spec, source: { kind: "input", name: "nowhere.txt" } },
    ])
      expect((await call("POST", "/v1/runs", wrong, key)).status).toBe(400);
    const { id } = await start(spec, key);
    expect((await start(spec, key)).id).toBe(id);
    expect((await call("POST", "/v1/runs", { ...spec, name: "other" }, key)).status).toBe(409);
  });
});
