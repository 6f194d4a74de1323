/** `weir target`: set, list, show, remove. */
import type { TargetView } from "../../core/target/targetView.ts";
import { ApiError, type Client } from "../client.ts";
import { isUntouched } from "../connection.ts";
import { EXIT } from "../exit.ts";
import type { Arguments } from "../flags/arguments.ts";
import { usageError } from "../flags/draft.ts";
import { draftTarget, targetFlagOf, targetName } from "../flags/targetDraft.ts";
import { printJson, say } from "../rows/output.ts";
import { targetLine, targetLines } from "../words/targetLines.ts";
import { everyPage, show, within } from "./withClient.ts";

/** Makes the target, or changes what the flags name. */
export function setCommand({ words, flags }: Arguments): Promise<number> {
  const name = targetName(words);
  const json = draftTarget(flags);
  return within(flags, "target set", true, async ({ client }) => {
    const view = await put(client, name, json);
    show(flags, view, [targetLine(view)]);
  });
}

export async function listCommand({ flags }: Arguments): Promise<number> {
  if (isUntouched(flags)) {
    if (flags.has("json")) printJson([]);
    else say("nothing was run here yet");
    return EXIT.ok;
  }
  return within(flags, "target list", false, async ({ client }) => {
    const targets = await everyPage<TargetView>(client, "targets");
    show(flags, targets, targets.length === 0 ? ["no targets"] : targets.map(targetLine));
  });
}

export function showCommand({ words, flags }: Arguments): Promise<number> {
  const name = targetName(words);
  return within(flags, "target show", false, async ({ client }) => {
    const view = await client.ask<TargetView>("GET", pathOf(name));
    show(flags, view, targetLines(view));
  });
}

export function removeCommand({ words, flags }: Arguments): Promise<number> {
  const name = targetName(words);
  return within(flags, "target remove", false, async ({ client }) => {
    await client.ask("DELETE", pathOf(name));
    show(flags, null, [`removed ${name}`]);
  });
}

/** Changes the one that is there; where there is none, the flags say all of the new one. */
async function put(
  client: Client,
  name: string,
  json: { readonly [key: string]: unknown },
): Promise<TargetView> {
  try {
    return await client.ask<TargetView>("PATCH", pathOf(name), { json }).catch((error: unknown) => {
      if (!(error instanceof ApiError) || error.status !== 404) throw error;
      return client.ask<TargetView>("PUT", pathOf(name), { json });
    });
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 400 || error.path === null) throw error;
    throw usageError(error.problems, targetFlagOf);
  }
}

function pathOf(name: string): string {
  return `/v1/targets/${encodeURIComponent(name)}`;
}
