/** The flags there are: one table that parsing, help and error messages are made from. */
import { scheduleCommands } from "./scheduleFlags.ts";
import { TARGET_COMMANDS } from "./targetFlags.ts";

export interface Flag {
  readonly name: string;
  /** What stands for the value in help; null for a flag without one. */
  readonly value: string | null;
  readonly help: string;
  /** May be given more than once. */
  readonly repeats?: true;
  /** The value may be left out (`--resume`); it is taken only where this fits. */
  readonly optional?: RegExp;
}

/** What a run's id looks like: tells `--resume RUN` from `--resume spec.json`. */
export const RUN_ID = /^r_[a-z0-9]+$/;

export const GLOBAL_FLAGS: readonly Flag[] = [
  { name: "state", value: "DIR", help: "where an embedded Weir keeps everything (default .weir)" },
  { name: "remote", value: "URL", help: "a deployed Weir instead, with WEIR_TOKEN as its token" },
  { name: "token", value: "TOKEN", help: "instead of WEIR_TOKEN (other users of this machine can see it)" },
  { name: "json", value: null, help: "JSON on stdout, and nothing else there" },
  { name: "help", value: null, help: "this text; after a command, that command's" },
  { name: "version", value: null, help: "Weir's version" },
];

/** What makes an http task, or changes the one of a spec or of the run that is retried. */
const TASK_FLAGS: readonly Flag[] = [
  { name: "url", value: "URL", help: "with {{item}} or {{item.field}} where the item goes" },
  { name: "method", value: "METHOD", help: "default GET, with --data POST" },
  {
    name: "header",
    value: "'k: v'",
    help: "may hold {{item}} and {{secret:NAME}} (the variable WEIR_SECRET_NAME)",
    repeats: true,
  },
  { name: "data", value: "TEXT", help: "the body; JSON is expanded inside its strings" },
  { name: "timeout", value: "30s", help: "for one call, headers and body (default 30s)" },
  {
    name: "expect",
    value: "2xx,404",
    help: "statuses that mean success (default 2xx)",
    repeats: true,
  },
  {
    name: "value",
    value: "auto|json|text|base64|none",
    help: "what of the answer the row keeps (default auto)",
  },
  { name: "batch", value: "N", help: "items that one call carries, as {{items}}" },
];

/** What a run may cost: of a new one, and of one that goes on. */
const COST_FLAGS: readonly Flag[] = [
  { name: "tokens", value: "60000/min", help: "the quota of tokens, for tasks that count them (llm)" },
  { name: "budget-tokens", value: "N", help: "pause before the run uses more tokens" },
  { name: "budget-calls", value: "N", help: "pause before it makes more calls" },
  { name: "budget-dollars", value: "X", help: "pause before it costs more (needs task.price)" },
];

/** When calls may leave, how they begin, and by when all is to be done: of a new run, and of one that goes on. */
const WHEN_FLAGS: readonly Flag[] = [
  { name: "window", value: "22:00-06:00", help: "calls leave only in these hours; none: at any time" },
  { name: "time-zone", value: "Europe/Berlin", help: "the zone of --window and --days (default UTC)" },
  { name: "days", value: "mon-fri,sun", help: "days on which the window opens (default all)" },
  {
    name: "ramp",
    value: "50%",
    help: "begin with half of rate and lanes, and add 10 % after every 30 s without trouble; none: at once",
    optional: /^(\d.*%|none)$/,
  },
  {
    name: "deadline",
    value: "6h",
    help: "duration or instant: whether it is done by then; none: no deadline",
  },
];

const TOLERATE_FLAG: Flag = {
  name: "tolerate",
  value: "20%",
  help: "pause when more of the items fail; off: never (default 50%, of a retry off)",
};

const WAIT_FLAG: Flag = {
  name: "max-retry-after",
  value: "10m",
  help: "the longest Retry-After that is heeded before asking again (default 1h)",
};

