/** `weir retry`: what is still failed of a run, once more, as a run of its own. */
import type { RunView } from "../../core/run/runView.ts";
import { ApiError } from "../client.ts";
import { connectToDrive, folderOf } from "../connection.ts";
import { driveRun } from "../drive.ts";
import { tolerateFlag } from "../flags/answerFlags.ts";
import type { Arguments } from "../flags/arguments.ts";
import { draftTaskChange, usageError } from "../flags/draft.ts";
import { fieldName } from "../flags/fieldName.ts";
import { takeInterrupts } from "../process/interrupts.ts";
import { outOfRetry, recallFiles, rememberFiles } from "../runFiles.ts";

export async function retryCommand({ words, flags }: Arguments): Promise<number> {
  const [parent = ""] = words;
  const folder = folderOf(flags);
  const out = flags.noted("out", () => outOfRetry(flags, folder, parent));
  const kinds = flags.all("kind").flatMap((text) => text.split(","));
  const task = draftTaskChange(flags);
  const failureRate = tolerateFlag(flags);
  flags.throwRefused();
  const json = {
    ...(kinds.length === 0 ? {} : { kinds }),
    ...(task === null ? {} : { task }),
    ...(failureRate === undefined ? {} : { tolerate: { failureRate } }),
  };
  const connection = await connectToDrive(flags, "retry", null);
  try {
    const interrupts = takeInterrupts();
    const path = `/v1/runs/${encodeURIComponent(parent)}/retry`;
    const view = await connection.client.ask<RunView>("POST", path, { json }).catch((error: unknown) => {
      if (!(error instanceof ApiError) || error.status !== 400 || error.path === null) throw error;
      const nameOf = (path: string) => (path.startsWith("kinds") ? "--kind" : fieldName(path, flags, null));
      throw usageError(error.problems, nameOf);
    });
    rememberFiles(folder, view.id, { reads: recallFiles(folder, parent).reads });
    const isDetached = flags.has("detach");
    return await driveRun(connection, view, { flags, interrupts, isDetached, folder, out });
  } finally {
    await connection.close();
  }
}
