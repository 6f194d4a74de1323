/** Files of records and the statement that loads them. */
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseSpec } from "../../../src/runSpec/schema.ts";
import { StoreFault } from "../../../src/storage/stores/objectStore.ts";
import { DamagedFile, jsonLines } from "../../../src/tasks/postgres/jsonLines.ts";
import { insertOf, type LoadSettings, planLoad } from "../../../src/tasks/postgres/loadStatement.ts";

/** The bytes in pieces of `cut`; `fault` ends them. */
function body(bytes: Uint8Array, cut: number, fault: Error | null = null): ReadableStream<Uint8Array> {
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at < bytes.byteLength) controller.enqueue(bytes.slice(at, at + cut));
      else if (fault === null) controller.close();
      else controller.error(fault);
      at += cut;
    },
  });
}

async function collect(stream: ReadableStream<Uint8Array>): Promise<unknown[]> {
  const all: unknown[] = [];
  for await (const record of jsonLines(stream)) all.push(record);
  return all;
}

describe("a file of JSON lines", () => {
  test("gives its records however it is cut, plain or gzip, with or without a last line end", async () => {
    const record = fc.dictionary(fc.string(), fc.oneof(fc.string(), fc.integer(), fc.constant(null)));
    await fc.assert(
      fc.asyncProperty(
        fc.array(record, { minLength: 1, maxLength: 8 }),
        fc.integer({ min: 1, max: 50 }),
        fc.boolean(),
        fc.constantFrom("\n", "\r\n", "\n \n"),
        async (records, cut, isGzip, end) => {
          const text = records.map((one) => JSON.stringify(one)).join(end) + (cut % 2 === 0 ? end : "");
          const bytes = isGzip ? gzipSync(text) : Buffer.from(text);
          expect(JSON.stringify(await collect(body(bytes, cut)))).toBe(JSON.stringify(records));
        },
      ),
      { numRuns: 60 },
    );
  });

  test.each([
    ["{}\n{\n", "line 2 is not JSON"],
    ["{}\n\n[1]\n", "line 3 is not a JSON object"],
    ["12345678901234567890\n", "line 1 is not a JSON object"],
    [`{}\n${"x".repeat(1_000_001)}`, "line 2 is longer than 1000000 bytes"],
  ])("that is damaged is named by its line", async (text, message) => {
    const fault = await collect(body(Buffer.from(text), 4096)).catch((error: unknown) => error);
    expect(fault).toBeInstanceOf(DamagedFile);
    expect(fault).toMatchObject({ message });
  });

  test("that is cut off is damaged; a store that breaks off is not the file's fault", async () => {
    const packed = gzipSync(JSON.stringify({ a: "x".repeat(10_000) }));
    await expect(collect(body(packed.subarray(0, 40), 7))).rejects.toBeInstanceOf(DamagedFile);
    const broken = body(packed.subarray(0, 40), 7, new Error("connection reset"));
    await expect(collect(broken)).rejects.toBeInstanceOf(StoreFault);
  });
});

describe("a load", () => {
  const settings: LoadSettings = {
    table: "sales.orders",
    columns: ["id", "total"],
    onConflict: "skip",
    key: null,
  };
  const planned = (change: Partial<LoadSettings>) => planLoad({ ...settings, ...change });

  test("takes the fields that its columns name, and leaves out what a record lacks", () => {
    const made = planned({ columns: { 'a"b': "/x/0", total: "/sum" } });
    if (made.kind === "invalid") throw new Error(made.message);
    expect(made.plan.rowOf({ x: [1, 2], other: 3 })).toBe('{"a\\"b":1}');
    expect(insertOf(made.plan)).toContain('INSERT INTO "sales"."orders" ("a""b", "total")');
  });

  test.each([
    [{ columns: ["id", "id"] }, "columns", "names id twice"],
    [{ columns: {} }, "columns", "names no column"],
    [{ onConflict: "update" as const }, "key", "must name the columns of a unique key"],
    [{ key: ["id"] }, "key", 'is for "onConflict": "update"'],
    [{ onConflict: "update" as const, key: ["other"] }, "key", "names other, which is none of the columns"],
  ])("of %j is refused at %s", (change, path, message) => {
    expect(planned(change)).toMatchObject({
      kind: "invalid",
      path,
      message: expect.stringContaining(message),
    });
  });

  test("reads from the store that its source lists, unless it names another", () => {
    const store = { endpoint: "https://s3.example.com", bucket: "b", accessKeyId: "K", secretAccessKey: "S" };
    const task = { kind: "postgres-load", connection: "DB", table: "t", columns: ["id"] };
    const storeOf = (given: object) => {
      const parsed = parseSpec({
        source: { kind: "objects", prefix: "in/", store },
        task: { ...task, ...given },
      });
      if (parsed.kind === "invalid") throw new Error(parsed.message);
      return parsed.spec.task.store;
    };
    expect(storeOf({})).toMatchObject({ bucket: "b", region: "auto" });
    expect(storeOf({ store: { ...store, bucket: "other" } })).toMatchObject({ bucket: "other" });
  });
});
