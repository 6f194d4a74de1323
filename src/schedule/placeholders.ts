/**
 * What a schedule's spec says about the fire: `{{scheduledAt}}` and `{{watermark}}` in any of its strings, each an
 * instant as ISO 8601 in UTC. They are replaced once, when the run is started; every other insertion stays.
 */
import type { Json } from "../core/spec.ts";

export interface Placeholders {
  readonly scheduledAtMs: number;
  /** Null: none is set. */
  readonly watermarkMs: number | null;
}

const PLACEHOLDER = /\{\{\s*(scheduledAt|watermark)\s*\}\}/g;

/** The spec with its placeholders replaced. Keys stay as they are; without a watermark `{{watermark}}` stays too. */
export function fillPlaceholders(spec: Json, values: Placeholders): Json {
  const texts: Readonly<Record<string, string>> = {
    scheduledAt: new Date(values.scheduledAtMs).toISOString(),
    ...(values.watermarkMs === null ? {} : { watermark: new Date(values.watermarkMs).toISOString() }),
  };
  return replaceIn(spec, (text) =>
    text.replace(PLACEHOLDER, (written: string, name: string) => texts[name] ?? written),
  );
}

/** True when the spec says `{{watermark}}` anywhere. */
export function usesWatermark(spec: Json): boolean {
  return /\{\{\s*watermark\s*\}\}/.test(JSON.stringify(spec));
}

function replaceIn(value: Json, replace: (text: string) => string): Json {
  if (typeof value === "string") return replace(value);
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((member: Json) => replaceIn(member, replace));
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, replaceIn(member, replace)]));
}
