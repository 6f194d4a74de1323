/** `dist/`: what is made of the sources and of packages, each beside a note of what it was made from. */
import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

/** The project's folder. */
export const PROJECT = resolve(import.meta.dirname, "../../..");
export const DIST = join(PROJECT, "dist");

/** Records what `name` was made from, as paths in the project, and that it was read no earlier than `startedMs`. */
export function stamp(name: string, startedMs: number, inputs: readonly string[]): void {
  const files = inputs.filter((input) => statSync(join(PROJECT, input), { throwIfNoEntry: false })?.isFile());
  writeWhole(`${name}.inputs.json`, JSON.stringify({ startedMs, files }));
}

/** False where `name` is missing or older than what it was made from. */
export function isFresh(name: string): boolean {
  try {
    const text = readFileSync(join(DIST, `${name}.inputs.json`), "utf8");
    const { startedMs, files } = JSON.parse(text) as { startedMs: number; files: readonly string[] };
    return files.every((file) => statSync(join(PROJECT, file)).mtimeMs < startedMs);
  } catch {
    return false;
  }
}

/** Two commands may build at once: each file is there whole or not at all. */
export function writeWhole(name: string, text: string): void {
  mkdirSync(dirname(join(DIST, name)), { recursive: true });
  const next = join(DIST, `${name}.${process.pid}`);
  writeFileSync(next, text);
  renameSync(next, join(DIST, name));
}
