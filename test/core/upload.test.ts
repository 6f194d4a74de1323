import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { UsageError } from "../../src/cli/exit.ts";
import { unpack } from "../../src/cli/upload.ts";

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
