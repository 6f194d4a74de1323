/** The state folder: what is said of one that cannot be used, and how the bucket's name is found again. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { UsageError } from "../../../src/cli/exit.ts";
import { jsonText } from "../../../src/cli/rows/output.ts";
import { requireOpenFiles } from "../../../src/cli/runtime/openFiles.ts";
import {
  bucketName,
  hasState,
  prepareStateFolder,
  stateFolder,
} from "../../../src/cli/runtime/stateFolder.ts";
import { OPEN_FILES_LEAST } from "../../../src/core/limits.ts";

let path: string;
beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), "weir-state-"));
});
afterEach(() => rmSync(path, { recursive: true, force: true }));

describe("a folder that cannot be used", () => {
  it.each<[string, () => string, RegExp]>([
    ["a file", () => join(path, "file"), /file cannot be used: .*file is not a folder$/],
    [
      "below a file",
      () => join(path, "file/state"),
      /cannot be used: (.*file is not a folder|a part of the path)/,
    ],
    ["a name that is too long", () => join(path, "a".repeat(300)), /cannot be used: the name is too long$/],
  ])("is refused in words: %s", (_how, where, says) => {
    writeFileSync(join(path, "file"), "");
    const folder = stateFolder(where());
    expect(() => prepareStateFolder(folder)).toThrow(UsageError);
    expect(() => prepareStateFolder(folder)).toThrow(says);
  });

  it("that is a file is not one where nothing was run", () => {
    writeFileSync(join(path, "file"), "");
    expect(() => hasState(stateFolder(join(path, "file")))).toThrow("file is not a folder");
    expect(hasState(stateFolder(join(path, "new")))).toBe(false);
  });
});

describe("the bucket's name", () => {
  const rowsOf = (name: string) => mkdirSync(join(path, "data/r2", name, "blobs"), { recursive: true });

  it("is made up once", () => {
    const name = bucketName(stateFolder(path));
    expect(name).toMatch(/^weir-[0-9a-f]{32}$/);
    expect(bucketName(stateFolder(path))).toBe(name);
  });

  it.each<[string, (file: string) => void]>([
    ["lost", (file) => rmSync(file)],
    ["empty", (file) => writeFileSync(file, "")],
    ["other bytes", (file) => writeFileSync(file, Buffer.from([0xff, 0xfe, 0x00]))],
  ])("is that of the rows where its file is %s", (_how, harm) => {
    const folder = stateFolder(path);
    const name = bucketName(folder);
    rowsOf(name);
    mkdirSync(join(path, "data/r2/miniflare-R2BucketObject"));
    harm(folder.bucketFile);
    expect(bucketName(folder)).toBe(name);
    expect(readFileSync(folder.bucketFile, "utf8")).toBe(name);
  });

  it("is asked for where rows lie under several", () => {
    const names = ["a", "b"].map((letter) => `weir-${letter.repeat(32)}`);
    for (const name of names) rowsOf(name);
    expect(() => bucketName(stateFolder(path))).toThrow(names.join(", "));
  });
});

describe("open files", () => {
  const limits = (most: string) =>
    `Max processes  63 63 processes\nMax open files            ${most}     ${most}   files\n`;

  it("are required, where the system says how many there may be", () => {
    expect(() => requireOpenFiles(limits("100"))).toThrow(
      "at most 100 files and connections may be open here",
    );
    for (const most of [String(OPEN_FILES_LEAST), "1048576", "unlimited"]) requireOpenFiles(limits(most));
    requireOpenFiles("");
  });
});

describe("a JSON document", () => {
  const document = { why: "a\u009b31m\u202eb", items: ["\u001b[2J"] };

  it("moves no cursor of a terminal, and means the same", () => {
    const text = jsonText(document, true);
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/);
    expect(JSON.parse(text)).toEqual(document);
  });

  it("is for a program as it is", () => {
    expect(jsonText(document, false)).toBe(JSON.stringify(document, null, 2));
  });
});
