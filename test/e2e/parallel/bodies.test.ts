/** Bodies as servers send them: packed in every way, mislabelled, empty, and bytes that are no text. */
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import zlib from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type TestRow, Workspace } from "../../support/weir.ts";

const PNG = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 0x0d, 0xff]);
const packed = (coding: string, body: Buffer, type = "text/plain") => ({ coding, body, type });
const BODIES: Readonly<Record<string, { coding: string | null; body: Buffer; type: string }>> = {
  gzip: packed("gzip", zlib.gzipSync("packed")),
  GZIP: packed("GZIP", zlib.gzipSync("packed")),
  "x-gzip": packed("x-gzip", zlib.gzipSync("packed")),
  br: packed("br", zlib.brotliCompressSync("packed")),
  deflate: packed("deflate", zlib.deflateSync("packed")),
  bareDeflate: packed("deflate", zlib.deflateRawSync("packed")),
  zstd: packed("zstd", zlib.zstdCompressSync("packed")),
  twice: packed("deflate, gzip", zlib.gzipSync(zlib.deflateSync("packed"))),
  plainZstd: packed("zstd", Buffer.from("packed")),
  emptyGzip: packed("gzip", Buffer.alloc(0)),
  emptyZstd: packed("zstd", Buffer.alloc(0)),
  plainGzip: packed("gzip", Buffer.from("not packed")),
  png: { coding: null, body: PNG, type: "image/png" },
  latin: { coding: null, body: Buffer.from([0x63, 0x61, 0x66, 0xe9]), type: "text/plain" },
};

describe("bodies", () => {
  let server: Server;
  let workspace: Workspace;
  let rows: Map<unknown, TestRow>;
  let calls = 0;

  const run = async (items: readonly string[], task: Record<string, string>) => {
    const { port } = server.address() as AddressInfo;
    const url = `http://127.0.0.1:${port}/{{item}}`;
    const spec = {
      source: { kind: "items", items },
      task: { kind: "http", url, ...task },
      maxParallelism: 4,
    };
    workspace.write("spec.json", JSON.stringify(spec));
    const ended = await workspace.weir(["run", "spec.json", "--out", "rows.jsonl"]);
    return { ended, rows: new Map(workspace.rows("rows.jsonl").map((row) => [row.item, row])) };
  };

  beforeAll(async () => {
    server = createServer((request, response) => {
      calls += 1;
      const found = BODIES[(request.url ?? "").slice(1)];
      if (found === undefined) return response.writeHead(404).end();
      const coding = found.coding === null ? {} : { "content-encoding": found.coding };
      return response.writeHead(200, { "content-type": found.type, ...coding }).end(found.body);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    workspace = new Workspace();
    await workspace.dev();
    rows = (await run(Object.keys(BODIES), {})).rows;
  });
  afterAll(async () => {
    await workspace.close();
    server.closeAllConnections();
    server.close();
  });

  test.each(["gzip", "GZIP", "x-gzip", "br", "deflate", "bareDeflate", "zstd", "twice", "plainZstd"])(
    "that are %s are unpacked",
    (item) => {
      expect(rows.get(item)).toMatchObject({ ok: true, attempts: 1, value: "packed" });
    },
  );

  test.each(["emptyGzip", "emptyZstd"])("that are %s are null", (item) => {
    expect(rows.get(item)).toMatchObject({ ok: true, attempts: 1, value: null });
  });

  test("that are not what their label says are failed rows that name it, after one call", () => {
    expect(rows.get("plainGzip")).toMatchObject({ ok: false, attempts: 1, error: { kind: "parse" } });
    expect(rows.get("plainGzip")?.error?.message).toContain("content-encoding is gzip");
  });

  test("that are not text are failed rows that say what to do", () => {
    expect(rows.get("png")).toMatchObject({
      ok: false,
      attempts: 1,
      error: {
        kind: "parse",
        message: '200 OK, but the answer (image/png) is not text; "value": "base64" keeps it',
        retryable: false,
      },
    });
  });

  test("of text without a charset are read as browsers read them", () => {
    expect(rows.get("latin")).toMatchObject({ ok: true, value: "caf\u00e9" });
  });

  test("no item was called twice", () => {
    expect(calls).toBe(Object.keys(BODIES).length);
  });

  test("are kept as base64 where the spec says so", async () => {
    const kept = await run(["png"], { value: "base64" });
    expect(kept.ended.exitCode, kept.ended.stderr).toBe(0);
    expect(kept.rows.get("png")).toMatchObject({
      ok: true,
      value: { base64: PNG.toString("base64"), contentType: "image/png" },
    });
  });
});
