/** A referee that is not ours: nginx with `limit_req` between the command and the target. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { arrivalFigures, usedShare } from "../../../test/support/neededBurst.ts";
import { freePort } from "../freePort.ts";
import { shown } from "../journal.ts";
import { measureRun, sleep } from "../measuredRun.ts";
import type { Scene } from "../scene.ts";
import { FAIR_FLAGS, LOG_NORMAL } from "./fair.ts";

const RATE = 1000;
const BURST = 100;
const READY_MS = 5000;

export const referee: Scene = {
  name: "referee",
  minutes: 0.6,
  async play(journal) {
    journal.say(
      "",
      `**20,000 ids at 1,000/s through nginx**, \`limit_req rate=${RATE}r/s burst=${BURST} nodelay\``,
    );
    if (spawnSync("nginx", ["-v"]).error !== undefined) {
      journal.say("", "Not run: there is no nginx here (Debian: `apt-get install nginx-light`).");
      return;
    }
    const folder = mkdtempSync(join(tmpdir(), "weir-nginx-"));
    const port = await freePort();
    let nginx: { readonly stop: () => Promise<void> } | null = null;
    try {
      const run = await measureRun({
        ids: 20_000,
        flags: FAIR_FLAGS,
        target: { latencyMs: LOG_NORMAL },
        ratePerSecond: RATE,
        through: (url) => {
          nginx = startNginx(folder, port, new URL(url).host);
          return `http://127.0.0.1:${port}`;
        },
      });
      const lines = readFileSync(join(folder, "access.log"), "utf8").trimEnd().split("\n");
      const atMs = lines.map((line) => Number(line.split(" ")[0]) * 1000);
      const statuses = lines.map((line) => Number(line.split(" ")[1]));
      const figures = arrivalFigures(run.log.atMs, RATE);
      journal.table(
        ["", "nginx"],
        [
          ["calls that nginx saw", shown(lines.length)],
          ["calls that nginx answered 429", shown(statuses.filter((status) => status === 429).length)],
          [
            "share of the rate used, %",
            shown(100 * usedShare(atMs, statuses, { ratePerSecond: RATE, warmUpMs: 2000 }), 2),
          ],
          ["needed burst behind nginx, calls", shown(figures.neededBurst, 1)],
          ["rows lost or doubled", shown((run.rows?.lost ?? Number.NaN) + (run.rows?.doubled ?? Number.NaN))],
        ],
      );
    } finally {
      await (nginx as { stop: () => Promise<void> } | null)?.stop();
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

/** One worker process, its files in the folder. Calls before it listens are refused and tried again. */
function startNginx(folder: string, port: number, upstream: string): { readonly stop: () => Promise<void> } {
  const path = join(folder, "nginx.conf");
  writeFileSync(path, configuration(folder, port, upstream));
  const child = spawn("nginx", ["-c", path, "-p", folder, "-e", join(folder, "error.log")], {
    stdio: "ignore",
  });
  return {
    stop: async () => {
      if (child.exitCode !== null) return;
      const ended = once(child, "exit");
      child.kill("SIGTERM");
      await Promise.race([ended, sleep(READY_MS).then(() => child.kill("SIGKILL"))]);
    },
  };
}

function configuration(folder: string, port: number, upstream: string): string {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((name) => `  ${name}_temp_path ${folder}/${name};`)
    .join("\n");
  return `daemon off;
pid ${folder}/nginx.pid;
worker_processes 1;
events { worker_connections 4096; }
http {
${temporary}
  log_format arrivals '$msec $status';
  access_log ${folder}/access.log arrivals;
  limit_req_zone $server_name zone=one:1m rate=${RATE}r/s;
  limit_req_status 429;
  upstream target { server ${upstream}; keepalive 300; }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    server_name one;
    keepalive_requests 1000000;
    location / {
      limit_req zone=one burst=${BURST} nodelay;
      proxy_pass http://target;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
    }
  }
}
`;
}
