import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { copy } from "../../docs/examples/own-task/tasks/copy.ts";
import { taskOf } from "../../src/package/ownTask.ts";
import { createEgress } from "../../src/tasks/calls/egress.ts";
import type { Task } from "../../src/tasks/task.ts";
import { OpenPermits, type Server, startServer } from "../support/oneTry.ts";

const read = (path: string): string => readFileSync(join(import.meta.dirname, "../../docs", path), "utf8");

const copyTask = taskOf("copy", copy) as unknown as Task<unknown, unknown>;

const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

/** One try of the documented task between two systems: one that has record 7, one that takes it. */
async function run(item: string, permits = new OpenPermits()) {
  const from = await startServer((arrival, response) => {
    if (arrival.url === "/records?id=7") response.end("the record, with hunter22");
    else response.writeHead(404).end();
  });
  const to = await startServer((_arrival, response) => void response.writeHead(201).end("kept"));
  servers.push(from, to);
  const given = { from: `${from.origin}/records`, to: `${to.origin}/records`, secret: "KEY" };
  const settings = { kind: "copy", ...copy.settings?.(z).parse(given) };
  const source = { kind: "range", from: 0, to: 1 };
  const spec = { source, task: settings, allowPrivate: false } as never;
  const egress = createEgress({
    env: { WEIR_SECRET_KEY: "hunter22" },
    settings: { version: 1, run: "run", root: "run", spec, itemSource: source, child: false },
    task: copyTask,
  });
  const signal = new AbortController().signal;
  const task = copyTask;
  const outcome = await egress.run({ task, client: undefined, item, index: 0, permits, signal });
  return { outcome, from, to, permits, settings };
}

describe("the documented task", () => {
  it("stands in the document as it is tested", () => {
    for (const file of ["tasks/copy.ts", "weir.config.ts", "test/copy.test.ts"])
      expect(read("own-task.md")).toContain(`\`\`\`ts\n${read(`examples/own-task/${file}`)}\`\`\``);
  });

  it("turns an item into a value with two calls, each with its permit and its secret", async () => {
    const { outcome, from, to, permits } = await run("7");
    expect(outcome).toEqual({ kind: "ok", value: { chars: 25 }, status: 201 });
    expect(permits).toMatchObject({ used: 2, ended: 2 });
    expect(from.arrivals[0]?.headers.authorization).toBe("Bearer hunter22");
    expect(to.arrivals[0]).toMatchObject({
      method: "PUT",
      url: "/records?id=7",
      body: "the record, with hunter22",
    });
  });

  it("fails an item for good by the answer's status", async () => {
    const { outcome, to } = await run("8&id=7");
    expect(outcome).toMatchObject({ kind: "permanent", errorKind: "http", status: 404 });
    expect(to.arrivals).toEqual([]);
  });

  it("shows its first request with the secret hidden", async () => {
    const { settings } = await run("7");
    expect(copyTask.preview(settings, "7")).toMatchObject({
      headers: { authorization: "Bearer [secret:KEY]" },
    });
  });
});

describe("the project's wrangler.jsonc", () => {
  it("declares the bindings, classes, queues and limits that Weir's own wrangler.toml does", () => {
    const own = read("examples/own-task/wrangler.jsonc");
    const weirs = readFileSync(join(import.meta.dirname, "../../wrangler.toml"), "utf8");
    const texts = /^(?:binding|queue|class_name|bucket_name|database_name|compatibility_date) = "(.*)"$/gm;
    for (const [, value] of weirs.matchAll(texts)) expect(own).toContain(`"${value}"`);
    for (const [, key, value] of weirs.matchAll(/^(cpu_ms|subrequests|max_\w+) = (\d+)$/gm))
      expect(own).toContain(`"${key}": ${value}`);
    for (const [, name = ""] of weirs.matchAll(/^\[exports\.(\w+)\]$/gm)) {
      expect(own).toContain(`"${name}"`);
      expect(read("examples/own-task/worker.ts")).toContain(name);
    }
  });
});
