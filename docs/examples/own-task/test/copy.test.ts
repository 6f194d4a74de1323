import { startWeir, type TestWeir } from "weir-run/testing";
import { afterAll, beforeAll, expect, test } from "vitest";

let weir: TestWeir;
beforeAll(async () => {
  weir = await startWeir({ env: { WEIR_SECRET_KEY: "only-for-tests" } });
}, 60_000);
afterAll(() => weir.stop());

test("copy writes every record to the other system, and fails what is not there", async () => {
  const kept = new Map<string, string>();
  const target = await weir.target(async (request) => {
    const { pathname, searchParams } = new URL(request.url);
    const id = searchParams.get("id") ?? "";
    if (request.headers.get("authorization") !== "Bearer only-for-tests") return new Response(null, { status: 401 });
    if (pathname === "/old") return id === "3" ? new Response("no such record", { status: 404 }) : new Response(`record ${id}`);
    kept.set(id, await request.text());
    return new Response(null, { status: 201 });
  });
  const { run, rows } = await weir.run({
    source: { kind: "range", from: 1, to: 6 },
    task: { kind: "copy", from: `${target.url}/old`, to: `${target.url}/new`, secret: "KEY" },
  });
  expect(run.status).toBe("completed-with-failures");
  expect(rows.filter(({ ok }) => !ok).map(({ item }) => item)).toEqual([3]);
  expect([...kept].sort()).toEqual(["1", "2", "4", "5"].map((id) => [id, `record ${id}`]));
}, 60_000);
