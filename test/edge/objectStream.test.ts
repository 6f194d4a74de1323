import { env as bindings } from "cloudflare:workers";
import { describe, expect, test } from "vitest";
import { OBJECT_PART_BYTES, OBJECT_WINDOW_BYTES, OBJECT_WINDOWS_AHEAD } from "../../src/core/limits.ts";
import type { Env } from "../../src/objects/env.ts";
import { streamObject } from "../../src/storage/bucket/objectStream.ts";
import { openObjectWriter } from "../../src/storage/bucket/objectWriter.ts";

const bucket = (bindings as unknown as Env).BUCKET;

const bytesOf = (length: number) => Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 8)) & 0xff);

async function stored(key: string, length: number): Promise<R2Object> {
  const writer = openObjectWriter(bucket, key);
  await writer.write(bytesOf(length));
  await writer.finish();
  return (await bucket.head(key)) as R2Object;
}

/** The bucket with `before` in front of every reading: given how many there were. */
function watched(before: (reads: number) => void | Promise<void>): R2Bucket {
  let reads = 0;
  return {
    get: async (key: string, options: R2GetOptions) => {
      await before(++reads);
      return bucket.get(key, options);
    },
  } as unknown as R2Bucket;
}

describe("an object as a stream", () => {
  test.each([
    0,
    1,
    OBJECT_WINDOW_BYTES - 1,
    OBJECT_WINDOW_BYTES,
    OBJECT_WINDOW_BYTES + 1,
    OBJECT_PART_BYTES + 3 * OBJECT_WINDOW_BYTES + 5,
  ])("of %i bytes is whole", async (length) => {
    const object = await stored("whole", length);
    const answer = new Response(streamObject(bucket, object));
    const read = await answer.bytes();
    expect(read.byteLength).toBe(length);
    expect(read.every((byte, i) => byte === ((i * 7 + (i >> 8)) & 0xff))).toBe(true);
  });

  test("is read no further than its reader is", async () => {
    const object = await stored("slow", 12 * OBJECT_WINDOW_BYTES);
    let reads = 0;
    const reader = streamObject(
      watched((n) => {
        reads = n;
      }),
      object,
    ).getReader();
    await reader.read();
    await scheduler.wait(100);
    expect(reads).toBeLessThanOrEqual(OBJECT_WINDOWS_AHEAD + 1);
    await reader.cancel();
    await scheduler.wait(100);
    expect(reads).toBeLessThanOrEqual(OBJECT_WINDOWS_AHEAD + 1);
  });

  test("asks again for a window that was refused", async () => {
    const object = await stored("refused", 3 * OBJECT_WINDOW_BYTES);
    const flaky = watched((n) => {
      if (n === 2) throw new Error("get: internal error (10001)");
    });
    expect((await new Response(streamObject(flaky, object)).bytes()).byteLength).toBe(object.size);
  });

  test.each(["replaced", "removed"])("that was %s on the way is cut off, never ended", async (what) => {
    const object = await stored("gone", 8 * OBJECT_WINDOW_BYTES);
    const changing = watched(async (n) => {
      if (n !== 5) return;
      if (what === "removed") await bucket.delete("gone");
      else await bucket.put("gone", "other bytes");
    });
    await expect(new Response(streamObject(changing, object)).bytes()).rejects.toThrow("was replaced");
  });
});
