/** A target behind an authority of one's own: trusted where NODE_EXTRA_CA_CERTS names it, and nowhere else. */
import { once } from "node:events";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CERTIFICATE, KEY } from "../support/certificate.ts";
import { Workspace } from "../support/weir.ts";

let server: Server;
let workspace: Workspace;
let args: string[];

beforeAll(async () => {
  server = createServer({ cert: CERTIFICATE, key: KEY }, (_request, response) => {
    response.setHeader("content-type", "application/json").end('{"safe":true}');
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  workspace = new Workspace();
  workspace.write("authority.pem", CERTIFICATE);
  workspace.write("ids.txt", "one\ntwo\n");
  const url = `https://localhost:${port}/{{item}}`;
  args = ["run", "--input", "ids.txt", "--url", url, "--max-attempts", "1", "--out", "rows.jsonl"];
});
afterAll(async () => {
  await workspace.close();
  server.closeAllConnections();
  server.close();
});

test("calls go to a target whose authority the environment names", async () => {
  const env = { NODE_EXTRA_CA_CERTS: join(workspace.folder, "authority.pem") };
  const ended = await workspace.weir(args, env);
  expect(ended.exitCode, ended.stderr).toBe(0);
  expect(workspace.rows("rows.jsonl").map(({ value }) => value)).toEqual([{ safe: true }, { safe: true }]);
});

test("without it every item is a failed row", async () => {
  const ended = await workspace.weir(args);
  expect(ended.exitCode, ended.stderr).toBe(3);
  expect(workspace.rows("rows.jsonl").map(({ ok }) => ok)).toEqual([false, false]);
});
