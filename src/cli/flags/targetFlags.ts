/** The commands `weir target …` and their flags: a part of the table in `flags.ts`. */
import type { Command, Flag } from "./flags.ts";

const LIMIT_FLAGS: readonly Flag[] = [
  { name: "rate", value: "1000/s", help: "calls of all its users together; none removes the limit" },
  { name: "burst", value: "N", help: "calls at once that the outside system tolerates" },
  { name: "parallel", value: "N", help: "calls of all its runs under way at once; none removes the limit" },
  { name: "tokens", value: "60000/min", help: "tokens of all together; none removes the limit" },
  { name: "reserve", value: "10%", help: "kept for programs that are not Weir (default 0)" },
];

export const TARGET_COMMANDS: readonly Command[] = [
  {
    name: "target set",
    arguments: "NAME",
    help: "make a limit that runs share (weir run --target NAME), or change it while they go",
    flags: LIMIT_FLAGS,
    words: [1, 1],
  },
  {
    name: "target list",
    arguments: "",
    help: "all targets, with the limit in force and who shares it",
    flags: [],
    words: [0, 0],
  },
  {
    name: "target show",
    arguments: "NAME",
    help: "one target: who holds what, who waits, the limit in force and why",
    flags: [],
    words: [1, 1],
  },
  {
    name: "target remove",
    arguments: "NAME",
    help: "remove a target that no run uses",
    flags: [],
    words: [1, 1],
  },
];
