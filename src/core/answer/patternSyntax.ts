/**
 * The syntax of patterns: that of JavaScript's regular expressions, without what needs backtracking.
 *
 * Characters and their escapes, `.`, classes, `\d \w \s` and their opposites, groups, `|`, `* + ? {n,m}`, `^ $ \b \B`,
 * and `(?i)` at the beginning. Characters are code points.
 */
import { PATTERN_REPEATS_MOST } from "../limits.ts";

/** Whether one character fits. */
export type Test = (char: string) => boolean;

export type Node =
  | { readonly kind: "one"; readonly test: Test; readonly literal: string | null }
  | { readonly kind: "edge"; readonly holds: (before: string, after: string) => boolean }
  | { readonly kind: "sequence"; readonly parts: readonly Node[] }
  | { readonly kind: "either"; readonly ways: readonly Node[] }
  /** `most` may be Infinity. */
  | { readonly kind: "repeat"; readonly node: Node; readonly least: number; readonly most: number };

/** What is wrong with a pattern, as the end of a sentence about it. */
export class PatternFault extends Error {}

/** The tree of a pattern. Throws PatternFault. */
export function parsePattern(source: string): { readonly node: Node; readonly ignoresCase: boolean } {
  const ignoresCase = source.startsWith("(?i)");
  const parser = new Parser(ignoresCase ? source.slice(4) : source, ignoresCase);
  return { node: parser.whole(), ignoresCase };
}

/** `\d` and its like; the capital letter is the opposite. */
const CLASSES: Readonly<Record<string, Test>> = {
  d: (char) => /^[0-9]$/.test(char),
  w: (char) => /^\w$/.test(char),
  s: (char) => /^\s$/.test(char),
};
const ESCAPES: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", f: "\f", v: "\v", 0: "\0" };
const isWord = (char: string): boolean => char !== "" && (CLASSES.w as Test)(char);
const EDGES: Readonly<Record<string, (before: string, after: string) => boolean>> = {
  "^": (before) => before === "",
  $: (_before, after) => after === "",
  b: (before, after) => isWord(before) !== isWord(after),
  B: (before, after) => isWord(before) === isWord(after),
};

class Parser {
  readonly #chars: readonly string[];
  readonly #ignoresCase: boolean;
  #at = 0;

  constructor(source: string, ignoresCase: boolean) {
    this.#chars = Array.from(source);
    this.#ignoresCase = ignoresCase;
  }

  whole(): Node {
    const node = this.#either();
    if (this.#at < this.#chars.length) throw new PatternFault('has a ")" without "("');
    return node;
  }

  get #next(): string | undefined {
    return this.#chars[this.#at];
  }

  #take(char: string): boolean {
    if (this.#next !== char) return false;
    this.#at += 1;
    return true;
  }

  #either(): Node {
    const ways = [this.#sequence()];
    while (this.#take("|")) ways.push(this.#sequence());
    return ways.length === 1 ? (ways[0] as Node) : { kind: "either", ways };
  }

  #sequence(): Node {
    const parts: Node[] = [];
    while (this.#next !== undefined && this.#next !== "|" && this.#next !== ")") parts.push(this.#repeated());
    return parts.length === 1 ? (parts[0] as Node) : { kind: "sequence", parts };
  }

  #repeated(): Node {
    let node = this.#one();
    for (;;) {
      const times = this.#times();
      if (times === null) return node;
      if (node.kind === "edge") throw new PatternFault("repeats a place and not a character");
      // Whether as much or as little as possible is taken changes nothing where only the match counts.
      this.#take("?");
      node = { kind: "repeat", node, ...times };
    }
  }