/** What makes a spec, or changes the one in a file. */
export const SPEC_FLAGS: readonly Flag[] = [
  { name: "input", value: "FILE", help: "items, one a line or CSV, plain or gzip; - reads stdin" },
  {
    name: "format",
    value: "lines|jsonl|csv",
    help: "how items are read (default: by extension .jsonl, .ndjson, .csv, .tsv, else lines)",
  },
  { name: "delimiter", value: "','", help: "between the fields of CSV (default: comma; a tab for .tsv)" },
  { name: "limit", value: "N", help: "only the first N items" },
  ...TASK_FLAGS,
  { name: "rate", value: "1000/s", help: "the quota: a number with /s, /min or /h (default: none)" },
  { name: "burst", value: "N", help: "calls at once that the target tolerates" },
  { name: "per-host", value: "1/s", help: "the quota of each host, on top of --rate" },
  {
    name: "target",
    value: "NAME",
    help: "share the limits of this target (weir target set); --rate is its own",
  },
  { name: "weight", value: "N", help: "of twice the weight is twice the share of --target (default 1)" },
  { name: "parallel", value: "N", help: "lanes: calls at once (default 10)" },
  { name: "chunk", value: "N", help: "items a lane takes at once (default 1000)" },
  ...COST_FLAGS,
  ...WHEN_FLAGS,
  { name: "max-attempts", value: "N", help: "tries of an item that were not throttled (default 5)" },
  WAIT_FLAG,
  TOLERATE_FLAG,
  { name: "smoke", value: "N", help: "the first N items go alone, then you are shown their rows and asked" },
  { name: "name", value: "TEXT", help: "a name for the run" },
];

export const OUT_FLAG: Flag = {
  name: "out",
  value: "FILE",
  help: "where the rows go: FILE.partial while it runs, renamed when complete; - is stdout; resume and retry keep it",
};
const ROWS_OUT_FLAG: Flag = {
  name: "out",
  value: "FILE",
  help: "a file for the rows: FILE.partial, renamed when complete; - is stdout",
};
const DETACH_FLAG: Flag = {
  name: "detach",
  value: null,
  help: "with --remote or weir dev: start it and return; weir results writes its rows later",
};

export interface Command {
  /** One word, or two: a group and what to do in it. */
  readonly name: string;
  readonly arguments: string;
  readonly help: string;
  readonly flags: readonly Flag[];
  /** How many words besides flags it takes. */
  readonly words: readonly [least: number, most: number];
}

