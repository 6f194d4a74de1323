import { describe, expect, it } from "vitest";
import { answer, call, until } from "./callApi.ts";

interface Input {
  readonly name: string;
  readonly bytes: number;
  readonly items: number;
  readonly createdAt: string;
}

interface Page {
  readonly inputs: readonly Input[];
  readonly cursor: string | null;
}

async function gzip(text: string): Promise<Uint8Array> {
  return new Response(new Blob([text]).stream().pipeThrough(new CompressionStream("gzip"))).bytes();
}

describe("inputs", () => {
  it("are stored under their name, with their size and items", async () => {
    const { status, body } = await answer<Input>(await call("PUT", "/v1/inputs/plain.txt", "a\n\nb\r\nc"));
    expect(status).toBe(201);
    expect(body).toEqual({ name: "plain.txt", bytes: 7, items: 3, createdAt: expect.stringMatching(/Z$/) });
  });

  it("are unpacked on the way in when they are gzip", async () => {
    const { body } = await answer<Input>(await call("PUT", "/v1/inputs/packed.gz", await gzip("1\n2\n3\n")));
    expect([body.bytes, body.items]).toEqual([6, 3]);
  });

  it.each([
    ["empty", "", "invalid"],
    ["only blank lines", "\n \n\t\r\n", "invalid"],
    ["binary", new Uint8Array([97, 10, 0, 1, 2]), "invalid"],
    ["not UTF-8", new Uint8Array([97, 10, 0xff, 0xfe, 10]), "invalid"],
    ["one line of a megabyte and more", "x".repeat(1_000_001), "too_large"],
  ])("refuse a body that is %s, and keep what was there", async (_, body, code) => {
    await call("PUT", "/v1/inputs/kept.txt", "first\n");
    const refused = await answer(await call("PUT", "/v1/inputs/kept.txt", body));
    expect([refused.status, refused.body.error.code]).toEqual([code === "invalid" ? 400 : 413, code]);
    expect(await inputNames("kept.txt")).toEqual([{ name: "kept.txt", items: 1 }]);
  });

  it.each([".hidden", "a b", "-x", "a".repeat(129), "%2e%2e"])("refuse the name %j", async (name) => {
    const { status, body } = await answer(await call("PUT", `/v1/inputs/${encodeURI(name)}`, "a\n"));
    expect([status, body.error.code]).toEqual([400, "invalid"]);
  });

  it("refuse more than one request may carry, and say how to send it", async () => {
    const megabyte = new TextEncoder().encode(`${"y".repeat(99)}\n`.repeat(10_000));
    let sent = 0;
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (sent++ < 70) controller.enqueue(megabyte.slice());
        else controller.close();
      },
    });
    const refused = await answer(await call("PUT", "/v1/inputs/large.txt", body));
    expect([refused.status, refused.body.error.code]).toEqual([413, "too_large"]);
    expect(refused.body.error.message).toMatch(/64000000 bytes.*\/v1\/inputs\/large\.txt\/uploads/);
    expect(await inputNames("large.txt")).toEqual([]);
  });

  it("are listed page by page, and deleted", async () => {
    for (const name of ["page-1", "page-2", "page-3"]) await call("PUT", `/v1/inputs/${name}`, "a\n");
    const names: string[] = [];
    let cursor: string | null = "";
    while (cursor !== null) {
      const { body }: { body: Page } = await answer<Page>(
        await call("GET", `/v1/inputs?limit=2${cursor && `&cursor=${cursor}`}`),
      );
      expect(body.inputs.length).toBeLessThanOrEqual(2);
      names.push(...body.inputs.map((input) => input.name));
      cursor = body.cursor;
    }
    expect(names).toEqual(expect.arrayContaining(["page-1", "page-2", "page-3"]));
    expect((await call("DELETE", "/v1/inputs/page-2")).status).toBe(204);
    expect((await call("DELETE", "/v1/inputs/page-2")).status).toBe(404);
    expect(await inputNames("page-2")).toEqual([]);
  });

  it("stay while a run that has not ended reads from them", async () => {
    await call("PUT", "/v1/inputs/needed.txt", "a\nb\n");
    const { body: run } = await answer(
      await call("POST", "/v1/runs", {
        source: { kind: "input", name: "needed.txt", format: "lines" },
        task: { kind: "http", url: "https://target.test/never/{{item}}" },
        quota: { requests: "1/h" },
      }),
    );
    const refused = await answer(await call("DELETE", "/v1/inputs/needed.txt"));
    expect([refused.status, refused.body.error.code]).toEqual([409, "conflict"]);
    expect(refused.body.error.message).toContain(run.id);
    await call("POST", `/v1/runs/${run.id}/cancel`);
    await until(async () => (await call("DELETE", "/v1/inputs/needed.txt")).status === 204);
  });
});

describe("uploads in pieces", () => {
  it("become one input, lines across pieces included", async () => {
    const { status, body: upload } = await answer(await call("POST", "/v1/inputs/pieces.txt/uploads"));
    expect(status).toBe(201);
    await call("PUT", `/v1/inputs/pieces.txt/uploads/${upload.id}/1`, "cond\nthird");
    await call("PUT", `/v1/inputs/pieces.txt/uploads/${upload.id}/0`, "first\nse");
    const done = await answer<Input>(
      await call("POST", `/v1/inputs/pieces.txt/uploads/${upload.id}/complete`),
    );
    expect(done).toMatchObject({ status: 201, body: { name: "pieces.txt", bytes: 18, items: 3 } });
  });

  it("are refused when a piece is missing, or when nobody began them", async () => {
    const { body: upload } = await answer(await call("POST", "/v1/inputs/gap.txt/uploads"));
    await call("PUT", `/v1/inputs/gap.txt/uploads/${upload.id}/0`, "a\n");
    await call("PUT", `/v1/inputs/gap.txt/uploads/${upload.id}/2`, "c\n");
    expect((await call("POST", `/v1/inputs/gap.txt/uploads/${upload.id}/complete`)).status).toBe(400);
    expect((await call("PUT", "/v1/inputs/gap.txt/uploads/nobodybegan1/0", "a\n")).status).toBe(404);
    expect((await call("PUT", `/v1/inputs/gap.txt/uploads/${upload.id}/x`, "a\n")).status).toBe(400);
  });

  it("can be given up", async () => {
    const { body: upload } = await answer(await call("POST", "/v1/inputs/up.txt/uploads"));
    const path = `/v1/inputs/up.txt/uploads/${upload.id}`;
    await call("PUT", `${path}/0`, "a\n");
    expect((await call("DELETE", path)).status).toBe(204);
    expect((await call("DELETE", path)).status).toBe(404);
    expect((await call("POST", `${path}/complete`)).status).toBe(404);
  });
});

async function inputNames(name: string): Promise<{ name: string; items: number }[]> {
  const { body } = await answer<Page>(await call("GET", "/v1/inputs?limit=1000"));
  return body.inputs.flatMap((input) => (input.name === name ? [{ name, items: input.items }] : []));
}
