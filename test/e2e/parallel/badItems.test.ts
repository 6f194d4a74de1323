/** The real command on lists with bad items: it ends, exactly these fail, each with its reason. */
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Workspace } from "../../support/weir.ts";

let server: Server;
let url: string;
const workspaces: Workspace[] = [];

/** `KIND_n` is answered as its kind says: a status, a cut connection, or never. */
beforeEach(async () => {
  server = createServer((request, response) => {
    const kind = (request.url ?? "").slice(1).split("_")[0] ?? "";
    if (kind === "cut") request.socket.destroy();
    else if (/^\d+$/.test(kind)) response.writeHead(Number(kind)).end(`no luck with ${kind}`);
    else if (kind !== "hang") response.setHeader("content-type", "application/json").end('{"ok":true}');
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/{{item}}`;
});
afterEach(async () => {
  await Promise.all(workspaces.splice(0).map((workspace) => workspace.close()));
  server.closeAllConnections();
  server.close();
});

function ids(kind: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${kind}_${i}`);
}

/** Runs the command on the list; its failed items, and what was said of each. */
async function failuresOf(items: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const workspace = new Workspace();
  workspaces.push(workspace);
  workspace.write("ids.txt", `${items.join("\n")}\n`);
  const limits = ["--rate", "100/s", "--parallel", "10", "--timeout", "1s"];
  const ended = await workspace.weir([
    "run",
    "--input",
    "ids.txt",
    "--url",
    url,
    "--out",
    "rows.jsonl",
    ...limits,
  ]);
  expect(ended.exitCode, ended.stderr).toBe(3);
  const rows = workspace.rows("rows.jsonl");
  expect(rows.map(({ item }) => item)).toEqual(items);
  const failed = rows.filter(({ ok }) => !ok);
  return new Map(failed.map((row) => [String(row.item), (row.error as { message: string }).message]));
}

describe("a run with bad items ends, and exactly these fail", () => {
  test("with 40 at the head that answer 500, and with others of every kind at the tail", async () => {
    const head = ids("500", 40);
    const tail = ["502", "503", "400", "404", "cut", "hang"].flatMap((kind) => ids(kind, 3));
    const [atHead, atTail] = await Promise.all([
      failuresOf([...head, ...ids("good", 100)]),
      failuresOf([...ids("good", 100), ...tail]),
    ]);
    expect([...atHead.keys()]).toEqual(head);
    expect(new Set(atHead.values())).toEqual(new Set(["500 Internal Server Error: no luck with 500"]));
    expect([...atTail.keys()]).toEqual(tail);
    expect(atTail.get("503_0")).toBe("503 Service Unavailable: no luck with 503");
    expect(atTail.get("cut_0")).toMatch(
      /^the connection to 127\.0\.0\.1:\d+ was closed before an answer came$/,
    );
    expect(atTail.get("hang_0")).toBe("no complete answer within 1000 ms");
  });
});
