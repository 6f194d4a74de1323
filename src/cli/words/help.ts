/** What `weir --help` prints. */
import { COMMANDS, type Command, type Flag, GLOBAL_FLAGS } from "../flags/flags.ts";
import { PROJECT } from "../project.ts";

/** The text for a command, or the overview. */
export function helpText(command: Command | null): string {
  return command === null ? overview() : commandHelp(command);
}

function overview(): string {
  const usage = (command: Command) => [`${command.name} ${command.arguments}`.trim(), command.help] as const;
  return `weir: a million calls against a system that only allows so many per second

  weir run --input ids.txt --url 'https://api.example.com/v1/users/{{item}}' \\
           --rate 1000/s --parallel 500 --out results.jsonl

Commands (weir COMMAND --help shows the flags of one)
${table(COMMANDS.map(usage))}

Flags of every command
${table(GLOBAL_FLAGS.map(flagUsage))}

Documents: README.md and docs/README.md (their index) in ${PROJECT}

Without --remote everything runs on this machine, in Weir's own runtime, with its state in .weir/.
Exit codes: 0 all ok · 1 something else · 2 usage, or refused · 3 completed with failures
            4 failed or cancelled · 5 it waits (paused by Ctrl-C, by itself or for its budget, or for approval)
            6 all ok, and the deadline was missed
            130 left by Ctrl-C (weir watch, or while the input is sent)
`;
}

function commandHelp(command: Command): string {
  const own = command.flags.length === 0 ? "" : `\nFlags\n${table(command.flags.map(flagUsage))}\n`;
  return `weir ${command.name} ${command.arguments}
  ${command.help}
${NOTES[command.name] ?? ""}${own}
Flags of every command
${table(GLOBAL_FLAGS.map(flagUsage))}
`;
}

const NOTES: Readonly<Record<string, string>> = {
  run: `
  The run is described by flags, or by SPEC.json, or by both: flags replace values of the file. Every key of SPEC.json
  is in docs/spec.md; every mistake in flags or file is reported at once, and nothing is started.
  A source {"kind": "input", "name": "ids.txt"} in SPEC.json means the file beside SPEC.json, where there is one.
  Ctrl-C pauses: no new call, what is under way is committed. A second one ends at once.
  After a crash the same command with --resume goes on where it was.
`,
  status: `
  What the line "why" means, and what to do about it: docs/why.md
`,
  approve: `
  weir approve RUN --show prints the rows of the stage and opens nothing.
  A run whose smoke stage waits at its gate goes on where a process works on it (weir dev, --remote, a weir run that
  asks on its terminal); else with: weir run --resume RUN
`,
  dev: `
  Runs that are started while it lives are worked on by it; older ones only when resumed (weir resume RUN). It prints
  what becomes of them. Its token is WEIR_TOKEN where that is set, else a new one; both are for this machine alone.
`,
  watch: `
  Without RUN the newest unfinished run, or the newest. Ends with the run, and with its exit code.
`,
  retry: `
  Without --out the file that RUN was given is brought up to date: one row for every item, the newest.
  The new run takes what no earlier retry has settled. Flags like --url and --header change the task for it alone.
  weir results RUN --merged then gives one row for every item of RUN: the newest.
`,
  "schedule add": `
  The spec is described as for weir run: by flags, by SPEC.json, or by both. {{scheduledAt}} in any of its strings is
  the instant that fired, {{watermark}} the instant of the last run that completed. Embedded, a schedule fires only
  while weir dev runs; deployed it always does. Its input is read anew by every run.
`,
  "schedule fire": `
  Prints the outcome: a run, or a place in the queue, or nothing because of --overlap. The same --at twice is one run.
`,
  reindex: `
  For a database that was lost, emptied or damaged (a damaged file is set aside in the state folder). Nothing is
  called, rows are not touched, and it may be broken off and repeated at any time, also while runs go on.
`,
  resume: `
  Same as weir run --resume RUN, except that a run which another weir run waits for goes on there.
`,
};

function flagUsage(flag: Flag): readonly [string, string] {
  const value =
    flag.value === null ? "" : flag.optional === undefined ? ` ${flag.value}` : ` [${flag.value}]`;
  return [`--${flag.name}${value}`, flag.help];
}

function table(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`).join("\n");
}
