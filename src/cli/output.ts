/** What a command says to a person, on stderr, and the documents that it prints, on stdout. */
import { print } from "./stdout.ts";

/** Prints a line for a person. */
export function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Prints a document on stdout. */
export function printJson(document: unknown): void {
  print(`${JSON.stringify(document, null, 2)}\n`);
}

/** Colour is for terminals whose user did not refuse it. */
export function wantsColour(screen: { readonly isTTY?: boolean }): boolean {
  return screen.isTTY === true && (process.env.NO_COLOR ?? "") === "" && process.env.TERM !== "dumb";
}
