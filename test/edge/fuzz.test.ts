/**
 * Requests made from the API's own description, at random and bounded: whatever is sent, no answer is a fault of
 * Weir, none fails to come, and what was refused leaves nothing behind. A failure names the request.
 */
import { env } from "cloudflare:workers";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { call } from "./callApi.ts";

const SEED = 20_261_128;
const REQUESTS = 400;
/** No request of this size takes longer on any machine that tests run on. */
const ANSWER_MS = 15_000;

type Schema = Readonly<Record<string, unknown>>;
interface Operation {
  readonly method: string;
  readonly path: string;
  readonly body: Schema | null;
  readonly query: readonly string[];
}
interface Description {
  readonly paths: Readonly<Record<string, Readonly<Record<string, OperationObject>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}
interface OperationObject {
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Schema }>> };
  readonly parameters?: readonly { readonly in: string; readonly name: string }[];
}

async function describeApi(): Promise<{
  operations: readonly Operation[];
  schemas: Description["components"]["schemas"];
}> {
  const { paths, components } = (await (await call("GET", "/openapi.json")).json()) as Description;
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { requestBody, parameters = [] }]) => ({
      method: method.toUpperCase(),
      path,
      body: requestBody?.content["application/json"]?.schema ?? (requestBody === undefined ? null : {}),
      query: parameters.filter((one) => one.in === "query").map((one) => one.name),
    })),
  );
  return { operations, schemas: components.schemas };
}

/** What stands at odds with every schema. */
const odd = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    true,
    "",
    0,
    -1,
    1.5,
    1e308,
    [],
    {},
    "\u0000",
    "\ud800",
    "__proto__",
    "{{item}}",
  ),
  fc.constantFrom<unknown>("{{secret:NOPE}}", "../..", "http://127.0.0.1/{{item}}", "%", "x".repeat(10_000)),
  fc.json({ maxDepth: 3 }).map((text): unknown => JSON.parse(text)),
  fc.constant(null).map((): unknown => JSON.parse(`${"[".repeat(150)}${"]".repeat(150)}`)),
);

/** Mostly what the schema describes, and now and then what it does not. */
function madeBy(
  schema: Schema,
  schemas: Description["components"]["schemas"],
  depth = 0,
): fc.Arbitrary<unknown> {
  const fitting = depth > 5 ? odd : fittingOf(schema, schemas, depth);
  return fc.oneof({ arbitrary: fitting, weight: 9 }, { arbitrary: odd, weight: 1 });
}

function fittingOf(
  schema: Schema,
  schemas: Description["components"]["schemas"],
  depth: number,
): fc.Arbitrary<unknown> {
  const inner = (one: unknown) => madeBy((one ?? {}) as Schema, schemas, depth + 1);
  if (typeof schema.$ref === "string") return inner(schemas[schema.$ref.split("/").at(-1) ?? ""]);
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (Array.isArray(schema.enum)) return fc.constantFrom<unknown>(...schema.enum);
  const examples = Array.isArray(schema.examples) ? schema.examples : [];
  const choices = (schema.anyOf ?? schema.oneOf ?? schema.allOf) as readonly unknown[] | undefined;
  const made = choices === undefined ? byType(schema, inner) : fc.oneof(...choices.map(inner));
  return examples.length === 0 ? made : fc.oneof(fc.constantFrom<unknown>(...examples), made);
}

function byType(schema: Schema, inner: (one: unknown) => fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  switch (Array.isArray(schema.type) ? schema.type[0] : schema.type) {
    case "object": {
      const properties = Object.entries((schema.properties ?? {}) as Readonly<Record<string, unknown>>);
      const model = Object.fromEntries(properties.map(([name, one]) => [name, inner(one)]));
      return fc.record(model, { requiredKeys: (schema.required ?? []) as never[] });
    }
    case "array":
      return fc.array(inner(schema.items), { maxLength: 4 });
    case "integer":
      return fc.oneof(fc.integer({ min: 0, max: 20 }), fc.maxSafeInteger());
    case "number":
      return fc.double({ noNaN: true, noDefaultInfinity: true });
    case "boolean":
      return fc.boolean();
    case "null":
      return fc.constant(null);
    case "string":
      return fc.oneof(
        fc.string({ maxLength: 30, unit: "binary" }),
        fc.constantFrom("a", "5/s", "https://target.test/never/{{item}}"),
      );
    default:
      return odd;
  }
}

