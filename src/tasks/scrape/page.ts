/**
 * What a page of HTML says: its title, the fields that were asked for, and whether it says anything without a browser.
 *
 * Read in one pass by the platform's HTMLRewriter, which builds no tree: a selector looks at an element and at what
 * stands around it, not at what follows. An element whose end tag is left out reaches to the end of its parent.
 * Every call of a handler costs about 0.1 ms, so handlers are set where something is asked for and nowhere else.
 */
import { MAX_FIELD_VALUES } from "../../core/limits.ts";
import { collapseSpace, decodeReferences } from "../answer/characterReferences.ts";
import { firstText } from "../answer/firstText.ts";

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

/** Their text is not text of the page, nor of an element around them. */
const SILENT = "script, style, noscript, template, title, textarea";
const VOID = new Set("area base br col embed hr img input link meta param source track wbr".split(" "));
/** An attribute that no page has. */
const MARK = "weir-end-tag";
/** So much of a page's text is looked at to find out whether it has any. */
const PLACEHOLDER_CHARS = 40;
/** What a page shows while its scripts work. */
const PLACEHOLDER = /^(?:(?:please wait|loading)\b[^\p{L}]*)?$/iu;

/** Null, or what is wrong with a selector. Where no HTMLRewriter is at hand nothing is found wrong. */
export function complainAboutSelector(selector: string): string | null {
  if (typeof HTMLRewriter === "undefined") return null;
  try {
    new HTMLRewriter().on(selector, {});
    return null;
  } catch {
    return 'is not a selector that is understood; accepted are those like "h1", ".price", "#main > p", "a[href]", "li:first-child"';
  }
}

/** Reads a page. `html` is decoded text. */
export async function readPage(html: string, rules: FieldRules): Promise<Page> {
  const title = new Title();
  const ends = new EndTags();
  const silence = new Silence(ends);
  const fields = Object.entries(rules).map(([name, rule]) => [name, new Field(rule, ends, silence)] as const);
  const rewriter = new HTMLRewriter();
  title.attach(rewriter);
  if (fields.some(([, field]) => field.readsText)) silence.attach(rewriter);
  for (const [, field] of fields) field.attach(rewriter);
  const answer = new Response(html, { headers: { "content-type": "text/html; charset=utf-8" } });
  for await (const _ of rewriter.transform(answer).body ?? []);
  return {
    title: title.text,
    fields: Object.fromEntries(fields.map(([name, field]) => [name, field.value])),
    needsBrowser:
      /<script\b/i.test(html) && PLACEHOLDER.test(collapseSpace(firstText(html, PLACEHOLDER_CHARS))),
  };
}

/** The first title that is none of a drawing. */
class Title {
  #text: string | null = null;
  #isOpen = false;
  #isDrawing = false;

  get text(): string | null {
    return this.#text === null ? null : collapseSpace(decodeReferences(this.#text));
  }

  /** The drawing's title is seen first: handlers are called in the order in which they were given. */
  attach(rewriter: HTMLRewriter): void {
    rewriter
      .on("svg title", {
        element: () => {
          this.#isDrawing = true;
        },
      })
      .on("title", {
        element: () => {
          this.#isOpen = this.#text === null && !this.#isDrawing;
          this.#isDrawing = false;
          if (this.#isOpen) this.#text = "";
        },
        text: ({ text }) => {
          if (this.#isOpen) this.#text += text;
        },
      });
  }
}

/** Whether the reader is inside an element whose text is none of the page. */
class Silence {
  readonly #ends: EndTags;
  #depth = 0;

  constructor(ends: EndTags) {
    this.#ends = ends;
  }

  get holds(): boolean {
    return this.#depth > 0;
  }

  attach(rewriter: HTMLRewriter): void {
    const leave = () => {
      this.#depth -= 1;
    };
    rewriter.on(SILENT, {
      element: (element) => {
        if (this.#ends.at(element, leave)) this.#depth += 1;
      },
    });
  }
}

/** One field while the page is read. */
class Field {
  readonly #rule: FieldRule;
  readonly #ends: EndTags;
  readonly #silence: Silence;
  readonly #found: { text: string }[] = [];
  /** The matches that are open, the outermost first. */
  #open: { text: string }[] = [];

  constructor(rule: FieldRule, ends: EndTags, silence: Silence) {
    this.#rule = rule;
    this.#ends = ends;
    this.#silence = silence;
  }

  get readsText(): boolean {
    return this.#rule.attribute === null;
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
        if (this.#open.length === 0 || (this.#silence.holds && !this.#isSilentItself)) return;
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
    if (this.#ends.at(element, leave)) this.#open.push(one);
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
