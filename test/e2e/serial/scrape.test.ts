/** Pages of several hosts through the real command, judged by what the hosts saw and by titles known beforehand. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RunView } from "../../../src/core/run/runView.ts";
import { neededBurst } from "../../support/neededBurst.ts";
import { type PageArrival, type PageServer, spawnPageServer } from "../../support/pageServer.ts";
import { knownPage } from "../../support/pages.ts";
import { type Finished, type TestRow, Workspace } from "../../support/weir.ts";

const HOSTS = 8;
const PAGES = 120;
const PER_HOST_PER_SECOND = 4;

const EXAMPLE = resolve(import.meta.dirname, "../../../docs/examples/scrape");

test("the example does what it says", async () => {
  const place = new Workspace();
  const server = spawn(process.execPath, [join(EXAMPLE, "server.ts"), "0"], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const asked = text(server.stderr);
  try {
    const [origin] = (await once(createInterface(server.stdout), "line")) as [string];
    const urls = readFileSync(join(EXAMPLE, "urls.txt"), "utf8");
    place.write("urls.txt", urls.replaceAll(":8331", `:${new URL(origin).port}`));
    place.write("spec.json", readFileSync(join(EXAMPLE, "spec.json")));
    const ended = await place.weir(["run", "spec.json", "--out", "pages.jsonl"]);
    expect(ended.exitCode, ended.stderr).toBe(3);
    const fields = { heading: "Welcome", description: "Open – always", links: ["/menu", "/old"] };
    expect(place.rows("pages.jsonl")).toMatchObject([
      { ok: true, value: { title: "Café & bar", redirects: [], fields } },
      {
        ok: true,
        value: { title: "Menu", redirects: [`${origin}/old`], fields: { heading: "Soup, bread" } },
      },
      { ok: false, error: { kind: "disallowed" } },
      { ok: true, value: { fields } },
      { ok: false, error: { kind: "parse", message: expect.stringContaining("needs a browser") } },
      { ok: false, status: 404 },
    ]);
  } finally {
    server.kill();
    await place.close();
  }
  expect(await asked).not.toContain("/private");
});

describe("a scrape of several hosts", () => {
  let workspace: Workspace;
  let server: PageServer;
  let ended: Finished;
  let rows: readonly TestRow[];
  let arrivals: readonly PageArrival[];

  /** Item `n`: a page, every tenth by its old address; and one page of each host that is disallowed. */
  function urls(): string[] {
    const origin = (n: number) => server.origins[n % HOSTS];
    const pages = Array.from(
      { length: PAGES },
      (_, n) => `${origin(n)}/${n % 10 === 9 ? "old" : "page"}/${n}`,
    );
    return [...pages, ...server.origins.map((host) => `${host}/private/page`)];
  }

  beforeAll(async () => {
    workspace = new Workspace();
    server = await spawnPageServer(HOSTS);
    const spec = {
      source: { kind: "items", items: urls() },
      task: { kind: "scrape", url: "{{item}}", fields: { heading: "h1" } },
      quota: { requests: "100/s", perHost: `${PER_HOST_PER_SECOND}/s` },
      chunkSize: 16,
      maxParallelism: 8,
      allowPrivate: true,
    };
    const file = workspace.write("spec.json", JSON.stringify(spec));
    ended = await workspace.weir(["run", file, "--out", "rows.jsonl", "--json"]);
    rows = workspace.rows("rows.jsonl");
    arrivals = await server.arrivals();
  });
  afterAll(async () => {
    await workspace.close();
    await server.close();
  });

  test("gives every page's title as it was written", () => {
    expect(ended.exitCode, ended.stderr).toBe(3);
    const titles = rows.slice(0, PAGES).map((row) => (row.value as { title: string } | undefined)?.title);
    expect(titles).toEqual(Array.from({ length: PAGES }, (_, n) => knownPage(n).title));
    expect(rows[4]?.value).toMatchObject({ url: `${server.origins[4]}/page/4`, fields: { heading: "x" } });
  });

  test("records the way through a redirect", () => {
    expect(rows[9]?.value).toMatchObject({
      url: `${server.origins[1]}/page/9`,
      redirects: [`${server.origins[1]}/old/9`],
    });
  });

  test("calls no page that robots.txt disallows, and makes it a failed row of its own kind", () => {
    for (const row of rows.slice(PAGES)) {
      expect(row).toMatchObject({ ok: false, error: { kind: "disallowed", retryable: false } });
    }
    expect(rows).toHaveLength(PAGES + HOSTS);
    expect(arrivals.filter(({ path }) => path.startsWith("/private"))).toEqual([]);
  });

  test("asks each host for its robots.txt once", () => {
    expect(arrivals.filter(({ path }) => path === "/robots.txt")).toHaveLength(HOSTS);
  });

  test("calls every page once, and every hop of a redirect", () => {
    const run = JSON.parse(ended.stdout) as RunView;
    expect(run.counts).toMatchObject({ items: PAGES + HOSTS, ok: PAGES, failed: HOSTS, attempts: PAGES });
    expect(arrivals).toHaveLength(PAGES + PAGES / 10 + HOSTS);
  });

  test("calls no host above its own rate", () => {
    for (const host of new Set(arrivals.map((arrival) => arrival.host))) {
      const times = arrivals.filter((arrival) => arrival.host === host).map(({ atMs }) => atMs);
      // An even sender needs 1; on a busy machine calls arrive a little later than they left.
      expect(neededBurst(times, PER_HOST_PER_SECOND)).toBeLessThan(2);
    }
  });

  test("works on all hosts at once", () => {
    const fifthOfOne = arrivals.findIndex(
      ({ host }, at) => arrivals.slice(0, at + 1).filter((other) => other.host === host).length === 5,
    );
    expect(new Set(arrivals.slice(0, fifthOfOne + 1).map(({ host }) => host)).size).toBe(HOSTS);
  });
});
