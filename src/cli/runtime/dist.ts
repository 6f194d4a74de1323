/** What is made of the sources and of packages: each set of files beside a note of what it was made from. */
import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { PROJECT } from "../project.ts";

/** Where the modules and options of the embedded runtime lie. */
export const EMBEDDED = join(PROJECT, "dist/embedded");
/** What `wrangler.toml` declares, as options. */
export const CONFIGURATION = "configuration";
/** The tokenizer's tables, which the Worker reads when it needs them. */
export const TABLES = join(EMBEDDED, "tables");

/** What a set of files was made from; no input was read earlier than `startedMs`. */
export interface Stamp {
  readonly startedMs: number;
  /** Paths of `files` begin here. */
  readonly from: string;
  readonly files: readonly string[];
}

/** Records what the files called `name` were made from. */
export function writeStamp(folder: string, name: string, stamp: Stamp): void {
  const files = stamp.files.filter((input) =>
    statSync(join(stamp.from, input), { throwIfNoEntry: false })?.isFile(),
  );
  writeWhole(join(folder, `${name}.inputs.json`), JSON.stringify({ ...stamp, files }));
}

/** False where the files called `name` are missing or older than what they were made from. */
export function isFresh(folder: string, name: string): boolean {
  try {
    const text = readFileSync(join(folder, `${name}.inputs.json`), "utf8");
    const { startedMs, from, files } = JSON.parse(text) as Stamp;
    return files.every((file) => statSync(join(from, file)).mtimeMs < startedMs);
  } catch {
    return false;
  }
}

/** Two commands may build at once: each file is there whole or not at all. */
export function writeWhole(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  const next = `${path}.${process.pid}`;
  writeFileSync(next, text);
  renameSync(next, path);
}
