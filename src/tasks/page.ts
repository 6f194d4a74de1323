/**
 * What a page of HTML says: its title, the fields that were asked for, and whether it says anything without a browser.
 *
 * Read in one pass by the platform's HTMLRewriter, which builds no tree: a selector looks at an element and at what
 * stands around it, not at what follows. An element whose end tag is left out reaches to the end of its parent.
 */
import { MAX_FIELD_VALUES } from "../core/limits.ts";
import { collapseSpace, decodeReferences } from "./characterReferences.ts";

/** One thing to take from a page. */
export interface FieldRule {
  readonly selector: string;
  /** Its value instead of the element's text. */
  readonly attribute: string | null;
  /** Every match, as a list; else the first one, as text. */
  readonly all: boolean;
}

export type FieldRules = Readonly<Record<string, FieldRule>>;

export interface Page {
  /** The first title, white space collapsed; null without one. */
  readonly title: string | null;
  /** By name: text or null for the first match, a list for all. */
  readonly fields: { readonly [name: string]: string | null | readonly string[] };
  /** It has scripts and no text: what people see is made by a browser. */
  readonly needsBrowser: boolean;
}

/** Their text is no text of the page, nor of an element around them. */
const SILENT = "script, style, noscript, template, title, textarea, svg";
const VOID = new Set("area base br col embed hr img input link meta param source track wbr".split(" "));
/** An attribute that no page has. */
const MARK = "weir-end-tag";
/** What a page shows while its scripts work. */
const PLACEHOLDER = /^(?:(?:please wait|loading)\b[^\p{L}]*)?$/iu;

/** Null, or what is wrong with a selector. Where no HTMLRewriter is at hand nothing is found wrong. */
export function complainAboutSelector(selector: string): string | null {
  if (typeof HTMLRewriter === "undefined") return null;
  try {
    new HTMLRewriter().on(selector, {});
    return null;
  } catch {
    return 'is no selector that is understood; accepted are those like "h1", ".price", "#main > p", "a[href]", "li:first-child"';
  }
}

/** Reads a page. `html` is decoded text. */
export async function readPage(html: string, rules: FieldRules): Promise<Page> {
  const reading = new Reading();
  const fields = Object.entries(rules).map(([name, rule]) => [name, new Field(rule, reading)] as const);
  const rewriter = new HTMLRewriter();
  reading.attach(rewriter);
  for (const [, field] of fields) field.attach(rewriter);
  const answer = new Response(html, { headers: { "content-type": "text/html; charset=utf-8" } });
  const rewritten = rewriter.transform(answer).body ?? [];
  for await (const _ of rewritten);
  return {
    title: reading.title,
    fields: Object.fromEntries(fields.map(([name, field]) => [name, field.value])),
    needsBrowser: reading.needsBrowser,
  };
}

/** What is read of every page. */
class Reading {
  readonly ends = new EndTags();
  /** Inside how many silent elements the reader is. */
  silent = 0;
  #inSvg = 0;
  #title: string | null = null;
  #isTitleOpen = false;
  #scripts = 0;
  #text = "";

  get title(): string | null {
    return this.#title === null ? null : collapseSpace(decodeReferences(this.#title));
  }

  get needsBrowser(): boolean {
    return this.#scripts > 0 && PLACEHOLDER.test(collapseSpace(this.#text));
  }

  attach(rewriter: HTMLRewriter): void {
    rewriter
      .on("svg", { element: (element) => this.#count(element, (by) => this.#passSvg(by)) })
      .on(SILENT, { element: (element) => this.#count(element, (by) => this.#passSilent(by)) })
      .on("script", { element: () => this.#passScript() })
      .on("title", {
        element: () => {
          this.#isTitleOpen = this.#title === null && this.#inSvg === 0;
          if (this.#isTitleOpen) this.#title = "";
        },
        text: ({ text }) => {
          if (this.#isTitleOpen) this.#title += text;
        },
      })
      .onDocument({ text: ({ text }) => this.#heard(text) });
  }

  #passSvg(by: number): void {
    this.#inSvg += by;
  }

  #passSilent(by: number): void {
    this.silent += by;
  }

  #passScript(): void {
    this.#scripts += 1;
  }

  /** A page that has said more than a placeholder needs no browser: the rest is not kept. */
  #heard(text: string): void {
    if (this.silent === 0 && this.#text.length < 200) this.#text += text.slice(0, 200).replace(/\s+/g, " ");
  }

  #count(element: Element, add: (by: 1 | -1) => void): void {
    if (this.ends.at(element, () => add(-1))) add(1);
  }
}

/** One field while the page is read. */
class Field {
  readonly #rule: FieldRule;
  readonly #reading: Reading;
  readonly #found: { text: string }[] = [];
  /** The matches that are open, the outermost first. */
  #open: { text: string }[] = [];

  constructor(rule: FieldRule, reading: Reading) {
    this.#rule = rule;
    this.#reading = reading;
  }

  get value(): string | null | readonly string[] {
    const inAttribute = this.#rule.attribute !== null;
    const texts = this.#found.map(({ text }) => collapseSpace(decodeReferences(text, inAttribute)));
    return this.#rule.all ? texts : (texts[0] ?? null);
  }

  attach(rewriter: HTMLRewriter): void {
    const { selector, attribute } = this.#rule;
    if (attribute !== null) {
      rewriter.on(selector, { element: (element) => this.#takeAttribute(element, attribute) });
      return;
    }
    rewriter.on(selector, {
      element: (element) => this.#enter(element),
      text: ({ text }) => {
        if (this.#reading.silent > 0 && !this.#isSilentItself) return;
        for (const one of this.#open) one.text += text;
      },
    });
  }

  /** A field that asks for a silent element gets its text. */
  get #isSilentItself(): boolean {
    return /^(?:title|textarea|script|style|noscript)\b/i.test(this.#rule.selector);
  }

  get #isFull(): boolean {
    return this.#found.length >= (this.#rule.all ? MAX_FIELD_VALUES : 1);
  }

  #takeAttribute(element: Element, name: string): void {
    const text = this.#isFull ? null : element.getAttribute(name);
    if (text !== null) this.#found.push({ text });
  }

  #enter(element: Element): void {
    if (this.#isFull) return;
    const one = { text: "" };
    this.#found.push(one);
    const leave = () => {
      this.#open = this.#open.filter((other) => other !== one);
    };
    if (this.#reading.ends.at(element, leave)) this.#open.push(one);
  }
}

/**
 * Calls at end tags. The rewriter keeps one for an element, the last; several selectors may match it, so those are
 * gathered. The rewriter gives every handler another object for the same element: it is known by a mark.
 */
class EndTags {
  #last = 0;
  #acts: (() => void)[] = [];

  /** Calls `act` at the element's end tag; false for an element that has none. */
  at(element: Element, act: () => void): boolean {
    if (element.getAttribute(MARK) === String(this.#last)) {
      this.#acts.push(act);
      return true;
    }
    if (VOID.has(element.tagName.toLowerCase())) return false;
    const acts = [act];
    try {
      element.onEndTag(() => {
        for (const one of acts) one();
      });
    } catch {
      // Closes itself, as elements of SVG may.
      return false;
    }
    this.#last += 1;
    this.#acts = acts;
    element.setAttribute(MARK, String(this.#last));
    return true;
  }
}
