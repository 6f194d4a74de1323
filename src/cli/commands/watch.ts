/**
 * `weir watch`: a run's progress to its end, for as many terminals as one likes. It looks and does nothing: Ctrl-C
 * leaves, and the run goes on. Where no process works on the run there is nothing to watch, and it says so.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { isEnded, type RunView } from "../../core/run/runView.ts";
import { type Connection, connect } from "../connection.ts";
import { EXIT, exitCodeOf, UsageError } from "../exit.ts";
import type { Arguments } from "../flags/arguments.ts";
import type { Ending } from "../follow.ts";
import { newestRuns } from "../newestRun.ts";
import { printJson, say, wantsColour } from "../rows/output.ts";
import { endingLines } from "../words/endingLines.ts";
import { createProgress, type Progress } from "../words/progress.ts";

const ASK_MS = 500;
const ASK_REMOTE_MS = 1000;
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
/** What `why` says where nobody works on a run. */
const IDLE = /\bweir run --resume \S+ goes on$/;

export async function watchCommand({ words, flags }: Arguments): Promise<number> {
  const progress = createProgress(process.stderr, { colour: wantsColour(process.stderr) });
  for (const signal of SIGNALS) {
    process.on(signal, () => {
      progress.clear();
      process.exit(EXIT.left);
    });
  }
  const connection = await connect(flags, "watch");
  try {
    const run = words[0] ?? (await runToWatch(connection));
    say(run);
    const ending = await watch(connection, run, progress);
    for (const line of endingLines(ending, { kind: "not-wanted" }, connection.where)) say(line);
    if (flags.has("json")) printJson(ending.view);
    return ending.kind === "waits" ? EXIT.waits : exitCodeOf(ending.view);
  } finally {
    await connection.close();
  }
}

async function watch(connection: Connection, run: string, progress: Progress): Promise<Ending> {
  const path = `/v1/runs/${encodeURIComponent(run)}`;
  try {
    for (;;) {
      const view = await connection.client.ask<RunView>("GET", path);
      progress.show(view, Date.now());
      if (isEnded(view.status)) return { kind: "ended", view };
      if (connection.kind === "own" || IDLE.test(view.why))
        return { kind: "waits", view, interrupted: false };
      await sleep(connection.kind === "remote" ? ASK_REMOTE_MS : ASK_MS);
    }
  } finally {
    progress.clear();
  }
}

/** The newest that has not ended, else the newest. */
async function runToWatch({ client }: Connection): Promise<string> {
  const { unfinished, newest } = await newestRuns(client);
  const run = unfinished ?? newest;
  if (run === null) throw new UsageError("there is no run to watch: nothing was run here");
  return run.id;
}
