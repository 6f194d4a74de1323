/**
 * `weir init`: a small project that extends Weir. Asks nothing, overwrites nothing. As long as the package is not
 * published, the project gets the very one that made it, as a file beside its `package.json`.
 */
import { execFileSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { EXIT, UsageError } from "../exit.ts";
import type { Arguments } from "../flags/arguments.ts";
import { IS_BUILT, PROJECT } from "../project.ts";
import { print } from "../stdout.ts";
import { printable } from "../words/printable.ts";
import { shellWord } from "../words/shellWord.ts";

const TEMPLATE = join(PROJECT, "docs/examples/own-task");
const TARBALL = "weir-run.tgz";
/** npm packs no file of that name. */
const RENAMED: Readonly<Record<string, string>> = { gitignore: ".gitignore" };

export async function initCommand({ words }: Arguments): Promise<number> {
  const [given = "."] = words;
  const folder = resolve(given);
  const files = templateFiles();
  const taken = [...files, TARBALL]
    .map((file) => RENAMED[file] ?? file)
    .filter((file) => existsSync(join(folder, file)));
  if (taken.length > 0)
    throw new UsageError(
      `${printable(given)} has ${taken.slice(0, 3).join(", ")} already; weir init overwrites nothing: name a new folder`,
    );
  makeFolder(folder, given);
  for (const file of files) {
    const to = join(folder, RENAMED[file] ?? file);
    mkdirSync(dirname(to), { recursive: true });
    copyFileSync(join(TEMPLATE, file), to);
  }
  writeManifest(folder);
  const enter = folder === process.cwd() ? "" : `cd ${shellWord(given)} && `;
  print(`${enter}npm install && npm test\n${enter}npx weir run spec.json --out results.jsonl\n`);
  return EXIT.ok;
}

/** Paths in the template; what was installed or made there is not a part of it. */
function templateFiles(): readonly string[] {
  const skipped = /^(?:node_modules|\.weir|\.wrangler)(?:[/\\]|$)|\.(?:tgz|jsonl)$|package-lock\.json$/;
  return readdirSync(TEMPLATE, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(TEMPLATE, join(entry.parentPath, entry.name)))
    .filter((file) => !skipped.test(file));
}

function makeFolder(folder: string, given: string): void {
  try {
    mkdirSync(folder, { recursive: true });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new UsageError(`${printable(given)} cannot be made: ${reason}`);
  }
}

/** The project's own name, and where its Weir comes from. */
function writeManifest(folder: string): void {
  const path = join(folder, "package.json");
  const manifest = JSON.parse(readFileSync(path, "utf8")) as { dependencies: Record<string, string> };
  const own = JSON.parse(readFileSync(join(PROJECT, "package.json"), "utf8")) as {
    readonly name: string;
    readonly version: string;
    readonly private?: boolean;
  };
  if (own.private === true) packInto(folder);
  const from = own.private === true ? `file:${TARBALL}` : `^${own.version}`;
  const dependencies = { ...manifest.dependencies, [own.name]: from };
  writeFileSync(path, `${JSON.stringify({ ...manifest, name: nameOf(folder), dependencies }, null, 2)}\n`);
}

/** The folder's name as npm accepts one. */
function nameOf(folder: string): string {
  const name = basename(folder)
    .toLowerCase()
    .replace(/[^a-z0-9-]+/g, "-")
    .replace(/^-+|-+$/g, "");
  return name === "" ? "weir-project" : name;
}

/** Packs the Weir that runs; in a clone it is built for that. */
function packInto(folder: string): void {
  const scratch = mkdtempSync(join(folder, ".weir-pack-"));
  try {
    const args = ["pack", PROJECT, "--pack-destination", scratch, "--silent"];
    execFileSync("npm", IS_BUILT ? [...args, "--ignore-scripts"] : args, {
      cwd: folder,
      stdio: ["ignore", "ignore", "inherit"],
    });
    const [packed] = readdirSync(scratch);
    if (packed === undefined) throw new Error("npm pack made no file");
    renameSync(join(scratch, packed), join(folder, TARBALL));
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
