/**
 * `npm run check`: everything that must hold, one part after the other, up to the first that does not; then what was
 * checked, and how long each part took.
 */
import { spawnSync } from "node:child_process";

/** Scripts of package.json, in the order in which they are run. */
const PARTS: Readonly<Record<string, string>> = {
  lint: "format and lint rules of all files",
  types: "TypeScript: src/core alone, then the whole project",
  build: "the bundle of the embedded runtime, and what wrangler would deploy",
  test: "all tests",
};

interface Checked {
  readonly name: string;
  readonly result: "passed" | "failed";
  readonly tookMs: number;
}

const checked: Checked[] = [];
for (const name of Object.keys(PARTS)) {
  const startedMs = performance.now();
  const { status } = spawnSync("npm", ["run", name], { stdio: "inherit" });
  checked.push({
    name,
    result: status === 0 ? "passed" : "failed",
    tookMs: performance.now() - startedMs,
  });
  if (status !== 0) break;
}

const tookMs = checked.reduce((sum, part) => sum + part.tookMs, 0);
const left = Object.keys(PARTS).slice(checked.length);
const lines = [
  "",
  ...checked.map((part) => line(part.name, part.result, part.tookMs)),
  ...left.map((name) => line(name, "not run", null)),
  line("all", checked.every(({ result }) => result === "passed") ? "passed" : "failed", tookMs),
];
process.stdout.write(`${lines.join("\n")}\n`);
process.exitCode = checked.some(({ result }) => result === "failed") ? 1 : 0;

function line(name: string, result: string, partMs: number | null): string {
  const time = partMs === null ? "" : `${(partMs / 1000).toFixed(1)} s`;
  return `check: ${name.padEnd(6)} ${result.padEnd(8)} ${time.padStart(8)}  ${PARTS[name] ?? ""}`.trimEnd();
}
