/** The `weir` command's entry: which command, how it ends, and one clear line for whatever goes wrong. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ApiError, checkRemote } from "./client.ts";
import { CommandError, EXIT, UsageError } from "./exit.ts";
import { type Arguments, type Flags, parseArguments } from "./flags/arguments.ts";
import { tieToOuterProcess } from "./process/outerProcess.ts";
import { PROJECT } from "./project.ts";
import { closeStdout, print, watchStdout } from "./stdout.ts";
import { helpText } from "./words/help.ts";
import { printable } from "./words/printable.ts";

type Run = (args: Arguments) => Promise<number>;

/** Each command is loaded only when it is asked for: most need neither the runtime nor the spec's schemas. */
const RUN: Readonly<Record<string, () => Promise<Run>>> = {
  run: async () => (await import("./commands/run.ts")).runCommand,
  plan: async () => (await import("./commands/plan.ts")).planCommand,
  simulate: async () => (await import("./commands/simulate.ts")).simulateCommand,
  watch: async () => (await import("./commands/watch.ts")).watchCommand,
  status: async () => (await import("./commands/status.ts")).statusCommand,
  pause: async () => (await import("./commands/steer.ts")).pauseCommand,
  resume: async () => {
    const { resumeRun } = await import("./commands/run.ts");
    return ({ words, flags }) => resumeRun(words[0] ?? "", flags, "resume");
  },
  cancel: async () => (await import("./commands/steer.ts")).cancelCommand,
  approve: async () => (await import("./commands/steer.ts")).approveCommand,
  set: async () => (await import("./commands/steer.ts")).setCommand,
  retry: async () => (await import("./commands/retry.ts")).retryCommand,
  results: async () => (await import("./commands/rows.ts")).resultsCommand,
  report: async () => (await import("./commands/report.ts")).reportCommand,
  failures: async () => (await import("./commands/rows.ts")).failuresCommand,
  "schedule add": async () => (await import("./commands/schedule.ts")).addCommand,
  "schedule list": async () => (await import("./commands/schedule.ts")).listCommand,
  "schedule show": async () => (await import("./commands/schedule.ts")).showCommand,
  "schedule set": async () => (await import("./commands/schedule.ts")).setCommand,
  "schedule pause": async () => (await import("./commands/schedule.ts")).pauseCommand,
  "schedule resume": async () => (await import("./commands/schedule.ts")).resumeCommand,
  "schedule fire": async () => (await import("./commands/schedule.ts")).fireCommand,
  "schedule remove": async () => (await import("./commands/schedule.ts")).removeCommand,
  "target set": async () => (await import("./commands/target.ts")).setCommand,
  "target list": async () => (await import("./commands/target.ts")).listCommand,
  "target show": async () => (await import("./commands/target.ts")).showCommand,
  "target remove": async () => (await import("./commands/target.ts")).removeCommand,
  delete: async () => (await import("./commands/steer.ts")).deleteCommand,
  reindex: async () => (await import("./commands/reindex.ts")).reindexCommand,
  init: async () => (await import("./commands/init.ts")).initCommand,
  dev: async () => (await import("./commands/dev.ts")).devCommand,
};

/** Runs the command and ends the process with its exit code. */
export async function main(argv: readonly string[]): Promise<void> {
  tieToOuterProcess();
  watchStdout();
  // A closed terminal, or a `tee` that has died: what was to be said is not worth a run.
  process.stderr.on("error", () => {});
  const exitCode = await run(argv).catch(explain);
  // Whatever was printed goes out first; whatever is still open does not hold the process.
  const fault = await closeStdout();
  if (fault !== null) process.stderr.write(`weir: ${fault}\n`);
  process.exit(fault === null ? exitCode : EXIT.error);
}

async function run(argv: readonly string[]): Promise<number> {
  const args = parseArguments(argv);
  refusePlace(args.flags);
  if (args.command === null || args.flags.has("help") || args.flags.has("version")) args.flags.throwRefused();
  if (args.flags.has("version")) return printText(version());
  if (args.flags.has("help")) return printText(helpText(args.command));
  if (args.command === null) {
    process.stderr.write(helpText(null));
    return EXIT.usage;
  }
  const load = RUN[args.command.name];
  if (load === undefined) throw new UsageError(`weir ${args.command.name} is not there yet`);
  return (await load())(args);
}

/** Where Weir is to be found, looked at here so that what is wrong with it is said with the rest. */
function refusePlace(flags: Flags): void {
  const remote = flags.get("remote");
  if (remote !== null) flags.noted("remote", () => checkRemote(remote));
  if (flags.get("state") === "") flags.refuse("state", "--state: needs the path of a folder");
}

function explain(error: unknown): number {
  process.stderr.write(
    sentences(error)
      .map((line) => `weir: ${line}\n`)
      .join(""),
  );
  if (error instanceof UsageError) return EXIT.usage;
  if (error instanceof CommandError) return error.exitCode;
  // Refused by what it said or by how things stand, not by a fault.
  if (error instanceof ApiError && error.status < 500) return EXIT.usage;
  return EXIT.error;
}

/** A line for each thing that is wrong. */
function sentences(error: unknown): readonly string[] {
  if (error instanceof UsageError) return error.message.split("\n");
  if (error instanceof ApiError && error.problems.length > 1)
    return error.problems.map(({ path, message }) => (path === "" ? message : `${path}: ${message}`));
  return [sentence(error)];
}

function sentence(error: unknown): string {
  if (error instanceof CommandError) return error.message;
  if (error instanceof ApiError)
    return error.path === null ? error.message : `${error.path}: ${error.message}`;
  const isDebug = (process.env.WEIR_DEBUG ?? "") !== "";
  if (!(error instanceof Error)) return printable(String(error));
  return isDebug ? (error.stack ?? error.message) : printable(`${error.name}: ${error.message}`);
}

function printText(text: string): number {
  print(text);
  return EXIT.ok;
}

function version(): string {
  const manifest = JSON.parse(readFileSync(join(PROJECT, "package.json"), "utf8"));
  return `weir ${manifest.version}\n`;
}
