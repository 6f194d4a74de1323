/** Bad input gets one clear line that names the field and what is accepted, exit code 2, and starts nothing. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { spawnTarget } from "../../support/spawnTarget.ts";
import type { Target } from "../../support/targetOptions.ts";
import { Workspace } from "../../support/weir.ts";

describe("bad input", () => {
  let workspace: Workspace;
  let target: Target;

  beforeAll(async () => {
    workspace = new Workspace();
    target = await spawnTarget();
    workspace.write("ids.txt", "a\nb\n");
    workspace.write("empty.txt", "");
    workspace.write("blank.txt", "\n \n\r\n");
    workspace.write("binary.txt", Uint8Array.from([0x61, 0x0a, 0x00, 0xff, 0xfe, 0x0a]));
  });
  afterAll(async () => {
    await workspace.close();
    await target.close();
  });

  const GOOD = { input: "ids.txt", url: "/v1/users/{{item}}" };

  test.each([
    ["a rate below zero", { ...GOOD, rate: "-5/s" }, /--rate.*\/s/],
    ["a rate without a period", { ...GOOD, rate: "1000" }, /--rate.*\/s/],
    ["a missing {{item}}", { ...GOOD, url: "/v1/users" }, /\{\{item\}\}/],
    ["an empty file", { ...GOOD, input: "empty.txt" }, /empty\.txt|--input/],
    ["a file of blank lines", { ...GOOD, input: "blank.txt" }, /blank\.txt|--input/],
    ["a binary file", { ...GOOD, input: "binary.txt" }, /line 2/],
    ["a file that is not there", { ...GOOD, input: "nowhere.txt" }, /nowhere\.txt/],
    ["an unknown secret", { ...GOOD, header: "authorization: Bearer {{secret:NOPE}}" }, /WEIR_SECRET_NOPE/],
    ["zero lanes", { ...GOOD, parallel: "0" }, /--parallel.*1/],
    ["a chunk of 10 GB", { ...GOOD, chunk: "10000000000" }, /--chunk.*100,?000/],
    ["an unknown flag", { ...GOOD, speed: "9" }, /--speed/],
    ["a timeout in no unit", { ...GOOD, timeout: "soon" }, /--timeout/],
  ])("%s is refused", async (_, flags, says) => {
    const absolute = { ...flags, url: target.url + flags.url };
    await expectRefused(
      Object.entries(absolute).flatMap(([name, value]) => [`--${name}`, value]),
      says,
    );
  });

  test("a URL without a scheme is refused", async () => {
    await expectRefused(["--input", "ids.txt", "--url", "api.example.com/{{item}}"], /--url.*http/);
  });

  test.each([
    ["an unknown key", { maxParalelism: 5 }, /maxParalelism/],
    ["an unknown key inside the task", { task: { kind: "http", url: "URL", metod: "GET" } }, /task.*metod/],
    ["an unknown kind of source", { source: { kind: "carrier-pigeon" } }, /source\.kind.*input/],
    ["a chunk size of zero", { chunkSize: 0 }, /chunkSize/],
    [
      "a literal credential",
      { task: { kind: "http", url: "URL", headers: { authorization: "Bearer abc" } } },
      /secret:/,
    ],
  ])("%s in a spec is refused", async (_, change, says) => {
    const url = `${target.url}/v1/users/{{item}}`;
    const spec = { source: { kind: "items", items: ["a"] }, task: { kind: "http", url }, ...change };
    workspace.write("spec.json", JSON.stringify(spec).replace('"URL"', JSON.stringify(url)));
    await expectRefused(["spec.json"], says);
  });

  test("several mistakes are named at once", async () => {
    const url = `${target.url}/v1/users/{{item}}`;
    const flags = [
      "--speed",
      "9",
      "--parallel",
      "0",
      "--timeout",
      "soon",
      "--out",
      "no/where",
      "--remote",
      "x",
    ];
    const { exitCode, stderr } = await workspace.weir(["run", "--input", "ids.txt", "--url", url, ...flags]);
    expect(exitCode, stderr).toBe(2);
    expect(stderr.trim().split("\n")).toEqual([
      expect.stringMatching(/unknown flag "--speed"; weir run knows --input/),
      expect.stringMatching(/--remote: .*accepted: https/),
      expect.stringMatching(/--out: .*there is no folder/),
      expect.stringMatching(/--timeout: .*accepted: 500ms/),
      expect.stringMatching(/--parallel: .*from 1 to/),
    ]);
  });

  test("nothing was started by any of them", async () => {
    const { stdout } = await workspace.weir(["status", "--json"]);
    expect(JSON.parse(stdout)).toEqual([]);
    expect((await target.stats()).calls).toBe(0);
  });

  async function expectRefused(args: readonly string[], says: RegExp): Promise<void> {
    const { exitCode, stdout, stderr } = await workspace.weir(["run", ...args]);
    expect(exitCode, stderr).toBe(2);
    expect(stdout).toBe("");
    expect(stderr.trim().split("\n")).toHaveLength(1);
    expect(stderr).toMatch(says);
  }
});
