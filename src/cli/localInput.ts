/** The items that a command line names as a file here, and the source that they become. */
import { accessSync, constants, type Stats, statSync } from "node:fs";
import { basename, dirname, extname, resolve } from "node:path";
import type { Json } from "../core/spec.ts";
import { UsageError } from "./exit.ts";
import { type Flags, shown } from "./flags/arguments.ts";
import { faultOf } from "./systemFault.ts";

/** A local file (or stdin) that becomes the input `name`. */
export interface LocalInput {
  /** Null: stdin. */
  readonly file: string | null;
  readonly name: string;
  /** Items to take; null for all. */
  readonly limit: number | null;
  /** Items are CSV records below a header. */
  readonly isCsv: boolean;
}

type JsonObject = { readonly [key: string]: Json };

/**
 * The local file that the source means: `--input`, or a file of the input's name beside the spec. Null: the source
 * is something else. Throws UsageError when there is no such file.
 */
export function localInput(
  written: JsonObject | null,
  specFile: string | null,
  flags: Flags,
  limit: number | null,
): { readonly input: LocalInput; readonly source: JsonObject } | null {
  const file = fileOf(written, specFile, flags, limit);
  if (file === null) return null;
  const source = inputSource(written, file, flags);
  return { input: { ...file, isCsv: source.format === "csv" }, source };
}

function fileOf(
  source: JsonObject | null,
  specFile: string | null,
  flags: Flags,
  limit: number | null,
): Omit<LocalInput, "isCsv"> | null {
  const file = flags.get("input");
  if (file === null) {
    if (source?.kind !== "input" || typeof source.name !== "string" || specFile === null) return null;
    const beside = resolve(dirname(specFile), source.name);
    const isThere = statSync(beside, { throwIfNoEntry: false })?.isFile() === true;
    if (isThere) return { file: beside, name: source.name, limit };
    if (limit !== null) flags.refuse("limit", "--limit needs the items as a file here: give --input FILE");
    return null;
  }
  if (file === "-") return { file: null, name: "stdin", limit };
  const stat = readableStat(file);
  if (stat === undefined) throw new UsageError(`--input: there is no file ${shown(file)}`);
  if (stat.isDirectory()) throw new UsageError(`--input: ${shown(file)} is a folder, not a file of items`);
  if (stat.isFile() && stat.size === 0) throw new UsageError(`--input: ${shown(file)} is empty`);
  return { file, name: inputName(basename(file)), limit };
}

/** Undefined: there is no such file. Throws UsageError for one that this user cannot read. */
function readableStat(file: string): Stats | undefined {
  try {
    const stat = statSync(file, { throwIfNoEntry: false });
    if (stat !== undefined) accessSync(file, constants.R_OK);
    return stat;
  } catch (error) {
    throw new UsageError(`--input: ${shown(file)} cannot be read: ${faultOf(error)}`);
  }
}

/** A name that the API takes: what it does not take becomes a dash. */
function inputName(name: string): string {
  const cleaned = name.replace(/[^A-Za-z0-9._-]/g, "-").replace(/^[^A-Za-z0-9]+/, "");
  return cleaned.slice(0, 128) || "input";
}

function inputSource(
  source: JsonObject | null,
  input: Omit<LocalInput, "isCsv">,
  flags: Flags,
): JsonObject & { readonly format: Json } {
  const before = source?.kind === "input" ? source : null;
  const extension = extensionOf(input.file ?? "");
  const format = flags.get("format") ?? before?.format ?? formatOf(extension);
  const delimiter = flags.get("delimiter") ?? before?.delimiter ?? (extension === ".tsv" ? "\t" : undefined);
  return {
    ...before,
    kind: "input",
    name: input.name,
    format,
    ...(delimiter === undefined ? {} : { delimiter }),
  };
}

function formatOf(extension: string): "lines" | "jsonl" | "csv" {
  if (extension === ".csv" || extension === ".tsv") return "csv";
  return extension === ".jsonl" || extension === ".ndjson" ? "jsonl" : "lines";
}

/** Of "orders.CSV.gz" it is ".csv". */
function extensionOf(file: string): string {
  return extname(file.replace(/\.gz$/i, "")).toLowerCase();
}
