/**
 * The mask: replaces the value of every secret by `[secret:NAME]` in whatever comes back from outside.
 *
 * It knows a secret in the forms in which targets echo it: as it is, percent-encoded, escaped inside JSON, with XML
 * entities, and as base64 of the whole value. It does not see a secret that a target changed otherwise (reversed,
 * hashed, cut, or encoded together with other text).
 * Secrets shorter than `SECRET_MIN_CHARS` never get here: they count as missing, and nothing is sent.
 */
import { escapeJson } from "./bodyTemplate.ts";
import { isExactNumber } from "./json.ts";
import type { Json } from "./spec.ts";

export interface Mask {
  text(text: string): string;
  /** Masks the strings, keys and numbers of a value; returns the same value when there is nothing to mask. */
  json(value: Json): Json;
}

export interface NamedSecret {
  readonly name: string;
  readonly value: string;
}

const NOTHING: Mask = { text: (text) => text, json: (value) => value };

/** The mask for these secrets. Longer forms win where one contains another. */
export function createMask(secrets: readonly NamedSecret[]): Mask {
  const names = new Map<string, string>();
  for (const { name, value } of secrets) {
    for (const form of formsOf(value)) if (!names.has(form)) names.set(form, name);
  }
  if (names.size === 0) return NOTHING;
  const longestFirst = [...names.keys()].sort((a, b) => b.length - a.length);
  const forms = new RegExp(longestFirst.map(literally).join("|"), "g");
  const text = (plain: string): string =>
    plain.replace(forms, (found) => `[secret:${names.get(found) ?? "?"}]`);
  return { text, json: (value) => maskJson(value, text) };
}

function literally(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");
}

function formsOf(value: string): string[] {
  const bytes = utf8(value);
  const base64 = base64Of(bytes);
  const percent = percentOf(value);
  const forms = [
    value,
    escapeJson(value),
    escapeJson(value).replaceAll("/", "\\/"),
    percent,
    percent.toLowerCase() === percent ? percent : lowerEscapes(percent),
    percent.replaceAll("%20", "+"),
    value.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;"),
    base64.replace(/=+$/, ""),
    base64.replace(/=+$/, "").replaceAll("+", "-").replaceAll("/", "_"),
  ];
  return [...new Set(forms)].filter((form) => form !== "");
}

/** Half a surrogate pair has no encoding; it cannot have been sent either. */
function percentOf(value: string): string {
  return value.isWellFormed() ? encodeURIComponent(value) : "";
}

function lowerEscapes(percent: string): string {
  return percent.replace(/%[0-9A-F]{2}/g, (found) => found.toLowerCase());
}

function utf8(value: string): number[] {
  const bytes: number[] = [];
  const percent = percentOf(value);
  for (let at = 0; at < percent.length; at++) {
    if (percent[at] !== "%") bytes.push(percent.charCodeAt(at));
    else {
      bytes.push(Number.parseInt(percent.slice(at + 1, at + 3), 16));
      at += 2;
    }
  }
  return bytes;
}

const BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

function base64Of(bytes: readonly number[]): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 3) {
    const [a = 0, b, c] = bytes.slice(at, at + 3);
    const word = (a << 16) | ((b ?? 0) << 8) | (c ?? 0);
    text += BASE64.charAt(word >> 18) + BASE64.charAt((word >> 12) & 63);
    text += b === undefined ? "=" : BASE64.charAt((word >> 6) & 63);
    text += c === undefined ? "=" : BASE64.charAt(word & 63);
  }
  return text;
}

function maskJson(value: Json, mask: (text: string) => string): Json {
  if (typeof value === "string") return mask(value);
  if (typeof value === "number" || isExactNumber(value)) return maskNumber(value, mask);
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) {
    const masked = value.map((element: Json) => maskJson(element, mask));
    return masked.every((element, n) => element === value[n]) ? value : masked;
  }
  const entries = Object.entries(value as { readonly [key: string]: Json });
  const masked = entries.map(([key, field]) => [mask(key), maskJson(field, mask)] as const);
  const same = masked.every(([key, field], n) => key === entries[n]?.[0] && field === entries[n]?.[1]);
  // Object.fromEntries defines properties: a key `__proto__` from outside stays an ordinary key.
  return same ? value : Object.fromEntries(masked);
}

/** A secret of digits may come back as a number. */
function maskNumber(value: Json, mask: (text: string) => string): Json {
  const digits = isExactNumber(value) ? value.rawJSON : String(value);
  const masked = mask(digits);
  return masked === digits ? value : masked;
}
