/** What a command says to a person, on stderr, and the documents that it prints, on stdout. */

import { print } from "../stdout.ts";
import { printable } from "../words/printable.ts";

/** Prints a line for a person. */
export function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Prints a document on stdout; on a terminal with everything that it would act on as `\\uXXXX`, which means the same. */
export function printJson(document: unknown): void {
  print(`${jsonText(document, process.stdout.isTTY === true)}\n`);
}

/** The document as JSON, for a terminal or for a program. */
export function jsonText(document: unknown, isTerminal: boolean): string {
  const text = JSON.stringify(document, null, 2);
  return isTerminal ? text.split("\n").map(printable).join("\n") : text;
}

/** Colour is for terminals whose user did not refuse it. */
export function wantsColour(screen: { readonly isTTY?: boolean }): boolean {
  return screen.isTTY === true && (process.env.NO_COLOR ?? "") === "" && process.env.TERM !== "dumb";
}
