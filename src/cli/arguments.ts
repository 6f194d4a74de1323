/**
 * The command line as the user typed it, split into command, words and flags by the table in `flags.ts`.
 *
 * A flag's value is the next argument whatever it looks like (`--rate -5/s` is a rate, and refused as one), unless
 * that is itself a flag. Unknown flags are refused by name. Values are checked where they are used.
 */
import { UsageError } from "./exit.ts";
import { COMMANDS, type Command, type Flag, GLOBAL_FLAGS } from "./flags.ts";

export interface Arguments {
  /** Null: none was given. */
  readonly command: Command | null;
  readonly words: readonly string[];
  readonly flags: Flags;
}

/** The flags that were given. */
export class Flags {
  readonly #given: ReadonlyMap<string, readonly string[]>;
  constructor(given: ReadonlyMap<string, readonly string[]>) {
    this.#given = given;
  }
  has(name: string): boolean {
    return this.#given.has(name);
  }
  /** The value; "" for a flag without one, null when it was not given. */
  get(name: string): string | null {
    return this.#given.get(name)?.at(-1) ?? null;
  }
  all(name: string): readonly string[] {
    return this.#given.get(name) ?? [];
  }
  /** A whole number; null when it was not given. Throws UsageError. */
  wholeNumber(name: string, range: { readonly least: number; readonly most: number }): number | null {
    const text = this.get(name);
    if (text === null) return null;
    const number = /^[+-]?\d{1,20}$/.test(text) ? Number(text) : Number.NaN;
    if (number >= range.least && number <= range.most) return number;
    const most =
      range.most === Number.MAX_SAFE_INTEGER ? "or more" : `to ${range.most.toLocaleString("en-US")}`;
    throw new UsageError(`--${name}: ${shown(text)}; accepted: a whole number from ${range.least} ${most}`);
  }
}

/** Splits the arguments. Throws UsageError for what no command or flag fits. */
export function parseArguments(typed: readonly string[]): Arguments {
  const argv = withHelpLast(typed);
  const given = new Map<string, string[]>();
  const words: string[] = [];
  let command: Command | null = null;
  for (let i = 0; i < argv.length; i++) {
    const argument = ALIASES[argv[i] ?? ""] ?? argv[i] ?? "";
    if (argument === "--") {
      words.push(...argv.slice(i + 1));
      break;
    }
    if (!argument.startsWith("--")) {
      if (argument.startsWith("-") && argument !== "-")
        throw new UsageError(`unknown flag ${shown(argument)}`);
      if (command !== null) words.push(argument);
      else if (!isGroup(argument)) command = commandNamed(argument);
      else if (!HELP.has(argv[i + 1] ?? "")) {
        command = commandOf(argument, argv[i + 1]);
        i++;
      }
      continue;
    }
    const [name = "", attached] = splitOnce(argument.slice(2), "=");
    const flag = flagNamed(name, command, argv.slice(i + 1));
    const next = argv[i + 1];
    if (flag.value === null) {
      if (attached !== undefined) throw new UsageError(`--${name} takes no value`);
      add(given, flag, "");
    } else if (attached !== undefined) add(given, flag, attached);
    else if (flag.optional !== undefined && !(next !== undefined && flag.optional.test(next)))
      add(given, flag, "");
    else if (next === undefined || isFlag(next))
      throw new UsageError(`--${name} needs a value: --${name} ${flag.value}`);
    else {
      add(given, flag, next);
      i++;
    }
  }
  const flags = new Flags(given);
  if (command !== null && !flags.has("help")) checkWords(command, words);
  return { command, words, flags };
}

/** `weir help run` means `weir run --help`. */
function withHelpLast(argv: readonly string[]): readonly string[] {
  return argv[0] === "help" ? [...argv.slice(1), "--help"] : argv;
}

const ALIASES: Readonly<Record<string, string>> = { "-h": "--help", "-V": "--version" };

const HELP: ReadonlySet<string> = new Set(["--help", "-h"]);

/** True for the first word of commands of two. */
function isGroup(word: string): boolean {
  return COMMANDS.some((candidate) => candidate.name.startsWith(`${word} `));
}

function commandOf(group: string, action: string | undefined): Command {
  const command = COMMANDS.find((candidate) => candidate.name === `${group} ${action}`);
  if (command !== undefined) return command;
  const actions = COMMANDS.filter((candidate) => candidate.name.startsWith(`${group} `));
  const names = actions.map((candidate) => candidate.name.slice(group.length + 1)).join(", ");
  const what = action === undefined || action.startsWith("-") ? "" : `, not ${shown(action)}`;
  throw new UsageError(`weir ${group} needs one of ${names}${what}`);
}

function commandNamed(name: string): Command {
  const command = COMMANDS.find((candidate) => candidate.name === name);
  if (command !== undefined) return command;
  const names = COMMANDS.map((candidate) => candidate.name).join(", ");
  throw new UsageError(`unknown command ${shown(name)}; accepted: ${names}`);
}

/** A flag of the command; before the command's name, of the command that follows. */
function flagNamed(name: string, command: Command | null, rest: readonly string[]): Flag {
  const owner = command ?? COMMANDS.find(({ name }) => name.split(" ").every((word) => rest.includes(word)));
  const flag = [...(owner?.flags ?? []), ...GLOBAL_FLAGS].find((candidate) => candidate.name === name);
  if (flag !== undefined) return flag;
  const known = (owner?.flags ?? []).map((candidate) => `--${candidate.name}`).join(" ");
  const accepted = known === "" ? "" : `; weir ${owner?.name} knows ${known}`;
  throw new UsageError(`unknown flag ${shown(`--${name}`)}${accepted}`);
}

function isFlag(text: string): boolean {
  const [name] = splitOnce(text.replace(/^--/, ""), "=");
  const all = [...GLOBAL_FLAGS, ...COMMANDS.flatMap((command) => command.flags)];
  return text.startsWith("--") && all.some((flag) => flag.name === name);
}

function add(given: Map<string, string[]>, flag: Flag, value: string): void {
  const before = given.get(flag.name);
  if (before !== undefined && flag.repeats !== true) throw new UsageError(`--${flag.name} is given twice`);
  given.set(flag.name, [...(before ?? []), value]);
}

function checkWords(command: Command, words: readonly string[]): void {
  const [least, most] = command.words;
  if (words.length < least) throw new UsageError(`weir ${command.name} needs ${command.arguments}`);
  if (words.length > most) {
    throw new UsageError(`weir ${command.name}: ${shown(words[most] ?? "")} is one word too many`);
  }
}

function splitOnce(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

/** What the user typed, safe to print and not endless. */
export function shown(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
}
