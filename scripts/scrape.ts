/**
 * `npm run scrape`: real pages of HTML, served by nginx on many hosts, through the real command; figures only.
 *
 *   --from DIR        where pages are looked for (default /usr/share/doc)
 *   --pages N         how many (default 2000; fewer where there are fewer)
 *   --hosts N         127.0.0.1 and on, each one a host (default 20)
 *   --per-host RATE   quota.perHost (default 4/s)
 *
 * Needs nginx and python3 on the path. Titles are compared with what Python's html.parser finds; what each host saw is
 * read from nginx's own log.
 */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, globSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { parseRate } from "../src/core/limiter/rate.ts";
import type { RunView } from "../src/core/run/runView.ts";
import { neededBurst } from "../test/support/neededBurst.ts";
import { until } from "../test/support/until.ts";
import { type Finished, type TestRow, Workspace } from "../test/support/weir.ts";

/** Titles by Python: one JSON string or null a line, for the files named on stdin. */
const PYTHON = `
import html.parser, json, re, sys
class Titles(html.parser.HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True); self.title = None; self.open = False; self.svg = 0
    def handle_starttag(self, tag, attrs):
        if tag == "svg": self.svg += 1
        if tag == "title" and self.title is None and not self.svg: self.open = True; self.title = ""
    def handle_endtag(self, tag):
        if tag == "svg": self.svg -= 1
        if tag == "title": self.open = False
    def handle_data(self, data):
        if self.open: self.title += data
def text(raw):
    meta = re.search(rb"<meta[^>]+charset\\s*=\\s*[\\"']?([\\w-]+)", raw[:1024], re.I)
    if raw[:3] == b"\\xef\\xbb\\xbf": return raw.decode("utf-8-sig", "replace")
    name = meta.group(1).decode() if meta else None
    if name: return raw.decode("cp1252" if name.lower() in ("iso-8859-1", "us-ascii", "ascii") else name, "replace")
    try: return raw.decode("utf-8")
    except UnicodeDecodeError: return raw.decode("cp1252", "replace")
for line in sys.stdin:
    parser = Titles(); parser.feed(text(open(line.rstrip("\\n"), "rb").read())); parser.close()
    print(json.dumps(None if parser.title is None else re.sub(r"[\\t\\n\\f\\r ]+", " ", parser.title).strip(" ")))
`;

const { values } = parseArgs({
  options: {
    from: { type: "string", default: "/usr/share/doc" },
    pages: { type: "string", default: "2000" },
    hosts: { type: "string", default: "20" },
    "per-host": { type: "string", default: "4/s" },
  },
});
const perHost = parseRate(values["per-host"]);
if (perHost.kind === "invalid") throw new Error(perHost.message);
const hosts = Array.from({ length: Number(values.hosts) }, (_, at) => `127.0.0.${at + 1}`);

const place = new Workspace();
try {
  const files = copyPages(place.folder);
  const port = await freePort();
  const nginx = await startNginx(place.folder, port);
  try {
    const startedMs = performance.now();
    const ended = await scrape(files.length, port);
    tell(files, ended, performance.now() - startedMs);
  } finally {
    nginx.kill("SIGQUIT");
    await once(nginx, "exit");
  }
} finally {
  await place.close();
}

/** Pages spread over all that were found, so that they are of many kinds; numbered from 0. */
function copyPages(folder: string): string[] {
  const found = globSync("**/*.{html,htm}", { cwd: values.from })
    .sort()
    .filter(
      (path) =>
        statSync(join(values.from, path)).isFile() && statSync(join(values.from, path)).size < 1_000_000,
    );
  const count = Math.min(Number(values.pages), found.length);
  if (count === 0) throw new Error(`there is no page below ${values.from}`);
  mkdirSync(join(folder, "www/page"), { recursive: true });
  mkdirSync(join(folder, "www/private"));
  writeFileSync(join(folder, "www/robots.txt"), "User-agent: *\nDisallow: /private/\n");
  writeFileSync(join(folder, "www/private/page.html"), "<title>private</title>");
  return Array.from({ length: count }, (_, n) => {
    const path = join(values.from, found[Math.floor((n * found.length) / count)] ?? "");
    copyFileSync(path, join(folder, `www/page/${n}.html`));
    return path;
  });
}

