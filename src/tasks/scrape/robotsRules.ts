/**
 * The rules of a robots.txt (RFC 9309): groups by product, the longest rule that fits decides, `*` and a `$` at the
 * end mean what they say there.
 *
 * Invariant: looking at one page takes time in proportion to the rules, whatever they and the page's URL are. A rule
 * is matched from its left to its right once, and without wildcards it is a comparison.
 */

/** What one group says. */
export interface RobotsGroup {
  /** Of the product, or of all where it has no group of its own. `path` is a URL's path and query. */
  allows(path: string): boolean;
  /** As written; null where the group names none; nothing after the colon is 0. */
  readonly crawlDelayS: number | null;
}

interface Rule {
  readonly length: number;
  readonly allow: boolean;
  /** What stands between the wildcards. */
  readonly parts: readonly string[];
  /** It fits only up to the path's end. */
  readonly isToEnd: boolean;
}

interface OpenGroup {
  readonly rules: Rule[];
  crawlDelayS: number | null;
}

const FOR_ALL = "*";

/** The group of `product` (lower case), or the one for all. */
export function groupOf(text: string, product: string): RobotsGroup {
  const groups = new Map<string, OpenGroup>();
  let named: string[] = [];
  let isNaming = false;
  for (const line of text.split(/\r\n|\r|\n/)) {
    const directive = directiveOf(line);
    if (directive === null) continue;
    const [key, value] = directive;
    if (key === "user-agent") {
      if (!isNaming) named = [];
      if (value !== "") named.push(productOfLine(value));
    } else {
      for (const name of named) if (name === product || name === FOR_ALL) add(groups, name, key, value);
    }
    isNaming = key === "user-agent";
  }
  const { rules, crawlDelayS } = groups.get(product) ?? groups.get(FOR_ALL) ?? emptyGroup();
  // The first that fits is the one that decides: the longest, and of two as long the one that allows.
  rules.sort((a, b) => b.length - a.length || Number(b.allow) - Number(a.allow));
  return {
    crawlDelayS,
    allows(path) {
      const wanted = upperEscapes(path);
      return rules.find((rule) => fits(rule, wanted))?.allow ?? true;
    },
  };
}

function directiveOf(line: string): readonly [key: string, value: string] | null {
  const comment = line.indexOf("#");
  const said = comment < 0 ? line : line.slice(0, comment);
  const colon = said.indexOf(":");
  const key = colon < 0 ? "" : said.slice(0, colon).trim().toLowerCase();
  return key === "" ? null : [key, said.slice(colon + 1).trim()];
}

/** Without the version that some name with it. */
function productOfLine(value: string): string {
  return (value.toLowerCase().split("/", 1)[0] ?? "").trim();
}

function add(groups: Map<string, OpenGroup>, name: string, key: string, value: string): void {
  if (key !== "allow" && key !== "disallow" && key !== "crawl-delay") return;
  const group = groups.get(name) ?? emptyGroup();
  groups.set(name, group);
  if (key === "crawl-delay") {
    const delayS = Number(value);
    if (!Number.isNaN(delayS)) group.crawlDelayS = delayS;
  } else if (value !== "") group.rules.push(ruleOf(value, key === "allow"));
}

function emptyGroup(): OpenGroup {
  return { rules: [], crawlDelayS: null };
}

function ruleOf(value: string, allow: boolean): Rule {
  const pattern = normalised(value);
  const isToEnd = pattern.endsWith("$");
  const parts = (isToEnd ? pattern.slice(0, -1) : pattern).split("*");
  return { length: pattern.length, allow, parts, isToEnd };
}

/** Percent-encoded as a URL parser does it, but for what was so already. */
function normalised(value: string): string {
  return value.isWellFormed() ? upperEscapes(encodeURI(value).replaceAll("%25", "%")) : value;
}

function upperEscapes(text: string): string {
  return text.includes("%") ? text.replace(/%[0-9a-f]{2}/gi, (found) => found.toUpperCase()) : text;
}

/** Each part at the first place where it can be: if that leads nowhere, no other does. */
function fits({ parts, isToEnd }: Rule, path: string): boolean {
  const [first = "", ...others] = parts;
  if (!path.startsWith(first)) return false;
  const last = others.pop();
  if (last === undefined) return !isToEnd || path.length === first.length;
  let at = first.length;
  for (const part of others) {
    const found = path.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return isToEnd ? path.length - last.length >= at && path.endsWith(last) : path.includes(last, at);
}
