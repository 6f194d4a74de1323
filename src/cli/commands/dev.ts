/**
 * `weir dev`: Weir stays here, with its API and its pages, and works on what is started in it.
 *
 * Ctrl-C pauses the runs it works on, so that nothing is called twice; a second one ends at once.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { isEnded, type RunView } from "../../core/run/runView.ts";
import type { ScheduleView } from "../../core/schedule/scheduleView.ts";
import { ApiError, type Client } from "../client.ts";
import { type Connection, connectDev } from "../connection.ts";
import { CommandError, EXIT } from "../exit.ts";
import type { Arguments } from "../flags/arguments.ts";
import { drainMs } from "../follow.ts";
import { takeInterrupts } from "../process/interrupts.ts";
import { say } from "../rows/output.ts";
import { print } from "../stdout.ts";
import { RunNews } from "../words/runNews.ts";
import { listLine } from "../words/scheduleLines.ts";
import { everyPage } from "./withClient.ts";

const DEFAULT_PORT = 8787;
const LOOK_MS = 250;
const LOOKS_PER_NEWS = 4;
/** Each that has not ended costs a call to its object. */
const RUNS_WATCHED = 50;
const SCHEDULES_SAID = 20;

export async function devCommand({ flags }: Arguments): Promise<number> {
  const port = flags.wholeNumber("port", { least: 0, most: 65_535 }) ?? DEFAULT_PORT;
  const connection = await connectDev(flags, port);
  try {
    const interrupts = takeInterrupts();
    print(`${connection.client.address}/#token=${connection.token}\n`);
    connection.listen(say);
    say("weir dev: ready; commands in other terminals reach it. Ctrl-C ends it.");
    const shown = connection.token === process.env.WEIR_TOKEN ? "$WEIR_TOKEN" : connection.token;
    say(`REST: curl -H "authorization: Bearer ${shown}" ${connection.client.address}/v1/runs`);
    await saySchedules(connection.client);
    const lost = await untilInterrupted(connection, interrupts.listen, newsOf(connection.client));
    if (lost !== null) throw new CommandError(lost);
    await pauseRuns(connection);
    return EXIT.ok;
  } finally {
    await connection.close();
  }
}

/** What fires while this process lives. */
async function saySchedules(client: Client): Promise<void> {
  const schedules = await everyPage<ScheduleView>(client, "schedules");
  for (const view of schedules.slice(0, SCHEDULES_SAID)) say(`drives schedule ${listLine(view)}`);
  if (schedules.length > SCHEDULES_SAID)
    say(`and ${schedules.length - SCHEDULES_SAID} more: weir schedule list`);
}

/** Says what became of the newest runs since it was last called; a moment in which nobody answers is passed over. */
function newsOf(client: Client): () => Promise<void> {
  const news = new RunNews();
  const query = { limit: RUNS_WATCHED };
  return async () => {
    const page = await client
      .ask<{ runs: readonly RunView[] }>("GET", "/v1/runs", { query })
      .catch(() => null);
    if (page !== null) for (const line of news.lines(page.runs)) say(line);
  };
}

/** Null after Ctrl-C; else why Weir is gone. `look` is called every second. */
async function untilInterrupted(
  connection: Connection,
  listen: (press: (times: number) => void) => void,
  look: () => Promise<void>,
): Promise<string | null> {
  let isInterrupted = false;
  listen((times) => {
    if (times > 1) process.exit(EXIT.waits);
    isInterrupted = true;
  });
  for (let times = 0; !isInterrupted; times++) {
    const lost = connection.lost();
    if (lost !== null) return lost;
    if (times % LOOKS_PER_NEWS === 0) await look();
    await sleep(LOOK_MS);
  }
  return null;
}

/** Pauses what is being worked on and waits until its lanes have committed. */
async function pauseRuns(connection: Connection): Promise<void> {
  const { client } = connection;
  const paused: RunView[] = [];
  for (const run of await unfinished(client)) {
    // Not driven here, finishing, or just ended: nothing to pause.
    if (run.status === "paused" || (run.lanes.live === 0 && run.status !== "planning")) continue;
    const isPaused = await client.ask("POST", `/v1/runs/${run.id}/pause`).then(() => true, isConflict);
    if (isPaused) paused.push(run);
  }
  const startedMs = Date.now();
  for (const run of paused) {
    const { id } = run;
    say(`paused ${id}; go on with: weir run --resume ${id}${connection.where}`);
    const isLate = () => Date.now() - startedMs > drainMs(run);
    while (!isLate() && (await client.ask<RunView>("GET", `/v1/runs/${id}`)).lanes.live > 0) {
      await sleep(LOOK_MS);
    }
  }
}

async function unfinished(client: Client): Promise<readonly RunView[]> {
  const { runs } = await client.ask<{ runs: readonly RunView[] }>("GET", "/v1/runs", {
    query: { limit: 100 },
  });
  return runs.filter((run) => !isEnded(run.status));
}

function isConflict(error: unknown): false {
  if (error instanceof ApiError && error.status === 409) return false;
  throw error;
}
