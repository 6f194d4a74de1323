/** The limits that the flags of `weir target set` ask for, as the API takes them; complaints go by the flag's name. */

import { TARGET_NAME, TARGET_NAME_RULE } from "../../core/target/targetSettings.ts";
import { complaintOf, problemsOf } from "../../schema/complaint.ts";
import { targetChangeSchema } from "../../target/settings.ts";
import { UsageError } from "../exit.ts";
import { printable } from "../words/printable.ts";
import { type Flags, shown } from "./arguments.ts";

/** Throws UsageError with a line for each mistake, and where no flag was given. */
export function draftTarget(flags: Flags): { readonly [key: string]: unknown } {
  const given = {
    requests: flags.textOrNone("rate"),
    burst: numberOrNone(flags, "burst"),
    maxParallelism: numberOrNone(flags, "parallel"),
    tokens: flags.textOrNone("tokens"),
    reserve: shareFlag(flags, "reserve"),
  };
  const change = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  const parsed = targetChangeSchema.safeParse(change);
  for (const { path, message } of parsed.success
    ? []
    : problemsOf(complaintOf(parsed.error, targetChangeSchema, change))) {
    const flag = FLAG_OF[path] ?? path;
    flags.refuse(flag, `--${flag}: ${printable(message)}`);
  }
  flags.throwRefused();
  if (Object.keys(change).length === 0)
    throw new UsageError(
      "weir target set needs something to set: --rate, --parallel, --tokens, --burst, --reserve",
    );
  return change;
}

/** The name among the words. Throws UsageError for one that no target can have. */
export function targetName(words: readonly string[]): string {
  const [name = ""] = words;
  if (TARGET_NAME.test(name)) return name;
  throw new UsageError(`NAME: ${shown(name)} ${TARGET_NAME_RULE}`);
}

/** `--rate` for `requests`. */
export function targetFlagOf(path: string): string {
  return FLAG_OF[path] === undefined ? path : `--${FLAG_OF[path]}`;
}

const FLAG_OF: Readonly<Record<string, string>> = {
  requests: "rate",
  burst: "burst",
  maxParallelism: "parallel",
  tokens: "tokens",
  reserve: "reserve",
};

function numberOrNone(flags: Flags, name: string): number | null | undefined {
  const text = flags.textOrNone(name);
  if (text == null) return text;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  flags.refuse(
    name,
    `--${name}: ${shown(text)} is not a whole number; accepted: digits alone, as in 100, or none`,
  );
  return undefined;
}

function shareFlag(flags: Flags, name: string): number | null | undefined {
  const text = flags.textOrNone(name);
  if (text == null) return text;
  const [, digits, percent] = /^(\d{1,3}(?:\.\d{1,6})?)\s*(%?)$/.exec(text) ?? [];
  if (digits !== undefined) return Number(digits) / (percent === "%" ? 100 : 1);
  flags.refuse(name, `--${name}: ${shown(text)} is not a share; accepted: 10%, 0.1 or none`);
  return undefined;
}
