/**
 * `npm run tokens`: the task `llm` with the real command against an endpoint that enforces 60,000 tokens a minute, with
 * prompts whose length varies tenfold. Prints; asserts nothing.
 *
 *   --seconds 130       about how long the run takes
 *   --burst 10000       tokens that the endpoint accepts at once
 *   --per-minute 60000  what it enforces
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { text } from "node:stream/consumers";
import { parseArgs } from "node:util";
import type { RunView } from "../src/core/run/runView.ts";
import { promptOf } from "../test/support/prompts.ts";
import { spawnTokenTarget } from "../test/support/tokenTarget.ts";

const COMMAND = resolve(import.meta.dirname, "../src/cli/weir.js");
/** Prompts of 150 to 1,500 tokens, answers of 50 to 150. */
const SHORTEST = 150;
const LONGEST = 1500;
const MEAN_TOKENS = (SHORTEST + LONGEST) / 2 + 100;

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "130" },
    burst: { type: "string", default: "10000" },
    "per-minute": { type: "string", default: "60000" },
  },
});
const perMinute = Number(values["per-minute"]);
const items = Math.round((Number(values.seconds) * perMinute) / 60 / MEAN_TOKENS);

const folder = mkdtempSync(join(tmpdir(), "weir-tokens-"));
const target = await spawnTokenTarget({
  tokensPerMinute: perMinute,
  burst: Number(values.burst),
  saysRemaining: true,
});
try {
  const lines = Array.from({ length: items }, (_, at) =>
    JSON.stringify({ text: promptOf(at, SHORTEST, LONGEST) }),
  );
  writeFileSync(join(folder, "texts.jsonl"), `${lines.join("\n")}\n`);
  writeFileSync(join(folder, "spec.json"), JSON.stringify(specOf(target.url)));
  const child = spawn(process.execPath, [COMMAND, "run", "spec.json", "--out", "rows.jsonl", "--json"], {
    cwd: folder,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [[exitCode], stdout] = await Promise.all([once(child, "close"), text(child.stdout)]);
  print(JSON.parse(stdout) as RunView, exitCode as number);
  await printTarget();
} finally {
  await target.close();
  rmSync(folder, { recursive: true, force: true });
}

function specOf(url: string): object {
  return {
    source: { kind: "input", name: "texts.jsonl", format: "jsonl" },
    task: { kind: "llm", url, model: "gpt-4o-mini", prompt: "{{item.text}}", maxTokens: 400 },
    chunkSize: 5,
    maxParallelism: 40,
    quota: { tokens: `${perMinute}/min` },
  };
}

function print({ status, counts, usage, coordinatorRequests }: RunView, exitCode: number): void {
  const { rows } = usage ?? { rows: null };
  line(
    `${status}, exit code ${exitCode}: ${counts.ok} ok, ${counts.failed} failed, ${counts.throttled} throttled`,
  );
  line(`tokens in the rows, as Weir counts them: ${rows?.inputTokens} in, ${rows?.outputTokens} out`);
  line(
    `coordinator requests per call: ${(coordinatorRequests / (counts.attempts + counts.throttled)).toFixed(2)}`,
  );
}

async function printTarget(): Promise<void> {
  const seen = await target.stats();
  const used = seen.inputTokens + seen.outputTokens - seen.lastTokens;
  const allowed = (perMinute * seen.spanMs) / 60_000;
  line(`tokens accepted by the endpoint: ${seen.inputTokens} in, ${seen.outputTokens} out`);
  line(`prompts: ${seen.shortest} to ${seen.longest} tokens; most calls at once: ${seen.maxInFlight}`);
  line(`first to last call: ${(seen.spanMs / 1000).toFixed(1)} s`);
  line(
    `calls answered 429: ${seen.rejected} of ${seen.calls}, ${((100 * seen.rejected) / seen.calls).toFixed(2)} %`,
  );
  line(`tokens used of those allowed: ${((100 * used) / allowed).toFixed(1)} %`);
  line(`needed burst: ${Math.round(seen.neededBurst)} tokens of ${values.burst}`);
}

function line(text: string): void {
  process.stdout.write(`${text}\n`);
}
