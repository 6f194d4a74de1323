/** The commands `weir schedule …` and their flags: a part of the table in `flags.ts`. */
import type { Command, Flag } from "./flags.ts";

const RULE_FLAGS: readonly Flag[] = [
  { name: "cron", value: "'30 2 * * *'", help: "minute hour day-of-month month day-of-week" },
  { name: "zone", value: "Europe/Berlin", help: "the time zone of --cron (default UTC)" },
  {
    name: "overlap",
    value: "skip|queue-one|cancel-running|allow",
    help: "when it fires while a run of it has not ended (default skip)",
  },
  {
    name: "catch-up",
    value: "1h",
    help: "fires missed no longer ago than this are made up for (default 1h)",
  },
  { name: "pause-after", value: "N", help: "failed runs in a row that pause it; 0 never (default 3)" },
  {
    name: "advance-with-failures",
    value: "yes|no",
    help: "the watermark advances also with failed rows (default no)",
  },
  { name: "watermark", value: "2026-01-01T00:00Z", help: "what {{watermark}} stands for in the next run" },
  { name: "name", value: "TEXT", help: "a name" },
];

/** `specFlags`: what makes a spec. */
export function scheduleCommands(specFlags: readonly Flag[]): readonly Command[] {
  const ownSpecFlags = specFlags.filter((flag) => flag.name !== "name");
  const one = (action: string, help: string): Command => ({
    name: `schedule ${action}`,
    arguments: "ID",
    help,
    flags: [],
    words: [1, 1],
  });
  return [
    {
      name: "schedule add",
      arguments: "[SPEC.json]",
      help: "run a spec, with {{scheduledAt}} and {{watermark}} in it, by the clock",
      flags: [...RULE_FLAGS, ...ownSpecFlags],
      words: [0, 1],
    },
    { name: "schedule list", arguments: "", help: "all schedules, newest first", flags: [], words: [0, 0] },
    one("show", "one schedule, its next instants and what came of the last ones"),
    {
      name: "schedule set",
      arguments: "ID",
      help: "change a schedule",
      flags: [...RULE_FLAGS, { name: "spec", value: "SPEC.json", help: "the spec of its next runs" }],
      words: [1, 1],
    },
    one("pause", "nothing fires by itself any more; its runs go on"),
    one("resume", "fire again, from the next instant on"),
    {
      name: "schedule fire",
      arguments: "ID",
      help: "fire now, in a weir dev or with --remote",
      flags: [{ name: "at", value: "2026-01-01T00:00Z", help: "the instant its run is given (default now)" }],
      words: [1, 1],
    },
    one("remove", "delete a schedule and its history; its runs stay"),
  ];
}
