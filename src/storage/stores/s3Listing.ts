/**
 * The answer to ListObjectsV2, read once from its beginning to its end, whatever it holds: a store that is not one, or
 * is not well, costs no more time than its answer is long.
 */
import type { StoredObject } from "./objectStore.ts";

export interface Listing {
  readonly objects: readonly StoredObject[];
  /** The key to go on after; null at the end. */
  readonly next: string | null;
}

/** ListBucketResult; null when the text is not one. */
export function parseListing(xml: string): Listing | null {
  if (!/<ListBucketResult[\s>]/.test(xml)) return null;
  const isEncoded = elementOf(xml, "EncodingType") === "url";
  const objects: StoredObject[] = [];
  for (const contents of contentsOf(xml)) {
    const key = keyOf(elementOf(contents, "Key"), isEncoded);
    const size = Number(elementOf(contents, "Size") ?? Number.NaN);
    if (key === null || !Number.isSafeInteger(size)) return null;
    const etag = (elementOf(contents, "ETag") ?? "").replace(/^"|"$/g, "");
    objects.push({ key, size, etag });
  }
  const isTruncated = elementOf(xml, "IsTruncated") === "true";
  return { objects, next: isTruncated ? (objects.at(-1)?.key ?? null) : null };
}

const CONTENTS = "<Contents>";
const CONTENTS_END = "</Contents>";

function* contentsOf(xml: string): Generator<string> {
  for (let at = 0; ; ) {
    const from = xml.indexOf(CONTENTS, at);
    const to = from < 0 ? -1 : xml.indexOf(CONTENTS_END, from);
    if (to < 0) return;
    yield xml.slice(from + CONTENTS.length, to);
    at = to + CONTENTS_END.length;
  }
}

/** The text of the first element of that name, its references resolved. */
function elementOf(xml: string, name: string): string | null {
  const open = `<${name}>`;
  const from = xml.indexOf(open);
  if (from < 0) return null;
  const to = xml.indexOf("<", from + open.length);
  return to >= 0 && xml.startsWith(`</${name}>`, to) ? unescapeXml(xml.slice(from + open.length, to)) : null;
}

function keyOf(text: string | null, isEncoded: boolean): string | null {
  if (text === null || !isEncoded) return text;
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    return null;
  }
}

const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };
const MAX_CODE_POINT = 0x10_ffff;

/** What stands for no character stays as it is. */
function unescapeXml(text: string): string {
  return text.replace(/&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|(\w{1,4}));/gi, (whole, decimal, hex, name) => {
    if (name !== undefined) return ENTITIES[name] ?? whole;
    const codePoint = decimal === undefined ? Number.parseInt(hex, 16) : Number(decimal);
    return codePoint <= MAX_CODE_POINT ? String.fromCodePoint(codePoint) : whole;
  });
}
