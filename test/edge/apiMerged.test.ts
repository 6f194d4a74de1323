import { describe, expect, it } from "vitest";
import type { Row } from "../../src/core/row.ts";
import type { RunView } from "../../src/core/run/runView.ts";
import { answer, call, rowsOf } from "./callApi.ts";
import { ended, SLOW, start } from "./runsOverApi.ts";

const ITEMS = 30;
const HEALED = { url: "https://target.test/healed/{{item.n}}" };

/** Items that end in 7 get a 404, every tenth has no id and fails without a call. */
function root(): Promise<RunView> {
  const items = Array.from({ length: ITEMS }, (_, n) => (n % 10 === 0 ? { n } : { n, id: String(n) }));
  return start({
    source: { kind: "items", items },
    task: { kind: "http", url: "https://target.test/users/{{item.id}}" },
    chunkSize: 8,
  }).then(({ id }) => ended(id));
}

async function retry(id: string, body: object = {}): Promise<RunView> {
  const { status, body: child } = await answer<RunView>(await call("POST", `/v1/runs/${id}/retry`, body));
  expect([status, child.parentRunId]).toEqual([201, id]);
  return child;
}

const merged = async (id: string, query = ""): Promise<Row[]> => {
  const response = await call("GET", `/v1/runs/${id}/results?merged=true${query}`);
  expect([response.status, response.headers.get("content-type")]).toEqual([200, "application/x-ndjson"]);
  return rowsOf(response);
};
const failures = async (id: string): Promise<Row[]> =>
  rowsOf(await call("GET", `/v1/runs/${id}/failures`, undefined, { accept: "application/x-ndjson" }));
const indexesOf = (rows: readonly Row[]) => rows.map((row) => row.index);
const everyItem = Array.from({ length: ITEMS }, (_, index) => index);

describe("merged results", () => {
  it("hold one row for every item through retries by kind, of retries, and with another task", async () => {
    const { id } = await root();
    expect(indexesOf(await merged(id))).toEqual(everyItem);
    expect(indexesOf(await merged(id, "&only=failed"))).toEqual([0, 7, 10, 17, 20, 27]);

    const byKind = await ended((await retry(id, { kinds: ["task"], task: HEALED })).id);
    expect(byKind.counts).toMatchObject({ items: 3, ok: 3 });
    expect(indexesOf(await merged(id))).toEqual(everyItem);
    expect(await merged(id, "&only=failed")).toEqual(await failures(id));
    expect(indexesOf(await merged(id, "&only=failed"))).toEqual([7, 17, 27]);

    const again = await ended((await retry(id)).id);
    expect(again.counts).toMatchObject({ items: 3, failed: 3 });
    const last = await ended((await retry(again.id, { task: HEALED })).id);
    expect(last.counts).toMatchObject({ items: 3, ok: 3 });

    const rows = await merged(id);
    expect(indexesOf(rows)).toEqual(everyItem);
    expect(rows.every((row) => row.ok)).toBe(true);
    expect(rows[7]).toMatchObject({ item: { n: 7 }, value: { id: "7" } });
    expect(await merged(id, "&only=failed")).toEqual([]);
    expect(await failures(id)).toEqual([]);
    expect(indexesOf(await merged(again.id))).toEqual([7, 17, 27]);
    expect(indexesOf(await merged(again.id, "&only=ok"))).toEqual([7, 17, 27]);
  });

  it("take in what a retry that goes on has committed, and keep the rest", async () => {
    const { id } = await root();
    const going = await retry(id, { task: { url: SLOW.task.url.replace("item", "item.n") } });
    expect(indexesOf(await merged(id))).toEqual(everyItem);
    await call("POST", `/v1/runs/${going.id}/cancel`);
    await ended(going.id);
    expect(indexesOf(await merged(id))).toEqual(everyItem);
  });

  it("of a run that has not ended are what it has committed so far", async () => {
    const { id } = await start({ source: { kind: "items", items: ["a", "b"] }, ...SLOW });
    expect(await merged(id)).toEqual([]);
    await call("POST", `/v1/runs/${id}/cancel`);
  });

  it("are refused together with follow, and for a run that is not there", async () => {
    const { id } = await start({ source: { kind: "items", items: ["a"] }, ...SLOW });
    const { status, body } = await answer(
      await call("GET", `/v1/runs/${id}/results?merged=true&follow=true`),
    );
    expect([status, body.error.path]).toEqual([400, "merged"]);
    await call("POST", `/v1/runs/${id}/cancel`);
    expect((await call("GET", "/v1/runs/r_000000000000000000/results?merged=true")).status).toBe(404);
  });
});