async function startNginx(folder: string, port: number) {
  const conf = `
    daemon off; pid ${folder}/nginx.pid; error_log ${folder}/error.log; worker_processes 1;
    ${process.getuid?.() === 0 ? "user root;" : ""}
    events { worker_connections 512; }
    http {
      types { text/html html; text/plain txt; }
      log_format seen '$msec $server_addr $status $request_uri';
      access_log ${folder}/access.log seen;
      ${["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((kind) => `${kind}_temp_path ${folder}/tmp_${kind};`).join(" ")}
      server { ${hosts.map((host) => `listen ${host}:${port};`).join(" ")} root ${folder}/www; }
    }`;
  const nginx = spawn("nginx", ["-c", place.write("nginx.conf", conf), "-e", `${folder}/error.log`], {
    stdio: "inherit",
  });
  await until("nginx to answer", async () => {
    if (nginx.exitCode !== null) throw new Error("nginx ended");
    return (await fetch(`http://${hosts[0]}:${port}/robots.txt`).catch(() => null))?.ok || undefined;
  });
  return nginx;
}

/** One list of all pages, the hosts mixed, and a disallowed page of each. */
async function scrape(pages: number, port: number): Promise<Finished> {
  const origin = (n: number) => `http://${hosts[n % hosts.length]}:${port}`;
  const items = Array.from({ length: pages }, (_, n) => `${origin(n)}/page/${n}.html`);
  const disallowed = hosts.map((_, n) => `${origin(n)}/private/page.html`);
  place.write("urls.txt", [...items, ...disallowed].map((url) => `${url}\n`).join(""));
  const spec = {
    source: { kind: "input", name: "urls.txt" },
    task: { kind: "scrape", url: "{{item}}" },
    quota: { requests: "500/s", perHost: values["per-host"] },
    chunkSize: 50,
    maxParallelism: 40,
    allowPrivate: true,
  };
  const args = ["run", place.write("spec.json", JSON.stringify(spec)), "--input", "urls.txt"];
  return place.weir([...args, "--out", "rows.jsonl", "--json"]);
}

function tell(files: readonly string[], ended: Finished, tookMs: number): void {
  if (ended.exitCode !== 3) throw new Error(`weir ended with ${ended.exitCode}: ${ended.stderr}`);
  const run = JSON.parse(ended.stdout) as RunView;
  const rows = place.rows("rows.jsonl");
  const paths = files.map((_, n) => join(place.folder, `www/page/${n}.html`)).join("\n");
  const python = execFileSync("python3", ["-c", PYTHON], { input: `${paths}\n`, maxBuffer: 100_000_000 });
  const titles = python
    .toString()
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as string | null);
  const wrong = titles.flatMap((title, n) => (titleOf(rows[n]) === title ? [] : [n]));
  for (const n of wrong.slice(0, 10)) {
    console.log(
      `  ${files[n]}: ${JSON.stringify(rows[n]?.error ?? titleOf(rows[n]))}, by Python ${JSON.stringify(titles[n])}`,
    );
  }
  const seen = readFileSync(join(place.folder, "access.log"), "utf8").trimEnd().split("\n").slice(1);
  const byHost = Map.groupBy(
    seen.map((line) => line.split(" ")),
    ([, host]) => host,
  );
  const perSecond = perHost.kind === "ok" ? perHost.perSecond : 0;
  const bursts = [...byHost.values()].map((lines) =>
    neededBurst(
      lines.map(([at]) => Number(at) * 1000),
      perSecond,
    ),
  );
  const least = Math.max(...[...byHost.values()].map((lines) => lines.length - 1)) / perSecond;
  const disallowed = rows.slice(files.length).filter((row) => row.error?.kind === "disallowed").length;
  console.log(
    [
      `${files.length} pages from ${values.from}: ${files.length - wrong.length} titles as Python's html.parser reads them`,
      `disallowed pages: ${disallowed} of ${hosts.length} rows, ${seen.filter((line) => line.includes("/private/")).length} requests`,
      `robots.txt: ${seen.filter((line) => line.endsWith("/robots.txt")).length} requests for ${hosts.length} hosts`,
      `hosts: ${byHost.size}, each ${values["per-host"]}; largest burst needed of any ${Math.max(...bursts).toFixed(2)} (an even sender needs 1)`,
      `time: ${(tookMs / 1000).toFixed(1)} s with the start of the command; the rate alone asks for ${least.toFixed(1)} s`,
      `requests to the run: ${run.coordinatorRequests} for ${seen.length} calls; rows ${run.counts.ok} ok, ${run.counts.failed} failed`,
    ].join("\n"),
  );
}

function titleOf(row: TestRow | undefined): string | null | undefined {
  return (row?.value as { readonly title?: string | null } | undefined)?.title;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("there is no free port");
  return address.port;
}