  #times(): { readonly least: number; readonly most: number } | null {
    if (this.#take("*")) return { least: 0, most: Number.POSITIVE_INFINITY };
    if (this.#take("+")) return { least: 1, most: Number.POSITIVE_INFINITY };
    if (this.#take("?")) return { least: 0, most: 1 };
    const braces = /^\{(\d+)(?:(,)(\d*))?\}/.exec(this.#chars.slice(this.#at, this.#at + 16).join(""));
    if (braces === null) return null;
    this.#at += braces[0].length;
    const least = Number(braces[1]);
    const most =
      braces[2] === undefined ? least : braces[3] === "" ? Number.POSITIVE_INFINITY : Number(braces[3]);
    if (most < least) throw new PatternFault(`has ${braces[0]}, which is out of order`);
    if (least > PATTERN_REPEATS_MOST || (most !== Number.POSITIVE_INFINITY && most > PATTERN_REPEATS_MOST))
      throw new PatternFault(`has ${braces[0]}; accepted are up to ${PATTERN_REPEATS_MOST} repetitions`);
    return { least, most };
  }

  #one(): Node {
    const char = this.#chars[this.#at++] as string;
    if (char === "(") return this.#group();
    if (char === "[") return { kind: "one", test: this.#folded(this.#class()), literal: null };
    if (char === ".") return { kind: "one", test: (one) => !/^[\n\r\u2028\u2029]$/.test(one), literal: null };
    if (char === "^" || char === "$") return edge(char);
    if (char === "*" || char === "+" || char === "?") throw new PatternFault(`has nothing before "${char}"`);
    if (char !== "\\") return this.#literal(char);
    const escaped = this.#escape();
    if (typeof escaped === "function") return { kind: "one", test: escaped, literal: null };
    return escaped.length > 1 && !isOneChar(escaped) ? edge(escaped.slice(1)) : this.#literal(escaped);
  }

  #group(): Node {
    if (this.#take("?") && !this.#take(":")) {
      const named = /^<[A-Za-z_]\w*>/.exec(this.#chars.slice(this.#at, this.#at + 100).join(""));
      if (named === null)
        throw new PatternFault(
          "has a look-around or a flag in a group; accepted are (…), (?:…) and (?i) at the start",
        );
      this.#at += named[0].length;
    }
    const node = this.#either();
    if (!this.#take(")")) throw new PatternFault('has a "(" without ")"');
    return node;
  }

  /** A test, a character, or a place as "\b". */
  #escape(): Test | string {
    const char = this.#chars[this.#at++];
    if (char === undefined) throw new PatternFault('ends in "\\"');
    const known = CLASSES[char.toLowerCase()];
    if (known !== undefined) return char === char.toLowerCase() ? known : (one) => !known(one);
    if (char === "b" || char === "B") return `\\${char}`;
    if (/[1-9k]/.test(char)) throw new PatternFault("has a back-reference, which is not accepted");
    const code = /^(?:x([0-9a-f]{2})|u([0-9a-f]{4})|u\{([0-9a-f]{1,6})\})/i.exec(
      this.#chars.slice(this.#at - 1, this.#at + 9).join(""),
    );
    if (code !== null) {
      this.#at += code[0].length - 1;
      const point = Number.parseInt(code[1] ?? code[2] ?? code[3] ?? "", 16);
      if (point > 0x10ffff) throw new PatternFault(`has \\${code[0]}, which is not a character`);
      return String.fromCodePoint(point);
    }
    const control = ESCAPES[char];
    if (control !== undefined) return control;
    if (/[A-Za-z]/.test(char)) throw new PatternFault(`has \\${char}, which means nothing here`);
    return char;
  }

  #class(): Test {
    const isNegated = this.#take("^");
    const tests: Test[] = [];
    for (;;) {
      const char = this.#chars[this.#at++];
      if (char === undefined) throw new PatternFault('has a "[" without "]"');
      if (char === "]") break;
      const from = char === "\\" ? this.#classEscape() : char;
      if (typeof from === "function") {
        tests.push(from);
        continue;
      }
      if (this.#next !== "-" || this.#chars[this.#at + 1] === "]") {
        tests.push((one) => one === from);
        continue;
      }
      this.#at += 1;
      const end = this.#chars[this.#at++];
      const to = end === "\\" ? this.#classEscape() : end;
      if (typeof to !== "string")
        throw new PatternFault("has a range in [ ] that does not end in a character");
      const least = pointOf(from);
      const most = pointOf(to);
      if (most < least) throw new PatternFault(`has the range ${from}-${to}, which is out of order`);
      tests.push((one) => pointOf(one) >= least && pointOf(one) <= most);
    }
    const any = this.#folded((one) => tests.some((test) => test(one)));
    return isNegated ? (one) => !any(one) : any;
  }

  #classEscape(): Test | string {
    const escaped = this.#escape();
    return escaped === "\\b" ? "\b" : escaped;
  }

  #literal(char: string): Node {
    return { kind: "one", test: this.#folded((one) => one === char), literal: char };
  }

  #folded(test: Test): Test {
    if (!this.#ignoresCase) return test;
    return (one) => test(one) || test(one.toLowerCase()) || test(one.toUpperCase());
  }
}

function isOneChar(text: string): boolean {
  return Array.from(text).length === 1;
}

function edge(name: string): Node {
  return { kind: "edge", holds: EDGES[name] as (before: string, after: string) => boolean };
}

function pointOf(char: string): number {
  return char.codePointAt(0) ?? 0;
}
