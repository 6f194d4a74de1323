/**
 * What the embedded runtime is started with: the Worker and its lanes as modules, and the bindings that `wrangler.toml`
 * declares as Miniflare options. They lie in `dist/embedded/`; in a clone they are made again when something they were
 * made from has changed, in the package they are as they were built.
 *
 * A project that has tasks, sources or reducers of its own has modules of its own (`ownConfig.ts`), with Weir's in them.
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { V4WorkerOptions } from "miniflare";
import { CommandError } from "../exit.ts";
import { IS_BUILT } from "../project.ts";
import { CONFIGURATION, EMBEDDED, isFresh, TABLES } from "./dist.ts";
import { MINIFLARE } from "./miniflareCopy.ts";
import { network } from "./network.ts";
import type { OwnConfig } from "./ownConfig.ts";
import { reachBinding } from "./reach.ts";

const BUILDER = join(import.meta.dirname, IS_BUILT ? "build.js" : "buildCommand.ts");

/** The entry first, then what it imports, at once or when it needs it. */
export type Modules = { readonly type: "ESModule"; readonly path: string; readonly contents: string }[];

export interface Bundle {
  /** The Worker, consumers included. */
  readonly modules: Modules;
  /** The consumers alone. */
  readonly laneModules: Modules;
  readonly options: V4WorkerOptions;
}

/**
 * The bundle, with what `own` adds, made now if it is missing or older than its sources. Throws where the sources do not
 * compile. Made by a process of its own: the memory that takes is not the command's to keep.
 */
export function loadBundle(own: OwnConfig | null = null): Bundle {
  const parts = ["worker", CONFIGURATION, MINIFLARE];
  if (!IS_BUILT && !parts.every((name) => isFresh(EMBEDDED, name))) make([]);
  if (own !== null && !isFresh(own.folder, "worker")) make([own.path, own.folder]);
  const folder = own?.folder ?? EMBEDDED;
  const options = JSON.parse(
    readFileSync(join(EMBEDDED, `${CONFIGURATION}.json`), "utf8"),
  ) as V4WorkerOptions;
  const serviceBindings = {
    ...options.serviceBindings,
    TABLES: { disk: { path: TABLES, writable: false } },
    NETWORK: { network: network() },
    REACH: reachBinding,
  };
  return {
    modules: readModules(folder, "worker"),
    laneModules: readModules(folder, "lanes"),
    options: { ...options, serviceBindings },
  };
}

/** What is wrong with the sources is on the error output already, with file and line. */
function make(args: readonly string[]): void {
  try {
    execFileSync(process.execPath, [BUILDER, ...args], { stdio: ["ignore", "ignore", "inherit"] });
  } catch {
    throw new CommandError(
      args.length === 0 ? "Weir was not built" : `${args[0]} was not built: nothing was started`,
    );
  }
}

function readModules(folder: string, entry: "worker" | "lanes"): Modules {
  const names = JSON.parse(readFileSync(join(folder, `${entry}.modules.json`), "utf8")) as readonly string[];
  return names.map((name) => ({
    type: "ESModule",
    path: name,
    contents: readFileSync(join(folder, name), "utf8"),
  }));
}
