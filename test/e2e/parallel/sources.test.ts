/** The examples of CSV and of batched calls, run by the real command against what they bring along. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { gzipSync } from "node:zlib";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Workspace } from "../../support/weir.ts";

const EXAMPLES = resolve(import.meta.dirname, "../../../docs/examples");
const read = (...path: string[]) => readFileSync(join(EXAMPLES, ...path), "utf8");

interface Outside {
  readonly url: string;
  /** What it printed after its address. */
  readonly lines: string[];
  close(): Promise<void>;
}

/** The example's server on a free port. */
async function outside(example: string): Promise<Outside> {
  const server = join(EXAMPLES, example, "server.ts");
  const child = spawn(process.execPath, [server, "0"], { stdio: ["ignore", "pipe", "inherit"] });
  const lines: string[] = [];
  const output = createInterface(child.stdout);
  const [url] = (await once(output, "line")) as [string];
  output.on("line", (line) => lines.push(line));
  const close = async () => {
    const ended = once(child, "exit");
    child.kill();
    await ended;
  };
  return { url, lines, close };
}

describe("the examples of sources and batches", () => {
  /** Its `weir dev` works on the runs; each test has a folder of its own. */
  let home: Workspace;
  let workspace: Workspace;
  let system: Outside;
  beforeAll(async () => {
    home = new Workspace();
    await home.dev();
  });
  afterAll(() => home.close());
  beforeEach(() => {
    workspace = home.beside();
  });
  afterEach(async () => {
    await workspace.close();
    await system.close();
  });

  test("csv: one call a record, by the header's columns", async () => {
    system = await outside("csv");
    workspace.write("orders.csv", read("csv", "orders.csv"));
    workspace.write("spec.json", read("csv", "spec.json").replace("http://127.0.0.1:8321", system.url));
    const ended = await workspace.weir(["run", "spec.json", "--out", "rows.jsonl"]);
    expect(ended.exitCode, ended.stderr).toBe(0);
    expect(workspace.rows("rows.jsonl").map((row) => row.value)).toEqual([
      { path: "/orders/1001", customer: "Ünal & Söhne", noteLines: 2 },
      { path: "/orders/1002", customer: "Ace", noteLines: 1 },
      { path: "/orders/1003", customer: "Brandt", noteLines: 1 },
    ]);
  });

  test("csv by flags: packed, another delimiter, the first records; a malformed one is refused by its line", async () => {
    system = await outside("csv");
    const url = `${system.url}/orders/{{item.id}}`;
    const flags = [
      "--url",
      url,
      "--method",
      "PUT",
      "--data",
      '{"customer":"{{item.who}}","note":"{{item.note}}"}',
    ];
    workspace.write("a.csv.gz", gzipSync('id;who;note\n1;a;"x\ny"\n2;b;z\n3;c;z\n'));
    const ended = await workspace.weir([
      ...["run", "--input", "a.csv.gz", "--delimiter", ";", "--limit", "2", "--out", "rows.jsonl"],
      ...flags,
    ]);
    expect(ended.exitCode, ended.stderr).toBe(0);
    expect(workspace.rows("rows.jsonl").map((row) => row.item)).toEqual([
      { id: "1", who: "a", note: "x\ny" },
      { id: "2", who: "b", note: "z" },
    ]);
    workspace.write("bad.csv", "id,who,note\n1,a,b\n2,c\n");
    const refused = await workspace.weir(["run", "--input", "bad.csv", ...flags]);
    expect([refused.exitCode, refused.stderr]).toEqual([
      2,
      expect.stringContaining("bad.csv is not CSV: line 3: 2 fields, but the header names 3"),
    ]);
  });

  test("batch: eight items a call, split down to the one that is refused", async () => {
    system = await outside("batch");
    workspace.write("words.txt", read("batch", "words.txt"));
    workspace.write("spec.json", read("batch", "spec.json").replace("http://127.0.0.1:8322", system.url));
    const ended = await workspace.weir(["run", "spec.json", "--out", "rows.jsonl"]);
    expect(ended.exitCode, ended.stderr).toBe(3);
    const rows = workspace.rows("rows.jsonl");
    expect(rows.map((row) => [row.item, row.ok])).toEqual(
      read("batch", "words.txt")
        .trim()
        .split("\n")
        .map((word) => [word, word !== "poison" && word !== "cedar"]),
    );
    expect(rows.find((row) => row.item === "poison")?.error?.message).toBe("400 Bad Request");
    expect(rows.find((row) => row.item === "amber")).toMatchObject({
      attempts: 1,
      value: { id: "amber", status: "stored" },
    });
    expect(system.lines).toEqual([
      "amber basalt cedar drift ember poison fjord glade",
      "amber basalt cedar drift",
      "ember poison fjord glade",
      "ember poison",
      "ember",
      "poison",
      "fjord glade",
    ]);
  });
});
