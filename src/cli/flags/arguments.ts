/**
 * The command line as the user typed it, split into command, words and flags by the table in `flags.ts`.
 *
 * A flag's value is the next argument whatever it looks like (`--rate -5/s` is a rate, and refused as one), unless
 * that is itself a flag. Unknown flags are refused by name. Values are checked where they are used. Mistakes are
 * gathered, so that all of them can be said at once: see `Flags`.
 */
import { UsageError } from "../exit.ts";
import { COMMANDS, type Command, type Flag, GLOBAL_FLAGS } from "./flags.ts";

export interface Arguments {
  /** Null: none was given. */
  readonly command: Command | null;
  readonly words: readonly string[];
  readonly flags: Flags;
}

/**
 * The flags that were given, and what is wrong with them. Whatever finds a mistake refuses the flag and goes on as if
 * it had not been given; before anything is done, `throwRefused` says all of it.
 */
export class Flags {
  readonly #given: ReadonlyMap<string, readonly string[]>;
  /** By flag: of two complaints about one, the second follows from the first. */
  readonly #refused = new Map<string, string>();
  #wordsAreSure = true;
  constructor(given: ReadonlyMap<string, readonly string[]>) {
    this.#given = given;
  }
  /** False after an unknown flag: the word behind it may be its value or the command's. */
  get wordsAreSure(): boolean {
    return this.#wordsAreSure;
  }
  doubtWords(): void {
    this.#wordsAreSure = false;
  }
  /** Notes a mistake: `line` names the flag and what is accepted. */
  refuse(name: string, line: string): null {
    if (!this.#refused.has(name)) this.#refused.set(name, line);
    return null;
  }
  /** What `read` returns; null where it throws a UsageError, which is noted as a mistake in that flag. */
  noted<T>(name: string, read: () => T): T | null {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      return this.refuse(name, error.message);
    }
  }
  get refused(): ReadonlySet<string> {
    return new Set(this.#refused.keys());
  }
  /** Throws UsageError with a line for each mistake, in the order in which they were found. */
  throwRefused(): void {
    if (this.#refused.size > 0) throw new UsageError([...this.#refused.values()].join("\n"));
  }
  has(name: string): boolean {
    return this.#given.has(name);
  }
  /** The value; "" for a flag without one, null when it was not given. */
  get(name: string): string | null {
    return this.#given.get(name)?.at(-1) ?? null;
  }

  /** A value that "none" takes away: null then; undefined where the flag is not there. */
  textOrNone(name: string): string | null | undefined {
    const text = this.get(name);
    return text === null ? undefined : text === "none" ? null : text;
  }
  all(name: string): readonly string[] {
    return this.#given.get(name) ?? [];
  }
  /** A whole number; null when it was not given, or refused. */
  wholeNumber(name: string, range: { readonly least: number; readonly most: number }): number | null {
    const text = this.get(name);
    if (text === null) return null;
    const number = /^[+-]?\d{1,20}$/.test(text) ? Number(text) : Number.NaN;
    if (number >= range.least && number <= range.most) return number;
    const most =
      range.most === Number.MAX_SAFE_INTEGER ? "or more" : `to ${range.most.toLocaleString("en-US")}`;
    return this.refuse(
      name,
      `--${name}: ${shown(text)}; accepted: a whole number from ${range.least} ${most}`,
    );
  }
}

/** Splits the arguments. Throws UsageError where there is no such command; mistakes in flags and words are noted. */
export function parseArguments(typed: readonly string[]): Arguments {
  const argv = withHelpLast(typed);
  const given = new Map<string, string[]>();
  const flags = new Flags(given);
  const words: string[] = [];
  let command: Command | null = null;
  for (let i = 0; i < argv.length; i++) {
    const argument = ALIASES[argv[i] ?? ""] ?? argv[i] ?? "";
    if (argument === "--") {
      words.push(...argv.slice(i + 1));
      break;
    }
    if (!argument.startsWith("--")) {
      if (argument.startsWith("-") && argument !== "-") {
        flags.refuse(argument, unknownFlag(argument, ownerOf(command, argv.slice(i + 1))));
        if (command !== null && passesOver(argv[i + 1], flags)) i++;
      } else if (command !== null) words.push(argument);
      else if (!isGroup(argument)) command = commandNamed(argument);
      else if (!HELP.has(argv[i + 1] ?? "")) {
        command = commandOf(argument, argv[i + 1]);
        i++;
      }
      continue;
    }
    const [name = "", attached] = splitOnce(argument.slice(2), "=");
    const owner = ownerOf(command, argv.slice(i + 1));
    const flag = flagNamed(name, owner);
    const next = argv[i + 1];
    const add = (value: string) => {
      const before = given.get(name);
      if (before !== undefined && flag?.repeats !== true) flags.refuse(name, `--${name} is given twice`);
      given.set(name, [...(before ?? []), value]);
    };
    if (flag === undefined) {
      flags.refuse(name, unknownFlag(`--${name}`, owner));
      if (command !== null && attached === undefined && passesOver(next, flags)) i++;
    } else if (flag.value === null) {
      if (attached !== undefined) flags.refuse(name, `--${name} takes no value`);
      add("");
    } else if (attached !== undefined) add(attached);
    else if (flag.optional !== undefined && !(next !== undefined && flag.optional.test(next))) add("");
    else if (next === undefined || isFlag(next))
      flags.refuse(name, `--${name} needs a value: --${name} ${flag.value}`);
    else {
      add(next);
      i++;
    }
  }
  if (command !== null && !flags.has("help") && flags.wordsAreSure) checkWords(command, words, flags);
  return { command, words, flags };
}

/** True where the word behind an unknown flag may be its value: it is left out, and the words are in doubt. */
function passesOver(next: string | undefined, flags: Flags): boolean {
  if (next === undefined || (next.startsWith("-") && next !== "-")) return false;
  flags.doubtWords();
  return true;
}

/** `weir help run` means `weir run --help`. */
function withHelpLast(argv: readonly string[]): readonly string[] {
  return argv[0] === "help" ? [...argv.slice(1), "--help"] : argv;
}

/** In the place of a flag's name, where the mistake is in the words. */
const WORDS = "";

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

/** Whose flags are read: the command's; before its name, those of the command that follows. */
function ownerOf(command: Command | null, rest: readonly string[]): Command | undefined {
  return command ?? COMMANDS.find(({ name }) => name.split(" ").every((word) => rest.includes(word)));
}

function flagNamed(name: string, owner: Command | undefined): Flag | undefined {
  return [...(owner?.flags ?? []), ...GLOBAL_FLAGS].find((candidate) => candidate.name === name);
}

function unknownFlag(typed: string, owner: Command | undefined): string {
  const known = [...(owner?.flags ?? []), ...GLOBAL_FLAGS].map(({ name }) => `--${name}`).join(" ");
  return `unknown flag ${shown(typed)}; weir${owner === undefined ? "" : ` ${owner.name}`} knows ${known}`;
}

function isFlag(text: string): boolean {
  const [name] = splitOnce(text.replace(/^--/, ""), "=");
  const all = [...GLOBAL_FLAGS, ...COMMANDS.flatMap((command) => command.flags)];
  return text.startsWith("--") && all.some((flag) => flag.name === name);
}

function checkWords(command: Command, words: readonly string[], flags: Flags): void {
  const [least, most] = command.words;
  const line =
    words.length < least
      ? `needs ${command.arguments}`
      : words.length > most
        ? `: ${shown(words[most] ?? "")} is one word too many`
        : null;
  if (line !== null) flags.refuse(WORDS, `weir ${command.name}${line.startsWith(":") ? "" : " "}${line}`);
}

function splitOnce(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

/** What the user typed, safe to print and not endless. */
export function shown(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
}
