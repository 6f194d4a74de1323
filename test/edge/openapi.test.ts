/** What `/openapi.json` says, held against what the API answers. */
import { type Schema, Validator } from "@cfworker/json-schema";
import { beforeAll, describe, expect, it } from "vitest";
import { answer, call, rowsOf } from "./callApi.ts";
import { ended, start, USERS } from "./runsOverApi.ts";

interface Operation {
  readonly operationId?: string;
  readonly tags?: readonly string[];
  readonly responses: Readonly<Record<string, { readonly headers?: object }>>;
}
interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Described>> };
  readonly tags: readonly { readonly name: string }[];
}
type Described = { readonly properties?: Readonly<Record<string, Schema>> } & Schema;

let document: Document;
beforeAll(async () => {
  document = await (await call("GET", "/openapi.json")).json<Document>();
});

const operations = () =>
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method, path, ...operation })),
  );

/** What is wrong with a value as one of the document's schemas; empty where nothing is. */
function faults(name: string, value: unknown): readonly string[] {
  const schema = { ...document, $ref: `#/components/schemas/${name}` } as Schema;
  const { errors } = new Validator(schema, "2020-12", false).validate(value);
  return errors.map(({ instanceLocation, error }) => `${instanceLocation} ${error}`);
}

/** Keys that the document does not know of, also those of inner objects that it describes. */
function unknownKeys(name: string, value: object): readonly string[] {
  return keysBeyond(document.components.schemas[name] ?? {}, value, name);
}

function keysBeyond({ properties }: Described, value: unknown, path: string): readonly string[] {
  if (properties === undefined || typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, member]) => {
    const described = properties[key];
    const inner = `${path}.${key}`;
    return described === undefined ? [inner] : keysBeyond(described as Described, member, inner);
  });
}

describe("every operation", () => {
  it("has an id of its own and a tag that is explained", () => {
    const ids = operations().map(({ operationId }) => operationId);
    expect(ids.every((id) => /^[a-z][A-Za-z]+$/.test(id ?? ""))).toBe(true);
    expect(new Set(ids).size).toBe(ids.length);
    const tags = document.tags.map(({ name }) => name);
    expect(operations().filter(({ tags: [tag = ""] = [] }) => !tags.includes(tag))).toEqual([]);
  });

  it("that makes a run or a schedule says where it is", async () => {
    for (const path of ["/v1/runs", "/v1/runs/{id}/retry", "/v1/schedules"]) {
      expect(document.paths[path]?.post?.responses["201"]).toHaveProperty("headers.location");
    }
    const spec = { source: { kind: "items", items: ["7"] }, task: { kind: "http", url: USERS } };
    const response = await call("POST", "/v1/runs", spec);
    const { body } = await answer(response);
    expect(response.headers.get("location")).toBe(`/v1/runs/${body.id}`);
    await ended(body.id);
    const retry = await call("POST", `/v1/runs/${body.id}/retry`);
    expect(retry.headers.get("location")).toBe(`/v1/runs/${(await answer(retry)).body.id}`);
  });
});

describe("the schemas of the document", () => {
  it("refer only to what is there", () => {
    const references = JSON.stringify(document).match(/"#\/components\/schemas\/\w+"/g) ?? [];
    const names = references.map((reference) => /(\w+)"$/.exec(reference)?.[1] ?? "");
    expect(names.filter((name) => document.components.schemas[name] === undefined)).toEqual([]);
  });

  it("tell task and source by their kind, and hold defaults and descriptions", () => {
    const { task, source, chunkSize } = document.components.schemas.Spec?.properties ?? {};
    expect(task).toMatchObject({
      discriminator: { propertyName: "kind", mapping: { http: "#/components/schemas/HttpTask" } },
    });
    expect(source?.oneOf).toContainEqual({ $ref: "#/components/schemas/RangeSource" });
    expect(chunkSize).toMatchObject({ default: 1000, description: expect.any(String) });
    const spec = {
      source: { kind: "items", items: [1] },
      task: { kind: "http", url: "https://a.test/{{item}}" },
    };
    expect(faults("Spec", spec)).toEqual([]);
    expect(faults("Spec", { ...spec, task: { ...spec.task, timeoutMS: 1 } })).not.toEqual([]);
  });

  it("accept real runs, rows of any JSON, failures and reports", async () => {
    const items = ["7", 8, { id: 1 }, [1], null, true];
    const { id } = await start({
      source: { kind: "items", items },
      task: { kind: "http", url: "https://target.test/users/{{item}}" },
      reduce: { id: "sum", top: { top: 2, by: "id" } },
    });
    const run = await ended(id);
    expect([faults("Run", run), unknownKeys("Run", run)]).toEqual([[], []]);
    const rows = await rowsOf(await call("GET", `/v1/runs/${id}/results`));
    expect(rows.map(({ item }) => item)).toEqual(items);
    for (const row of rows) expect([faults("Row", row), unknownKeys("Row", row)]).toEqual([[], []]);
    const report = await (await call("GET", `/v1/runs/${id}/report`)).json();
    expect(faults("Report", report)).toEqual([]);
    const plan = await call("POST", "/v1/plans", run.spec);
    expect(faults("Plan", await plan.json())).toEqual([]);
    expect(faults("Row", { index: 0, item: "a", ok: "yes", attempts: 1, throttles: 0 })).not.toEqual([]);
  });
});

describe("/spec.schema.json", () => {
  it("is what an editor needs, without a token", async () => {
    const schema = await (await call("GET", "/spec.schema.json", undefined, { authorization: "" })).json();
    expect(schema).toMatchObject({ $defs: { HttpTask: { type: "object" } }, required: ["source", "task"] });
  });
});

describe("failures of some kinds", () => {
  it("are a query away", async () => {
    const { id } = await start({
      source: { kind: "items", items: ["7", "17", "8"] },
      task: { kind: "http", url: USERS },
    });
    await ended(id);
    const page = async (query: string) =>
      answer<{ failures?: readonly object[]; error: { path: string } }>(
        await call("GET", `/v1/runs/${id}/failures${query}`),
      );
    expect((await page("?kind=http,timeout")).body.failures).toHaveLength(2);
    expect((await page("?kind=timeout")).body.failures).toHaveLength(0);
    expect(await page("?kind=Timeout")).toMatchObject({ status: 400, body: { error: { path: "kind.0" } } });
  });
});
