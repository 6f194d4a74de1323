/**
 * The mask: replaces the value of every secret by `[secret:NAME]` in whatever comes back from outside.
 *
 * It knows a secret in the forms in which targets echo it (`secretForms.ts`). It does not see a secret that a target
 * changed otherwise: reversed, hashed, cut, or encoded twice or together with other text.
 * Secrets shorter than `SECRET_MIN_CHARS` never get here: they count as missing, and nothing is sent.
 */
import { isExactNumber } from "../json.ts";
import { MASKED_LEVELS } from "../limits.ts";
import type { Json } from "../spec.ts";
import { secretPattern } from "./secretForms.ts";

export interface Mask {
  text(text: string): string;
  /**
   * Masks the strings, keys and numbers of a value; returns the same value when there is nothing to mask. Throws
   * TooDeep where it cannot look for secrets everywhere.
   */
  json(value: Json): Json;
}

export interface NamedSecret {
  readonly name: string;
  readonly value: string;
}

/** A value with more levels than are looked through for secrets. */
export class TooDeep extends Error {
  constructor() {
    super(`the answer is nested more than ${MASKED_LEVELS} levels deep: too deep to look for secrets in it`);
    this.name = "TooDeep";
  }
}

const NOTHING: Mask = { text: (text) => text, json: (value) => value };

/** The mask for these secrets. The longer of two wins where one begins with the other. */
export function createMask(secrets: readonly NamedSecret[]): Mask {
  const known = secrets.filter(({ value }) => value !== "").sort((a, b) => b.value.length - a.value.length);
  if (known.length === 0) return NOTHING;
  const forms = new RegExp(known.map(({ value }) => `(${secretPattern(value)})`).join("|"), "g");
  const text = (plain: string): string =>
    plain.replace(forms, (_found, ...groups: readonly unknown[]) => {
      const found = known.find((_secret, n) => groups[n] !== undefined);
      return `[secret:${found?.name ?? "?"}]`;
    });
  return { text, json: (value) => maskJson(value, text, MASKED_LEVELS) };
}

function maskJson(value: Json, mask: (text: string) => string, levels: number): Json {
  if (typeof value === "string") return mask(value);
  if (typeof value === "number" || isExactNumber(value)) return maskNumber(value, mask);
  if (typeof value !== "object" || value === null) return value;
  if (levels === 0) throw new TooDeep();
  if (Array.isArray(value)) {
    const masked = value.map((element: Json) => maskJson(element, mask, levels - 1));
    return masked.every((element, n) => element === value[n]) ? value : masked;
  }
  const entries = Object.entries(value as { readonly [key: string]: Json });
  const masked = entries.map(([key, field]) => [mask(key), maskJson(field, mask, levels - 1)] as const);
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
