/** The project's `weir.config.ts`: where it is, and where what is made from it lies. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

/** In this order: the first that there is. */
const CONFIG_NAMES = ["weir.config.ts", "weir.config.mts", "weir.config.js", "weir.config.mjs"] as const;

export interface OwnConfig {
  readonly path: string;
  /** Of the modules made from it: in the project's `node_modules`, where caches of tools lie. */
  readonly folder: string;
}

/** The config in `from` or in the nearest folder above it; null: there is none. */
export function findConfig(from: string): OwnConfig | null {
  const folder = resolve(from);
  for (const name of CONFIG_NAMES) {
    const path = join(folder, name);
    if (existsSync(path)) return configAt(path);
  }
  const parent = dirname(folder);
  return parent === folder ? null : findConfig(parent);
}

function configAt(path: string): OwnConfig {
  const mark = createHash("sha256").update(path).digest("hex").slice(0, 12);
  return { path, folder: join(dirname(path), "node_modules/.cache/weir-run", mark) };
}