/** What can stand for `{id}` and the like. */
const segment = fc.oneof(
  fc.constantFrom(
    "r_1k2m3n4p5abcdefghj",
    "ids.txt",
    "..",
    "%2e%2e",
    "%00",
    "%",
    "a%2fb",
    "constructor",
    "0",
    "-1",
  ),
  fc.string({ maxLength: 20 }).map((text) => encodeURIComponent(text.toWellFormed()) || "_"),
);

interface Asked {
  readonly method: string;
  readonly path: string;
  readonly body: string | undefined;
}

function requests(
  operations: readonly Operation[],
  schemas: Description["components"]["schemas"],
): fc.Arbitrary<Asked> {
  return fc.constantFrom(...operations).chain(({ method, path, body, query }) => {
    const names = path.match(/\{\w+\}/g) ?? [];
    const pairs = fc.array(fc.tuple(fc.constantFrom("x", ...query), fc.string({ maxLength: 12 })), {
      maxLength: 2,
    });
    const text =
      body === null ? fc.constant(undefined) : madeBy(body, schemas).map((value) => JSON.stringify(value));
    return fc.tuple(fc.tuple(...names.map(() => segment)), pairs, text).map(([segments, search, sent]) => {
      const filled = segments.reduce((so, one) => so.replace(/\{\w+\}/, () => one), path);
      const wellFormed = search.map(([name, value]) => [name, value.toWellFormed()]);
      const tail = search.length === 0 ? "" : `?${new URLSearchParams(wellFormed)}`;
      return { method, path: filled + tail, body: sent ?? (body === null ? undefined : "null") };
    });
  });
}

/** Names of all that an API holds. */
async function held(): Promise<Readonly<Record<string, number>>> {
  const counted: Record<string, number> = {};
  let cursor: string | undefined;
  do {
    const page = await env.BUCKET.list(cursor === undefined ? {} : { cursor });
    for (const { key } of page.objects) {
      const folder = key.split("/", 2).join("/");
      counted[folder] = (counted[folder] ?? 0) + 1;
    }
    cursor = page.truncated ? page.cursor : undefined;
  } while (cursor !== undefined);
  const keys = await env.DB.prepare("SELECT COUNT(*) AS n FROM idempotency_keys").first<{ n: number }>();
  return { ...counted, keys: keys?.n ?? 0 };
}

describe("the API", () => {
  it("answers whatever is sent, with no fault of its own, and keeps nothing of what it refused", async () => {
    const { operations, schemas } = await describeApi();
    expect(operations.length).toBeGreaterThan(25);
    const made = { count: 0 };
    await fc.assert(
      fc.asyncProperty(requests(operations, schemas), async ({ method, path, body }) => {
        const isMaking = method !== "GET";
        const before = isMaking ? await held() : {};
        const late = new Promise<never>((_, reject) =>
          setTimeout(() => reject(new Error("no answer came")), ANSWER_MS),
        );
        late.catch(() => {});
        const canHaveBody = method !== "GET" && method !== "HEAD";
        const answer = await Promise.race([call(method, path, canHaveBody ? body : undefined), late]);
        const text = await answer.text();
        expect(answer.status, `${method} ${path}: ${text.slice(0, 300)}`).toBeLessThan(500);
        if (answer.status < 300) made.count += 1;
        else if (isMaking) expect(await held(), `${method} ${path} was refused`).toEqual(before);
        if (answer.status === 201 && path.startsWith("/v1/runs")) {
          const { id } = JSON.parse(text) as { readonly id: string };
          await call("POST", `/v1/runs/${id}/cancel`);
        }
      }),
      { seed: SEED, numRuns: REQUESTS, endOnFailure: true },
    );
    expect(made.count, "some of what is described is accepted").toBeGreaterThan(10);
    for (const path of ["/v1/runs", "/v1/inputs", "/v1/schedules", "/healthz"])
      expect((await call("GET", path)).status).toBe(200);
  }, 120_000);
});
