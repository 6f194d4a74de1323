/** The command line is split by one table; unknown words are refused by name. */
import { describe, expect, test } from "vitest";
import { connect, connectDev, connectToDrive } from "../../src/cli/connection.ts";
import { UsageError } from "../../src/cli/exit.ts";
import { parseArguments } from "../../src/cli/flags/arguments.ts";
import { COMMANDS, GLOBAL_FLAGS } from "../../src/cli/flags/flags.ts";
import { helpText } from "../../src/cli/words/help.ts";
import { httpSchema } from "../../src/tasks/http/httpSchema.ts";

/** One line after the other, each as its own pattern says. */
const joined = (lines: readonly RegExp[]) =>
  new RegExp(`^${lines.map(({ source }) => source.replace(/^\^|\$$/g, "")).join("\n")}$`);

describe("arguments", () => {
  test.each([
    ["a value after its flag", ["run", "--rate", "5/s"], "rate", ["5/s"]],
    ["a value joined to its flag", ["run", "--rate=5/s"], "rate", ["5/s"]],
    ["a value that begins with a dash", ["run", "--rate", "-5/s"], "rate", ["-5/s"]],
    ["a value that holds an equals sign", ["run", "--url=http://h/?a=b"], "url", ["http://h/?a=b"]],
    ["stdin as a dash", ["run", "--input", "-"], "input", ["-"]],
    ["a flag that repeats", ["run", "--header", "a: 1", "--header", "b: 2"], "header", ["a: 1", "b: 2"]],
    ["a flag before the command", ["--state", "s", "status"], "state", ["s"]],
    ["a command's flag before the command", ["--rate", "5/s", "run"], "rate", ["5/s"]],
    ["an optional value that fits", ["run", "--resume", "r_1a2b"], "resume", ["r_1a2b"]],
    ["an optional value left out", ["run", "--resume", "--json"], "resume", [""]],
    ["an optional value left out at the end", ["run", "--resume"], "resume", [""]],
    ["a word after an optional value left out", ["run", "--resume", "spec.json"], "resume", [""]],
  ])("takes %s", (_, argv, flag, values) => {
    expect(parseArguments(argv).flags.all(flag)).toEqual(values);
  });

  test.each([
    [["help", "run"], "run"],
    [["help", "schedule", "add"], "schedule add"],
    [["help"], null],
    [["help", "schedule"], null],
  ])("takes %j as a question for help", (argv, command) => {
    const args = parseArguments(argv);
    expect([args.command?.name ?? null, args.flags.has("help")]).toEqual([command, true]);
  });

  test("keeps the words that are not flags", () => {
    expect(parseArguments(["run", "--resume", "spec.json", "--json"]).words).toEqual(["spec.json"]);
    expect(parseArguments(["status", "--", "--odd"]).words).toEqual(["--odd"]);
  });

  test.each([
    ["an unknown command", ["frobnicate"], /unknown command "frobnicate"; accepted: run, plan/],
    ["an unknown flag", ["run", "--speed", "9"], /unknown flag "--speed".*--rate/],
    ["a flag of another command", ["status", "--rate", "5/s"], /unknown flag "--rate"/],
    ["a short flag", ["run", "-x"], /unknown flag "-x"/],
    ["a flag without its value", ["run", "--rate"], /--rate needs a value: --rate 1000\/s/],
    ["a flag in place of a value", ["run", "--rate", "--json"], /--rate needs a value/],
    ["a value for a flag that takes none", ["run", "--json=yes"], /--json takes no value/],
    ["a flag given twice", ["run", "--rate", "1/s", "--rate", "2/s"], /--rate is given twice/],
    ["a missing run", ["pause"], /weir pause needs RUN/],
    ["a word too many", ["pause", "r_1", "r_2"], /"r_2" is one word too many/],
  ])("refuses %s", (_, argv, says) => {
    const parse = () => parseArguments(argv).flags.throwRefused();
    expect(parse).toThrow(UsageError);
    expect(parse).toThrow(says);
  });

  test.each([["-1"], ["1.5"], ["abc"], ["70000"], [""]])("refuses %j as a port", (text) => {
    const { flags } = parseArguments(["dev", `--port=${text}`]);
    expect(flags.wholeNumber("port", { least: 0, most: 65_535 })).toBeNull();
    expect(() => flags.throwRefused()).toThrow(/--port: .*from 0 to 65,535/);
  });

  test("with several mistakes have a line for each, of a flag the first one alone", () => {
    const argv = [
      "pause",
      "--speed=9",
      "--json=yes",
      "-x",
      "--state",
      "s",
      "--state",
      "t",
      "--token",
      "--json",
    ];
    const { flags } = parseArguments(argv);
    flags.refuse("state", "--state: what follows from the mistake before");
    const lines = [
      /^unknown flag "--speed"; weir pause knows --state .*--version$/,
      /^--json takes no value$/,
      /^unknown flag "-x"; weir pause knows --state .*--version$/,
      /^--state is given twice$/,
      /^--token needs a value: --token TOKEN$/,
      /^weir pause needs RUN$/,
    ];
    expect(() => flags.throwRefused()).toThrow(
      expect.objectContaining({ message: expect.stringMatching(joined(lines)) }),
    );
  });

  test("whose words may be the value of an unknown flag are not judged", () => {
    const { words, flags } = parseArguments(["pause", "--speed", "r_1"]);
    expect([words, flags.wordsAreSure]).toEqual([[], false]);
    expect(() => flags.throwRefused()).toThrow(/^unknown flag "--speed"[^\n]*$/);
  });

  test("with a mistake connect to nothing", async () => {
    const { flags } = parseArguments(["status", "--rate", "5/s", "--state", "/nowhere"]);
    await expect(connect(flags, "status")).rejects.toThrow(/^unknown flag "--rate"/);
    await expect(connectToDrive(flags, "run", null)).rejects.toThrow(/^unknown flag "--rate"/);
    await expect(connectDev(flags, 0)).rejects.toThrow(/^unknown flag "--rate"/);
  });
});

describe("help", () => {
  test("names every way in which a row can keep an answer", () => {
    const value = COMMANDS.find(({ name }) => name === "run")?.flags.find(
      ({ name }) => name === "value",
    )?.value;
    expect(value?.split("|")).toEqual([...httpSchema.shape.value.unwrap().options]);
  });

  test.each(COMMANDS.map((command) => [command.name, command] as const))(
    "of %s names its flags",
    (_, command) => {
      const text = helpText(command);
      for (const flag of [...command.flags, ...GLOBAL_FLAGS]) expect(text).toContain(`--${flag.name}`);
    },
  );

  test("names every command and every exit code", () => {
    const text = helpText(null);
    for (const command of COMMANDS) expect(text).toContain(`  ${command.name}`);
    for (const code of [0, 1, 2, 3, 4, 5]) expect(text).toMatch(new RegExp(`\\b${code} [a-z]`));
  });
});
