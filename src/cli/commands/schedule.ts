/** `weir schedule`: add, list, show, set, pause, resume, fire, remove. None of them waits for a run. */
import { randomUUID } from "node:crypto";
import type { FireView, ScheduleView } from "../../core/schedule/scheduleView.ts";
import { isUntouched } from "../connection.ts";
import { EXIT, UsageError } from "../exit.ts";
import type { Arguments } from "../flags/arguments.ts";
import { askAboutSchedule, draftRules, draftScheduledSpec, instantFlag } from "../flags/scheduleDraft.ts";
import { printJson, say } from "../rows/output.ts";
import { uploadInput } from "../upload.ts";
import { printable } from "../words/printable.ts";
import { fireLine, listLine, scheduleLines } from "../words/scheduleLines.ts";
import { everyPage, show, within } from "./withClient.ts";

const HISTORY_SHOWN = 10;

export async function addCommand({ words, flags }: Arguments): Promise<number> {
  const rules = draftRules(flags);
  if (rules.cron === undefined)
    flags.refuse("cron", "--cron is missing: minute hour day-of-month month day-of-week, as in '30 2 * * *'");
  const draft = draftScheduledSpec(words, flags);
  return within(flags, "schedule add", true, async (connection) => {
    const { client } = connection;
    if (draft.input !== null) await uploadInput(client, draft.input);
    const json = { ...rules, spec: draft.spec };
    const headers = { "idempotency-key": randomUUID() };
    const view = await askAboutSchedule(draft, () =>
      client.ask<ScheduleView>("POST", "/v1/schedules", { json, headers }),
    );
    if (view.why.startsWith("fires only"))
      say("nothing fires it yet: an embedded schedule fires only while weir dev runs on its state folder");
    show(flags, view, [listLine(view)]);
  });
}

export async function listCommand({ flags }: Arguments): Promise<number> {
  if (isUntouched(flags)) {
    if (flags.has("json")) printJson([]);
    else say("nothing was run here yet");
    return EXIT.ok;
  }
  return within(flags, "schedule list", false, async ({ client }) => {
    const schedules = await everyPage<ScheduleView>(client, "schedules");
    show(flags, schedules, schedules.length === 0 ? ["no schedules"] : schedules.map(listLine));
  });
}

export function showCommand({ words, flags }: Arguments): Promise<number> {
  return within(flags, "schedule show", false, async ({ client }) => {
    const view = await client.ask<ScheduleView>("GET", pathOf(words));
    const query = { limit: HISTORY_SHOWN };
    const { runs } = await client.ask<{ runs: readonly FireView[] }>("GET", `${pathOf(words)}/runs`, {
      query,
    });
    show(flags, { ...view, runs }, [...scheduleLines(view), ...runs.map((fire) => `  ${fireLine(fire)}`)]);
  });
}

export async function setCommand({ words, flags }: Arguments): Promise<number> {
  const rules = draftRules(flags);
  const file = flags.get("spec");
  const draft = file === null ? null : draftScheduledSpec([file], flags);
  const json = { ...rules, ...(draft === null ? {} : { spec: draft.spec }) };
  flags.throwRefused();
  if (Object.keys(json).length === 0)
    throw new UsageError("weir schedule set needs something to set: --cron, --zone, --overlap, --spec, …");
  return within(flags, "schedule set", false, async ({ client }) => {
    if (draft !== null && draft.input !== null) await uploadInput(client, draft.input);
    const view = await askAboutSchedule(draft, () =>
      client.ask<ScheduleView>("PATCH", pathOf(words), { json }),
    );
    show(flags, view, [listLine(view)]);
  });
}

export function pauseCommand(args: Arguments): Promise<number> {
  return control(args, "pause");
}

export function resumeCommand(args: Arguments): Promise<number> {
  return control(args, "resume");
}

/** A fire whose run cannot be made is refused: its sentence says why. */
export async function fireCommand({ words, flags }: Arguments): Promise<number> {
  const at = instantFlag(flags, "at");
  let exitCode: number = EXIT.ok;
  await within(flags, "schedule fire", false, async ({ client }) => {
    const json = at === undefined ? {} : { at };
    const fire = await client.ask<FireView>("POST", `${pathOf(words)}/fire`, { json });
    show(flags, fire, [fireLine(fire)]);
    if (fire.outcome === "refused") exitCode = EXIT.usage;
  });
  return exitCode;
}

export function removeCommand({ words, flags }: Arguments): Promise<number> {
  return within(flags, "schedule remove", false, async ({ client }) => {
    await client.ask("DELETE", pathOf(words));
    show(flags, null, [`removed ${printable(words[0] ?? "")}`]);
  });
}

function control({ words, flags }: Arguments, action: "pause" | "resume"): Promise<number> {
  return within(flags, `schedule ${action}`, false, async ({ client }) => {
    const view = await client.ask<ScheduleView>("POST", `${pathOf(words)}/${action}`);
    show(flags, view, [listLine(view)]);
  });
}

function pathOf(words: readonly string[]): string {
  return `/v1/schedules/${encodeURIComponent(words[0] ?? "")}`;
}
