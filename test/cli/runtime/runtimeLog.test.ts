import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openRuntimeLog } from "../../../src/cli/runtime/runtimeLog.ts";
import { REQUEST_COMPUTED, REQUEST_COMPUTES } from "../../../src/core/requestMarks.ts";

describe("the runtime's log", () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "weir-log-"));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const mark = (message: string) => ({ level: "debug", message });

  it("knows whether a request computes, and writes nothing of it", () => {
    const path = join(folder, "log");
    const log = openRuntimeLog(path, false);
    expect(log.isComputingRequest()).toBe(false);
    log.write(mark(REQUEST_COMPUTES));
    expect(log.isComputingRequest()).toBe(true);
    log.write({ level: "error", message: "between" });
    expect(log.isComputingRequest()).toBe(true);
    log.write(mark(REQUEST_COMPUTED));
    expect(log.isComputingRequest()).toBe(false);
    log.close();
    log.write({ level: "error", message: "after the end" });
    expect(readFileSync(path, "utf8")).toMatch(/^\S+Z error between\n$/);
  });

  it("goes on after what the former runtime said", () => {
    const path = join(folder, "continued");
    for (const [message, isContinued] of [
      ["one", false],
      ["two", true],
      ["three", true],
    ] as const) {
      const log = openRuntimeLog(path, isContinued);
      log.write({ level: "info", message });
      log.close();
    }
    expect(readFileSync(path, "utf8").match(/one|two|three/g)).toEqual(["one", "two", "three"]);
  });

  it.runIf(process.platform === "linux")("does not throw when the disk is full", () => {
    const log = openRuntimeLog("/dev/full", false);
    expect(() => log.write({ level: "error", message: "lost" })).not.toThrow();
    log.close();
  });
});
