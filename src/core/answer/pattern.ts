/**
 * Regular expressions whose matching takes time in proportion to the text, whatever the text says.
 *
 * A pattern becomes a small program of `PATTERN_STEPS_MOST` steps at most; all ways through it are followed side by
 * side (Thompson 1968), so no text makes it try the same stretch twice. Text from outside can therefore not hang a
 * lane, which a backtracking matcher cannot promise. What needs backtracking, back-references and look-arounds, is
 * refused.
 */
import { PATTERN_STEPS_MOST } from "../limits.ts";
import { type Node, PatternFault, parsePattern, type Test } from "./patternSyntax.ts";

export interface Pattern {
  /** True where the text has a match anywhere. */
  matches(text: string): boolean;
}

export type ParsedPattern =
  | { readonly kind: "ok"; readonly pattern: Pattern }
  /** What is wrong, as the end of a sentence about the pattern. */
  | { readonly kind: "invalid"; readonly message: string };

/** The pattern of a source such as "rate.?limit" or "(?i)^login$". */
export function compilePattern(source: string): ParsedPattern {
  try {
    const { node, ignoresCase } = parsePattern(source);
    const literal = ignoresCase ? null : literalOf(node);
    const pattern =
      literal === null ? new Program(node) : { matches: (text: string) => text.includes(literal) };
    return { kind: "ok", pattern };
  } catch (fault) {
    if (!(fault instanceof PatternFault)) throw fault;
    return { kind: "invalid", message: fault.message };
  }
}

/** Most patterns are a word. */
function literalOf(node: Node): string | null {
  const parts = node.kind === "sequence" ? node.parts : [node];
  let text = "";
  for (const part of parts) {
    if (part.kind !== "one" || part.literal === null) return null;
    text += part.literal;
  }
  return text;
}

type Step =
  | { readonly kind: "one"; readonly test: Test }
  | { readonly kind: "edge"; readonly holds: (before: string, after: string) => boolean }
  | { readonly kind: "split"; to: number; or: number }
  | { readonly kind: "jump"; to: number }
  | { readonly kind: "match" };

class Program implements Pattern {
  readonly #steps: Step[] = [];

  constructor(node: Node) {
    this.#write(node);
    this.#add({ kind: "match" });
  }

  matches(text: string): boolean {
    const walk = new Walk(this.#steps);
    const chars = Array.from(text);
    for (let at = 0; at < chars.length; at++) {
      if (walk.enter(chars[at - 1] ?? "", chars[at] as string)) return true;
      walk.pass(chars[at] as string);
    }
    return walk.enter(chars.at(-1) ?? "", "");
  }

  #add(step: Step): number {
    if (this.#steps.length >= PATTERN_STEPS_MOST)
      throw new PatternFault("is too large; write fewer repetitions");
    return this.#steps.push(step) - 1;
  }

  #write(node: Node): void {
    switch (node.kind) {
      case "one":
        this.#add({ kind: "one", test: node.test });
        return;
      case "edge":
        this.#add({ kind: "edge", holds: node.holds });
        return;
      case "sequence":
        for (const part of node.parts) this.#write(part);
        return;
      case "either":
        this.#writeEither(node.ways);
        return;
      case "repeat":
        this.#writeRepeat(node.node, node.least, node.most);
        return;
      default:
        node satisfies never;
    }
  }

  #writeEither(ways: readonly Node[]): void {
    const ends: (Step & { to: number })[] = [];
    for (const [n, way] of ways.entries()) {
      if (n === ways.length - 1) {
        this.#write(way);
        break;
      }
      const split = { kind: "split" as const, to: 0, or: 0 };
      split.to = this.#add(split) + 1;
      this.#write(way);
      const end = { kind: "jump" as const, to: 0 };
      this.#add(end);
      ends.push(end);
      split.or = this.#steps.length;
    }
    for (const end of ends) end.to = this.#steps.length;
  }

  #writeRepeat(node: Node, least: number, most: number): void {
    for (let n = 0; n < least; n++) this.#write(node);
    if (most === Number.POSITIVE_INFINITY) {
      const loop = { kind: "split" as const, to: 0, or: 0 };
      const start = this.#add(loop);
      loop.to = start + 1;
      this.#write(node);
      this.#add({ kind: "jump", to: start });
      loop.or = this.#steps.length;
      return;
    }
    const exits: { or: number }[] = [];
    for (let n = least; n < most; n++) {
      const optional = { kind: "split" as const, to: 0, or: 0 };
      optional.to = this.#add(optional) + 1;
      this.#write(node);
      exits.push(optional);
    }
    for (const exit of exits) exit.or = this.#steps.length;
  }
}

/** All ways through a program at one place of the text. */
class Walk {
  readonly #steps: readonly Step[];
  /** By step: the place at which it was last reached, counted from 1. */
  readonly #seen: Int32Array;
  readonly #open: Int32Array;
  /** Steps that wait for a character, and steps that the last character led to. */
  readonly #waiting: Int32Array;
  readonly #reached: Int32Array;
  #waits = 0;
  #reaches = 0;
  #place = 0;

  constructor(steps: readonly Step[]) {
    this.#steps = steps;
    this.#seen = new Int32Array(steps.length);
    this.#open = new Int32Array(2 * steps.length + 2);
    this.#waiting = new Int32Array(steps.length);
    this.#reached = new Int32Array(steps.length);
  }

  /** Follows all that needs no character, from where the last one led and from the start; true at a match. */
  enter(before: string, after: string): boolean {
    this.#place += 1;
    this.#waits = 0;
    for (let n = 0; n < this.#reaches; n++) {
      if (this.#follow(this.#reached[n] as number, before, after)) return true;
    }
    // A match may begin anywhere.
    return this.#follow(0, before, after);
  }

  /** Steps over one character. */
  pass(char: string): void {
    this.#reaches = 0;
    for (let n = 0; n < this.#waits; n++) {
      const at = this.#waiting[n] as number;
      const step = this.#steps[at];
      if (step?.kind === "one" && step.test(char)) this.#reached[this.#reaches++] = at + 1;
    }
  }

  #follow(from: number, before: string, after: string): boolean {
    const open = this.#open;
    let size = 0;
    open[size++] = from;
    while (size > 0) {
      const at = open[--size] as number;
      if (this.#seen[at] === this.#place) continue;
      this.#seen[at] = this.#place;
      const step = this.#steps[at];
      if (step === undefined || step.kind === "match") return true;
      if (step.kind === "one") this.#waiting[this.#waits++] = at;
      else if (step.kind === "jump") open[size++] = step.to;
      else if (step.kind === "edge") {
        if (step.holds(before, after)) open[size++] = at + 1;
      } else {
        open[size++] = step.to;
        open[size++] = step.or;
      }
    }
    return false;
  }
}
