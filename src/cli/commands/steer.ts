/** Commands that change a run and return at once: pause, cancel, approve, set, delete. */
import { setTimeout as sleep } from "node:timers/promises";
import { isEnded, type RunView } from "../../core/run/runView.ts";
import type { Client } from "../client.ts";
import { connect, folderOf } from "../connection.ts";
import { EXIT, UsageError } from "../exit.ts";
import type { Arguments, Flags } from "../flags/arguments.ts";
import { draftPatch } from "../flags/draft.ts";
import { COMMANDS } from "../flags/flags.ts";
import { printJson } from "../rows/output.ts";
import { forgetFiles } from "../runFiles.ts";
import { print } from "../stdout.ts";
import { statusAndWhy } from "../words/progress.ts";
import { smokeLines } from "../words/smokeRows.ts";

/** A large run is joined in less; what is not done then is done when the run's folder is used next. */
const CANCEL_WAIT_MS = 60_000;
const LOOK_MS = 200;

export function pauseCommand({ words, flags }: Arguments): Promise<number> {
  return steer(flags, "pause", (client) => client.ask("POST", `${pathOf(words)}/pause`));
}

/** Waits until the rows are joined: a runtime that was started for this command ends with it. */
export function cancelCommand({ words, flags }: Arguments): Promise<number> {
  return steer(flags, "cancel", async (client) => {
    let view: RunView = await client.ask("POST", `${pathOf(words)}/cancel`);
    const untilMs = Date.now() + CANCEL_WAIT_MS;
    while (!isEnded(view.status) && Date.now() < untilMs) {
      await sleep(LOOK_MS);
      const next = await client.ask<RunView>("GET", pathOf(words)).catch(() => null);
      // It is cancelled all the same: the process that works on it may end with it.
      if (next === null) return view;
      view = next;
    }
    return view;
  });
}

/** Opens the gate of the smoke stage. The run goes on where a process works on it, else with its next resume. */
export function approveCommand({ words, flags }: Arguments): Promise<number> {
  if (flags.has("show")) return showStage(words, flags);
  return steer(flags, "approve", (client) => client.ask("POST", `${pathOf(words)}/approve`));
}

/** The rows on which the gate is decided; nothing is changed. */
async function showStage(words: readonly string[], flags: Flags): Promise<number> {
  const connection = await connect(flags, "approve");
  try {
    const view = await connection.client.ask<RunView>("GET", pathOf(words));
    const lines = await smokeLines(connection.client, view, connection.where);
    print([statusAndWhy(view), ...lines].map((line) => `${line}\n`).join(""));
    return EXIT.ok;
  } finally {
    await connection.close();
  }
}

export async function setCommand({ words, flags }: Arguments): Promise<number> {
  const patch = draftPatch(flags);
  const settable = COMMANDS.find(({ name }) => name === "set")?.flags.map(({ name }) => `--${name}`) ?? [];
  if (patch === null)
    throw new UsageError(
      `weir set needs something to set: ${settable.slice(0, -1).join(", ")} or ${settable.at(-1)}`,
    );
  return steer(flags, "set", (client) => client.ask("PATCH", pathOf(words), { json: patch }));
}

export function deleteCommand({ words, flags }: Arguments): Promise<number> {
  return steer(flags, "delete", async (client) => {
    await client.ask("DELETE", pathOf(words));
    forgetFiles(folderOf(flags), words[0] ?? "");
    return null;
  });
}

async function steer(
  flags: Flags,
  command: string,
  change: (client: Client) => Promise<RunView | null>,
): Promise<number> {
  const connection = await connect(flags, command);
  try {
    const view = await change(connection.client);
    if (flags.has("json")) printJson(view);
    else if (view !== null) print(`${view.id}  ${statusAndWhy(view)}\n`);
    return EXIT.ok;
  } finally {
    await connection.close();
  }
}

function pathOf(words: readonly string[]): string {
  return `/v1/runs/${encodeURIComponent(words[0] ?? "")}`;
}
