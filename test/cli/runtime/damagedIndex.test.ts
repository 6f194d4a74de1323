import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Hono } from "hono";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { ApiEnv } from "../../../src/api/context.ts";
import { answerError } from "../../../src/api/errors.ts";
import { setDamagedIndexAside } from "../../../src/cli/runtime/damagedIndex.ts";
import { stateFolder } from "../../../src/cli/runtime/stateFolder.ts";

let path: string;
let file: string;
beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), "weir-index-"));
  mkdirSync(join(path, "data/d1/objects"), { recursive: true });
  file = join(path, "data/d1/objects/index.sqlite");
  const database = new DatabaseSync(file);
  database.exec("CREATE TABLE runs (id TEXT PRIMARY KEY, words TEXT)");
  database.exec("BEGIN");
  for (let n = 0; n < 200; n++) database.exec(`INSERT INTO runs VALUES ('r${n}', '${"w".repeat(200)}')`);
  database.exec("COMMIT");
  database.close();
});
afterEach(() => rmSync(path, { recursive: true, force: true }));

describe("an index", () => {
  it("that is sound stays where it is", async () => {
    expect(await setDamagedIndexAside(stateFolder(path))).toBeNull();
    expect(existsSync(file)).toBe(true);
  });

  it("that is not there is not damaged", async () => {
    rmSync(join(path, "data"), { recursive: true });
    expect(await setDamagedIndexAside(stateFolder(path))).toBeNull();
  });

  it.each<[string, (bytes: Buffer) => Buffer]>([
    ["is other bytes altogether", (bytes) => Buffer.alloc(bytes.length, 0xa5)],
    ["has a page of other bytes", (bytes) => bytes.fill(0xa5, 8192, 12_288)],
    ["is cut off", (bytes) => bytes.subarray(0, 8192)],
  ])("that %s is set aside, each time under a name of its own", async (_how, damage) => {
    const damaged = damage(readFileSync(file));
    for (const name of ["damaged-index-1", "damaged-index-2"]) {
      mkdirSync(join(path, "data/d1/objects"), { recursive: true });
      writeFileSync(file, damaged);
      expect(await setDamagedIndexAside(stateFolder(path))).toBe(join(path, name));
      expect(existsSync(join(path, "data/d1"))).toBe(false);
      expect(readFileSync(join(path, name, "objects/index.sqlite"))).toEqual(damaged);
    }
  });
});

describe("a request that the index cannot answer", () => {
  const WAY_OUT = /weir reindex makes it anew/;
  const UNKNOWN = /the platform did not answer/;
  /** A database whose check of itself gives or throws this. */
  const checks = (gives: string | Error) => ({
    prepare: () => ({
      first: async () => {
        if (gives instanceof Error) throw gives;
        return { quick_check: gives };
      },
    }),
  });
  const answerTo = async (message: string, env: object) => {
    const api = new Hono<ApiEnv>();
    api.onError(answerError);
    api.get("/", () => {
      throw new Error(message);
    });
    // What went wrong is for the log, and there whole.
    const logged = vi.spyOn(console, "error").mockImplementation(() => {});
    const answer = await api.request("/", {}, env);
    expect(logged.mock.calls.flat().join(" ")).toContain(message);
    logged.mockRestore();
    expect(answer.status).toBe(503);
    return answer.text();
  };

  it.each([
    ["D1_ERROR: database disk image is malformed: SQLITE_CORRUPT", WAY_OUT],
    ["D1_ERROR: file is not a database: SQLITE_NOTADB", WAY_OUT],
    ["D1_ERROR: internal error", UNKNOWN],
  ])("names the way out of %s", async (message, says) => {
    expect(await answerTo(message, {})).toMatch(says);
  });

  it.each<[string, string | Error, RegExp]>([
    ["is damaged", "*** in database main ***", WAY_OUT],
    ["cannot be checked", new Error("internal error; reference = abc"), WAY_OUT],
    ["is sound", "ok", UNKNOWN],
    ["is away", new Error("no"), UNKNOWN],
  ])("whose fault the runtime keeps to itself is judged by an index that %s", async (_how, gives, says) => {
    const env = { WEIR_GENERATION: "1", DB: checks(gives) };
    expect(await answerTo("internal error; reference = abc", env)).toMatch(says);
    expect(await answerTo("another fault", env)).toMatch(UNKNOWN);
  });
});
