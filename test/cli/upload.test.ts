import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, describe, expect, it } from "vitest";
import type { Client } from "../../src/cli/client.ts";
import { UsageError } from "../../src/cli/exit.ts";
import { unpack, uploadInput } from "../../src/cli/upload.ts";

async function unpacked(bytes: Uint8Array): Promise<string> {
  const pieces: Uint8Array[] = [];
  const source = (async function* () {
    yield bytes;
  })();
  for await (const piece of unpack(source)) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}

describe("what is unpacked here", () => {
  const packed = gzipSync("a\nb\n");

  it("is the gzip of one or more members, and anything else as it is", async () => {
    expect(await unpacked(packed)).toBe("a\nb\n");
    expect(await unpacked(Buffer.concat([packed, packed]))).toBe("a\nb\na\nb\n");
    expect(await unpacked(Buffer.from("a\nb\n"))).toBe("a\nb\n");
  });

  it.each([
    ["cut off", packed.subarray(0, -9)],
    ["damaged", Buffer.concat([packed.subarray(0, 10), Buffer.from([255, 255, 255, 255])])],
  ])("is refused where it is %s", async (_how, bytes) => {
    const fault = await unpacked(bytes).catch((error: unknown) => error);
    expect(fault).toBeInstanceOf(UsageError);
    expect((fault as Error).message).toContain("the gzip is damaged or cut off");
  });
});

describe("what is sent", () => {
  const folder = mkdtempSync(join(tmpdir(), "weir-upload-"));
  afterAll(() => rmSync(folder, { recursive: true }));
  const file = (name: string, content: string | Uint8Array): string => {
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  };

  /** A Weir that takes everything; of what it was asked it keeps method and path. */
  function greedy(): { readonly client: Client; readonly asked: string[] } {
    const asked: string[] = [];
    const client: Client = {
      address: "",
      async ask<T>(method: string, path: string, { body }: { body?: unknown } = {}): Promise<T> {
        asked.push(`${method} ${path}`);
        for await (const _ of (body ?? []) as AsyncIterable<unknown>);
        return { id: "u1", items: 1, bytes: 1, name: "x" } as T;
      },
      open: () => Promise.reject(new Error("nothing is read")),
      close: () => {},
    };
    return { client, asked };
  }
  const refusal = async (
    client: Client,
    path: string,
    bounds: { maxBytes: number; maxLineBytes: number },
  ) => {
    const input = { file: path, name: "x", limit: 1e9, isCsv: false };
    const fault = await uploadInput(client, input, bounds).catch((error: unknown) => error);
    expect(fault).toBeInstanceOf(UsageError);
    return (fault as Error).message;
  };
  const pieces = [
    "POST /v1/inputs/x/uploads",
    "PUT /v1/inputs/x/uploads/u1/0",
    "DELETE /v1/inputs/x/uploads/u1",
  ];

  it("ends where an input would be larger than one may be, and its pieces are removed", async () => {
    const { client, asked } = greedy();
    const path = file("many.txt", "12345678\n".repeat(1_000_000));
    const message = await refusal(client, path, { maxBytes: 6_000_000, maxLineBytes: 100 });
    expect(message).toBe(`--input: ${path}: the input is larger than 6000000 bytes`);
    expect(asked).toEqual(pieces);
  });

  it("ends within a line that does not end", async () => {
    const { client, asked } = greedy();
    const path = file(
      "one-line.txt",
      Buffer.concat([Buffer.from("a\n".repeat(3_000_000)), Buffer.alloc(3e6, 97)]),
    );
    const message = await refusal(client, path, { maxBytes: 1e9, maxLineBytes: 1_000_000 });
    expect(message).toBe(`--input: ${path}: a line is longer than 1000000 bytes`);
    expect(asked).toEqual(pieces);
  });

  it("is nothing of a file whose size says that it is too large", async () => {
    const { client, asked } = greedy();
    const input = { file: file("large.txt", "123456\n"), name: "x", limit: null, isCsv: false };
    const sent = uploadInput(client, input, { maxBytes: 5, maxLineBytes: 100 });
    await expect(sent).rejects.toThrow("is larger than 5 bytes");
    expect(asked).toEqual([]);
  });
});
