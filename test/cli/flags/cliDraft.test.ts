/** Flags, a file, or both make a spec; a complaint names what the user typed. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { parseArguments } from "../../../src/cli/flags/arguments.ts";
import { draftPatch, draftSpec } from "../../../src/cli/flags/draft.ts";
import { draftRules } from "../../../src/cli/flags/scheduleDraft.ts";

const folder = mkdtempSync(join(tmpdir(), "weir-draft-"));
afterAll(() => rmSync(folder, { recursive: true }));

const at = (name: string) => join(folder, name);
writeFileSync(at("ids.txt"), "a\nb\n");
writeFileSync(at("items.ndjson.gz"), "x");
writeFileSync(at("0 odd name!.txt"), "a\n");
writeFileSync(at("empty.txt"), "");

const URL = "http://h.example/{{item}}";
const spec = (name: string, value: unknown): string => {
  writeFileSync(at(name), typeof value === "string" ? value : JSON.stringify(value));
  return at(name);
};
const draft = (...argv: string[]) => {
  const { words, flags } = parseArguments(["run", ...argv]);
  return draftSpec(words, flags);
};
const flagsAlone = (...argv: string[]) => draft("--input", at("ids.txt"), "--url", URL, ...argv);

describe("a draft from flags", () => {
  test("says what the flags say and nothing else", () => {
    const made = flagsAlone(
      "--rate",
      "1000/s",
      "--parallel",
      "500",
      "--chunk",
      "200",
      "--name",
      "n",
      "--max-attempts",
      "3",
    );
    expect(made.spec).toEqual({
      name: "n",
      source: { kind: "input", name: "ids.txt", format: "lines" },
      task: { kind: "http", url: URL },
      maxParallelism: 500,
      chunkSize: 200,
      quota: { requests: "1000/s" },
      retry: { maxAttempts: 3 },
    });
    expect(made.input).toEqual({ file: at("ids.txt"), name: "ids.txt", limit: null, isCsv: false });
  });

  test("begins with a share of the limits, and takes the spec that follows the flag for a spec", () => {
    expect(flagsAlone("--ramp").spec.ramp).toEqual({});
    expect(flagsAlone("--ramp", "20%").spec.ramp).toEqual({ from: "20%" });
    const file = spec("ramp.json", {
      source: { kind: "items", items: [1] },
      task: { kind: "http", url: URL },
    });
    expect(draft("--ramp", file).spec.ramp).toEqual({});
  });

  test("says in which hours calls leave, and by when all is done", () => {
    const hours = ["--window", "22:00 - 06:00", "--time-zone", "Europe/Berlin", "--days", "fri-mon,wed"];
    expect(flagsAlone(...hours, "--deadline", "2026-01-01T06:00Z").spec).toMatchObject({
      window: {
        from: "22:00",
        to: "06:00",
        timeZone: "Europe/Berlin",
        days: ["fri", "sat", "sun", "mon", "wed"],
      },
      deadline: "2026-01-01T06:00Z",
    });
    expect(flagsAlone("--days", "sat,sun").spec.window).toEqual({ days: ["sat", "sun"] });
  });

  test.each([
    [["--window", "22-6"], /^--window: "22-6" are no hours; accepted: 22:00-06:00, or none$/],
    [["--window", "22:00-25:00"], /^--window: must be a time of day/],
    [["--window", "22:00-22:00"], /^--window: must differ from window\.from/],
    [["--window", "22:00-06:00", "--time-zone", "Berlin"], /^--time-zone: must be an IANA name/],
    [["--time-zone", "Europe/Berlin"], /^--time-zone needs --window or --days: it is their zone$/],
    [["--days", "mon-funday"], /^--days: "mon-funday" are no days; accepted: sun, mon, /],
    [["--ramp", "0%"], /^--ramp: must be a share such as "50%"/],
    [["--deadline", "soon"], /^--deadline: must be an instant such as .*, or a duration/],
    [["--deadline", "0s"], /^--deadline: must be/],
  ])("refuses %j", (argv, line) => expect(() => flagsAlone(...argv)).toThrow(line));

  test.each([
    ["orders.csv", { format: "csv" }, []],
    ["orders.tsv", { format: "csv", delimiter: "\t" }, []],
    ["ids.txt", { format: "csv", delimiter: ";" }, ["--format", "csv", "--delimiter", ";"]],
  ])("takes %s as CSV: %j", (file, expected, more) => {
    writeFileSync(at(file), "id\n1\n");
    const made = draft("--input", at(file), "--url", URL, ...more);
    expect(made.spec.source).toMatchObject({ kind: "input", name: file, ...expected });
    expect(made.input).toMatchObject({ isCsv: true });
  });

  test("says what an answer is worth, how many failures stop it, and how many items go alone", () => {
    const made = flagsAlone("--expect", "2xx,404", "--expect", "410", "--value", "text", "--smoke", "5");
    expect(made.spec).toMatchObject({
      task: { expect: ["2xx", "404", "410"], value: "text" },
      smoke: { items: 5, gate: "manual" },
    });
    const batched = draft(
      "--input",
      at("ids.txt"),
      "--url",
      "http://h.example/?ids={{items}}",
      "--batch",
      "10",
    );
    expect(batched.spec.task).toMatchObject({ batch: 10 });
  });

  test.each([
    ["20%", 0.2],
    ["0.25", 0.25],
    ["0", 0],
    ["12.5 %", 0.125],
    ["off", 1],
  ])("tolerates a share of %s as %d", (text, failureRate) => {
    expect(flagsAlone("--tolerate", text).spec.tolerate).toEqual({ failureRate });
  });

  test("reads a time in any unit as milliseconds, and header names in any case", () => {
    expect(
      flagsAlone("--timeout", "1.5s", "--header", "X-Id: {{item}}", "--method", "put").spec.task,
    ).toMatchObject({
      timeoutMs: 1500,
      headers: { "x-id": "{{item}}" },
      method: "PUT",
    });
  });

  test.each([
    ['{"id":"{{item}}"}', { id: "{{item}}" }],
    ['["{{item}}"]', ["{{item}}"]],
    ["id={{item}}", "id={{item}}"],
    ["17", "17"],
  ])("takes the body %j as %j", (text, body) => {
    expect(flagsAlone("--data", text).spec.task).toMatchObject({ body });
  });

  test.each([
    ["items.ndjson.gz", { format: "jsonl", name: "items.ndjson.gz" }],
    ["0 odd name!.txt", { format: "lines", name: "0-odd-name-.txt" }],
  ])("gives the file %j a format and a name the API takes", (file, source) => {
    expect(draft("--input", at(file), "--url", URL).spec.source).toMatchObject(source);
  });

  test.each([
    ["no input", ["--url", URL], /^--input is missing/],
    ["no url", ["--input", at("ids.txt")], /^--url is missing/],
    [
      "a file that is not there",
      ["--url", URL, "--input", at("nowhere")],
      /^--input: there is no file ".*nowhere"/,
    ],
    [
      "a file that cannot be looked at",
      ["--url", URL, "--input", at("x".repeat(300))],
      /^--input: ".*" cannot be read: the name is too long$/,
    ],
    ["a folder", ["--url", URL, "--input", folder], /^--input: .* is a folder/],
    ["an empty file", ["--url", URL, "--input", at("empty.txt")], /^--input: .* is empty/],
  ])("refuses %s", (_, argv, says) => {
    expect(() => draft(...argv)).toThrow(says);
  });

  test.each([
    ["rate", "-5/s", /^--rate: .*\/s, \/min or \/h/],
    ["parallel", "0", /^--parallel: .*from 1 to 5,000/],
    ["parallel", "many", /^--parallel: "many" is not a whole number/],
    ["chunk", "10GB", /^--chunk: "10GB" is not a whole number/],
    ["chunk", "10000000000", /^--chunk: .*100,000/],
    ["timeout", "soon", /^--timeout: "soon" is not a time; accepted: 500ms/],
    ["header", "nonsense", /^--header: .*'name: value'/],
    ["header", "authorization: Bearer abc", /^--header authorization: .*\{\{secret:NAME\}\}/],
    ["method", "FETCH", /^--method: .*GET/],
    ["format", "xml", /^--format: /],
    ["burst", "5", /^--burst needs --rate/],
    ["per-host", "1/s", /^--per-host needs --rate/],
    ["limit", "0", /^--limit: .*from 1 or more/],
    ["expect", "2xx,ok", /^--expect: .*"2xx" or "404"/],
    ["value", "xml", /^--value: .*auto, json/],
    ["batch", "0", /^--batch: .*from 1 to/],
    ["tolerate", "120%", /^--tolerate: "120%" is not a share; accepted: 20%, 0.2 or off/],
    ["tolerate", "some", /^--tolerate: "some"/],
    ["smoke", "0", /^--smoke: .*from 1 to 10,000/],
  ])("refuses --%s %s", (flag, value, says) => {
    expect(() => flagsAlone(`--${flag}=${value}`)).toThrow(says);
  });

  test("refuses a URL without {{item}} or without a scheme, naming --url", () => {
    expect(() => draft("--input", at("ids.txt"), "--url", "http://h.example/")).toThrow(
      /^--url: .*\{\{item\}\}/,
    );
    expect(() => draft("--input", at("ids.txt"), "--url", "h.example/{{item}}")).toThrow(/^--url: .*http/);
  });
});

describe("a draft with several mistakes in its flags", () => {
  test("has a line for each, whether the form, the range or the flag itself is wrong", () => {
    const argv = [
      "--timeout",
      "soon",
      "--parallel",
      "0",
      "--speed=9",
      "--rate",
      "--header",
      "x",
      "--smoke",
      "y",
    ];
    expect(() => flagsAlone(...argv, "--burst", "2")).toThrow(
      new RegExp(
        [
          '^unknown flag "--speed"; weir run knows .*',
          "--rate needs a value: --rate 1000/s",
          "--header: .*'name: value'",
          '--timeout: "soon" is not a time; accepted: .*',
          '--smoke: "y" is not a whole number; accepted: .*',
          "--parallel: must be a whole number from 1 to 5,000, not 0$",
        ].join("\n"),
      ),
    );
  });

  test("names a missing flag once, not what follows from it", () => {
    expect(() => draft("--chunk", "0")).toThrow(
      /^--input is missing: [^\n]*\n--url is missing: [^\n]*\n--chunk: must be [^\n]*$/,
    );
  });

  test("says nothing of what an unknown flag may have hidden", () => {
    expect(() => draft("--dry", "spec.json", "--burst", "2", "--chunk", "0")).toThrow(
      /^unknown flag "--dry"[^\n]*\n--chunk: must be [^\n]*$/,
    );
  });
});

describe("a draft from a file", () => {
  const items = { kind: "items", items: ["a", "b", "c"] };
  const task = { kind: "http", url: URL };

  test("is the file, with flags over it", () => {
    const file = spec("a.json", { source: items, task, quota: { requests: "1/s", burst: 5 }, chunkSize: 7 });
    expect(draft(file, "--rate", "9/s", "--header", "a: b").spec).toEqual({
      source: items,
      task: { ...task, headers: { a: "b" } },
      quota: { requests: "9/s", burst: 5 },
      chunkSize: 7,
    });
  });

  test("keeps the gate that its smoke stage names when a flag changes the number", () => {
    const file = spec("smoke.json", { source: items, task, smoke: { items: 9, gate: "auto" } });
    expect(draft(file, "--smoke", "3").spec.smoke).toEqual({ items: 3, gate: "auto" });
  });

  test("takes an input from the file of that name beside it, where there is one", () => {
    const named = (name: string) => spec("b.json", { source: { kind: "input", name }, task });
    expect(draft(named("ids.txt")).input).toMatchObject({ file: at("ids.txt"), name: "ids.txt" });
    expect(draft(named("stored-before")).input).toBeNull();
  });

  test.each([
    [items, { items: ["a", "b"] }],
    [
      { kind: "range", from: 5, to: 50, step: 10 },
      { from: 5, to: 25 },
    ],
    [
      { kind: "range", from: 5, to: 8, step: 2 },
      { from: 5, to: 8 },
    ],
    [
      { kind: "range", from: 5, to: -50, step: -10 },
      { from: 5, to: -15 },
    ],
  ])("takes the first two of %j with --limit 2", (source, limited) => {
    expect(draft(spec("c.json", { source, task }), "--limit", "2").spec.source).toMatchObject(limited);
  });

  test.each([
    ["an unknown key", { source: items, task, speed: 9 }, /bad\.json: speed: is unknown/],
    ["a wrong value", { source: items, task, chunkSize: 0 }, /bad\.json: chunkSize: /],
    ["text that is not JSON", "{", /bad\.json" is not JSON/],
    [
      "a list of items",
      "a\nb\n",
      /bad\.json" is not JSON.*; if it is a list of items: --input ".*bad\.json"$/,
    ],
    ["JSON that is not an object", "[]", /bad\.json" is not a JSON object/],
  ])("refuses %s, naming file and field", (_, value, says) => {
    expect(() => draft(spec("bad.json", value))).toThrow(says);
  });

  test("with several mistakes has a line for each, by what was typed", () => {
    const file = spec("wrong.json", {
      source: { kind: "range", from: 0 },
      task: { kind: "http", url: "https://h.example/{{item}}" },
      chunkSize: 0,
    });
    const lines = () => draft(file, "--rate", "fast", "--header", "a b: 1");
    expect(lines).toThrow(
      new RegExp(
        [
          `^${file}: chunkSize: must be a whole number from 1 to 100,000, not 0`,
          "--rate: .*rate.*",
          `${file}: source.to: is missing: .*`,
          "--header a b: .*$",
        ].join("\n"),
      ),
    );
  });

  test("which cannot be read leaves the flags to be judged", () => {
    const lines = () => draft(at("nowhere.json"), "--parallel", "0", "--burst", "5", "--timeout", "soon");
    expect(lines).toThrow(
      /^the spec ".*nowhere\.json" cannot be read: [^\n]*\n--timeout: [^\n]*\n--parallel: [^\n]*$/,
    );
  });

  test("is read from a file that begins with a byte order mark", () => {
    const file = spec("bom.json", `\uFEFF${JSON.stringify({ source: items, task })}`);
    expect(draft(file).spec.source).toEqual(items);
  });

  test("names the flag where the value came from a flag", () => {
    expect(() => draft(spec("d.json", { source: items, task }), "--chunk", "0")).toThrow(/^--chunk: /);
  });

  test("takes a run's id for what it is", () => {
    expect(() => draft("r_1a2b")).toThrow(/weir run --resume r_1a2b/);
  });
});

describe("the rules of a schedule", () => {
  test("with several mistakes have a line for each", () => {
    const argv = [
      "--cron",
      "daily",
      "--zone",
      "X",
      "--overlap",
      "never",
      "--catch-up",
      "soon",
      "--pause-after",
      "x",
    ];
    const { flags } = parseArguments(["schedule", "add", ...argv]);
    draftRules(flags);
    expect([...flags.refused].sort()).toEqual(["catch-up", "cron", "overlap", "pause-after", "zone"]);
    expect(() => flags.throwRefused()).toThrow(/^--zone: .*"Europe\/Berlin"/m);
    expect(() => flags.throwRefused()).toThrow(/^--cron: has 1 field; accepted are/m);
  });
});

describe("a change of limits", () => {
  const patch = (...argv: string[]) => draftPatch(parseArguments(["set", "r_1", ...argv]).flags);

  test.each([
    [[], null],
    [["--rate", "5/s"], { quota: { requests: "5/s" } }],
    [["--burst", "5"], { quota: { burst: 5 } }],
    [["--per-host", "1/s"], { quota: { perHost: "1/s" } }],
    [["--per-host", "none"], { quota: { perHost: null } }],
    [["--rate", "none"], { quota: { requests: null } }],
    [["--tokens", "60000/min"], { quota: { tokens: "60000/min" } }],
    [["--budget-tokens", "5000", "--budget-dollars", "0.5"], { budget: { tokens: 5000, dollars: 0.5 } }],
    [["--parallel", "8"], { maxParallelism: 8 }],
    [["--tolerate", "off"], { tolerate: { failureRate: 1 } }],
    [["--window", "22:00-06:00"], { window: { from: "22:00", to: "06:00" } }],
    [["--window", "none"], { window: null }],
    [["--time-zone", "UTC"], { window: { timeZone: "UTC" } }],
    [["--ramp"], { ramp: {} }],
    [["--ramp", "20%"], { ramp: { from: "20%" } }],
    [["--ramp", "none"], { ramp: null }],
    [["--deadline", "6h"], { deadline: "6h" }],
    [["--deadline", "none"], { deadline: null }],
    [["--min-interval", "1s", "--jitter", "50ms"], { pacing: { minIntervalMs: 1000, jitterMs: 50 } }],
  ])("of %j is %j", (argv, change) => {
    expect(patch(...argv)).toEqual(change);
  });

  test("is refused with the flag's name before anything is asked", () => {
    expect(() => patch("--rate", "fast")).toThrow(/^--rate: "fast"/);
    expect(() => patch("--parallel", "0")).toThrow(/^--parallel: /);
    expect(() => patch("--parallel", "0", "--jitter", "x", "--rate", "fast")).toThrow(
      /^--jitter: [^\n]*\n--rate: [^\n]*\n--parallel: [^\n]*$/,
    );
  });
});
