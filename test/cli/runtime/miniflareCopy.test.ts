/** Miniflare as the command loads it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { loadBundle } from "../../../src/cli/runtime/bundle.ts";
import { EMBEDDED } from "../../../src/cli/runtime/dist.ts";
import { loadMiniflare } from "../../../src/cli/runtime/miniflareCopy.ts";

describe("the copy of Miniflare", () => {
  beforeAll(() => {
    loadBundle();
  }, 120_000);
  const text = () => readFileSync(join(EMBEDDED, "miniflare.cjs"), "utf8");

  test("makes room for a whole configuration at once", () => {
    expect(text().match(/MIN_SINGLE_SEGMENT_GROWTH\s*=\s*\d+/g)).toEqual([
      `MIN_SINGLE_SEGMENT_GROWTH=${16 * 2 ** 20}`,
    ]);
  });

  test("has no character beyond Latin-1, which would double what the source takes in memory", () => {
    expect(/[^\u0000-\u00ff]/.exec(text())?.index ?? null).toBeNull();
  });

  test("is Miniflare", () => {
    expect(loadMiniflare()).toMatchObject({
      Miniflare: expect.any(Function),
      convertV4MiniflareOptions: expect.any(Function),
    });
  });
});