export const COMMANDS: readonly Command[] = [
  {
    name: "run",
    arguments: "[SPEC.json]",
    help: "start a run and follow it to its end",
    flags: [
      ...SPEC_FLAGS,
      OUT_FLAG,
      {
        name: "resume",
        value: "RUN",
        help: "go on with a run; without RUN with the newest unfinished one",
        optional: RUN_ID,
      },
      DETACH_FLAG,
    ],
    words: [0, 1],
  },
  {
    name: "plan",
    arguments: "[SPEC.json]",
    help: "what a run would do, how long it would take, and its first request; starts nothing",
    flags: [
      ...SPEC_FLAGS,
      { name: "latency", value: "200ms", help: "how long a call takes, for the estimate (default 200ms)" },
    ],
    words: [0, 1],
  },
  {
    name: "simulate",
    arguments: "[SPEC.json]",
    help: "play a run against a described target: finish, rate, 429s, cost; calls nothing",
    flags: [
      ...SPEC_FLAGS,
      {
        name: "items",
        value: "N",
        help: "how many items, where the source is not at hand; needs no --input",
      },
      { name: "target-rate", value: "1000/s", help: "what the target truly allows (default: the quota)" },
      { name: "target-burst", value: "N", help: "calls at once that it truly tolerates (default 100)" },
      { name: "latency", value: "200ms", help: "its mean time to answer (default 200ms)" },
      { name: "errors", value: "1%", help: "share of calls that end in a 500" },
      { name: "missing", value: "1%", help: "share of items that it answers with 404" },
      { name: "outage", value: "5m+10s", help: "down after 5 minutes, for 10 seconds", repeats: true },
      { name: "seed", value: "N", help: "another course of chance (default 0)" },
    ],
    words: [0, 1],
  },
  {
    name: "watch",
    arguments: "[RUN]",
    help: "follow a run that goes on elsewhere; Ctrl-C leaves it alone",
    flags: [],
    words: [0, 1],
  },
  {
    name: "status",
    arguments: "[RUN]",
    help: "one run, or all of them, newest first",
    flags: [],
    words: [0, 1],
  },
  {
    name: "pause",
    arguments: "RUN",
    help: "no new call; what is under way is committed",
    flags: [],
    words: [1, 1],
  },
  {
    name: "resume",
    arguments: "RUN",
    help: "go on with a paused, stopped or failed run and follow it",
    flags: [OUT_FLAG, DETACH_FLAG],
    words: [1, 1],
  },
  { name: "cancel", arguments: "RUN", help: "end a run; its rows are kept", flags: [], words: [1, 1] },
  {
    name: "approve",
    arguments: "RUN",
    help: "open the gate of a run's smoke stage",
    flags: [{ name: "show", value: null, help: "the rows of the stage, and leave the gate shut" }],
    words: [1, 1],
  },
  {
    name: "set",
    arguments: "RUN",
    help: "change the limits of a run while it goes",
    flags: [
      { name: "rate", value: "500/s", help: "the quota of requests; none removes it" },
      { name: "burst", value: "N", help: "calls at once that the target tolerates" },
      { name: "per-host", value: "1/s", help: "the quota of each host; none removes it" },
      { name: "weight", value: "N", help: "its part of the target that it shares" },
      ...COST_FLAGS,
      { name: "parallel", value: "N", help: "lanes: calls at once" },
      ...WHEN_FLAGS,
      WAIT_FLAG,
      TOLERATE_FLAG,
      { name: "min-interval", value: "100ms", help: "least time between the starts of two items of a lane" },
      { name: "jitter", value: "50ms", help: "random part added to it" },
    ],
    words: [1, 1],
  },
  {
    name: "retry",
    arguments: "RUN",
    help: "run what is still failed once more, as a new run",
    flags: [
      { name: "kind", value: "KIND", help: "only failures of this kind (http, timeout, …)", repeats: true },
      ...TASK_FLAGS,
      TOLERATE_FLAG,
      OUT_FLAG,
      DETACH_FLAG,
    ],
    words: [1, 1],
  },
  {
    name: "results",
    arguments: "RUN",
    help: "the rows so far, one a line",
    flags: [
      { name: "only", value: "ok|failed", help: "only these rows" },
      { name: "follow", value: null, help: "go on until the run ends, in the order of commits" },
      { name: "merged", value: null, help: "with its retries: of every item the newest row, in item order" },
      ROWS_OUT_FLAG,
    ],
    words: [1, 1],
  },
  {
    name: "report",
    arguments: "RUN",
    help: "what the spec's reduce makes of the rows so far",
    flags: [{ name: "merged", value: null, help: "with its retries: of every item the newest row" }],
    words: [1, 1],
  },
  {
    name: "failures",
    arguments: "RUN",
    help: "the rows that are still failed, one a line",
    flags: [
      { name: "summary", value: null, help: "grouped by kind and message" },
      { name: "kind", value: "KIND", help: "only failures of this kind (http, timeout, …)", repeats: true },
      { name: "own", value: null, help: "this run's rows, whatever became of them in a retry" },
      ROWS_OUT_FLAG,
    ],
    words: [1, 1],
  },
  {
    name: "delete",
    arguments: "RUN",
    help: "delete an ended run with all it holds",
    flags: [],
    words: [1, 1],
  },
  ...scheduleCommands(SPEC_FLAGS),
  ...TARGET_COMMANDS,
  {
    name: "reindex",
    arguments: "",
    help: "rebuild the database (list of runs, failures) from the rows that are stored",
    flags: [],
    words: [0, 0],
  },
  {
    name: "init",
    arguments: "[DIR]",
    help: "make a small project with tasks of its own; overwrites nothing",
    flags: [],
    words: [0, 1],
  },
  {
    name: "dev",
    arguments: "",
    help: "keep Weir running here, with its API",
    flags: [{ name: "port", value: "N", help: "default 8787; 0 takes a free one" }],
    words: [0, 0],
  },
];
