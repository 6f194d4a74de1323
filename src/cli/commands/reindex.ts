/** `weir reindex`: the database made anew from the rows that are stored. Calls no target. */

import { connect } from "../connection.ts";
import { EXIT } from "../exit.ts";
import type { Arguments } from "../flags/arguments.ts";
import { printJson, say } from "../rows/output.ts";
import { print } from "../stdout.ts";
import { count } from "../words/printable.ts";

interface Counts {
  readonly schedules: number;
  readonly runs: number;
  readonly parts: number;
  readonly failures: number;
}

/** Asks until there is nothing left to do. */
export async function reindexCommand({ flags }: Arguments): Promise<number> {
  const connection = await connect(flags, "reindex");
  try {
    let total: Counts = { schedules: 0, runs: 0, parts: 0, failures: 0 };
    for (let cursor: string | undefined; ; ) {
      const step: Counts & { cursor: string | null } = await connection.client.ask("POST", "/v1/reindex", {
        query: { cursor },
      });
      total = {
        schedules: total.schedules + step.schedules,
        runs: total.runs + step.runs,
        parts: total.parts + step.parts,
        failures: total.failures + step.failures,
      };
      if (step.cursor === null) break;
      cursor = step.cursor;
      say(`so far ${sentence(total)}`);
    }
    if (flags.has("json")) printJson(total);
    else print(`${sentence(total)}\n`);
    return EXIT.ok;
  } finally {
    await connection.close();
  }
}

function sentence({ schedules, runs, parts, failures }: Counts): string {
  const also = schedules === 0 ? "" : `, and ${counted(schedules, "schedule")}`;
  return `${counted(runs, "run")} with ${counted(failures, "failed row")}, from ${counted(parts, "part")}${also}`;
}

function counted(n: number, noun: string): string {
  return `${count(n)} ${noun}${n === 1 ? "" : "s"}`;
}
